"Exact times on real files of many codecs: VFR_DATA=folder pytest tests/test_real_videos.py"
import json
from fractions import Fraction

import av
import numpy as np
import pytest
from vfr_lib.media.frames import frame_times, iter_frames


def full_decode(path):
    "(times as a player shows them, the frames as arrays) of every frame, by a plain decode."
    with av.open(str(path)) as c:
        stream = c.streams.best("video")
        stamps = [f.pts * f.time_base for f in c.decode(stream)]
        starts = [s.start_time * s.time_base for s in c.streams if s.start_time is not None]
        rounded = Fraction(c.start_time or 0, av.time_base)
        return [t - min(starts, key=lambda s: abs(s - rounded), default=0) for t in stamps]


def test_times_equal_a_full_decode(data):
    checked = []
    for path in sorted((data / "videos").iterdir()):
        if path.name in ("empty.webm", "corrupted.mp4"): continue
        shown = full_decode(path)
        for every in (Fraction(1), Fraction(1, 4)):
            expected = [next(t for t in shown if t >= k * every) for k in range(int(shown[-1] // every) + 1)]
            assert np.abs(np.array(frame_times(path, float(every))) - np.array(list(dict.fromkeys(expected)), float)).max() < 1e-6, path.name
        checked.append(path.name)
    assert len(checked) >= 18


def test_rotation_is_applied(data):
    assert next(iter_frames(data / "videos/video_90.mov")).size == (320, 568)
    assert next(iter_frames(data / "videos/video_180.mov")).size == (568, 320)


def test_damaged_file_keeps_its_good_frames(vfr, data):
    r = vfr("find", data / "videos/corrupted.mp4", "a road", "--json")
    assert r.returncode == 0 and json.loads(r.stdout) and "damaged" in r.stderr and r.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["av1_video.mkv", "h264_10bits.mp4", "h265_video.mp4", "no_duration.webm", "unordered.mov", "video_with_failing_audio.mp4", "bunny_60fps.ts"])
def test_unusual_files_are_searched(vfr, data, name):
    r = vfr("find", data / "videos" / name, "a person", "--json")
    shows_nothing = name in ("no_duration.webm", "unordered.mov")   # one colour from beginning to end
    assert r.returncode == 0 and bool(json.loads(r.stdout)) != shows_nothing and r.stderr == "", r.stderr


def test_skipping_leaves_every_picture_as_a_full_decode_has_it(data):
    from vfr_lib.media.frames import _as_planned, _plan, _Unplanned, check_step, sample_by_decoding, to_rgb
    planned = []
    for path in sorted((data / "videos").iterdir()):
        if path.name == "empty.webm": continue
        for every in (1, 0.25):
            try: mine = [(stamp, hash(to_rgb(f).tobytes())) for f, stamp, _ in _as_planned(path, _plan(path, check_step(every)))]
            except _Unplanned: continue   # `iter_frames` then decodes every frame
            assert mine == [(stamp, hash(to_rgb(f).tobytes())) for f, stamp, _ in sample_by_decoding(path, check_step(every))], path.name
            planned.append(path.name)
    assert len(set(planned)) >= 18 and "corrupted.mp4" not in planned


def test_pieces_in_any_order_and_keyframes_are_the_frames_of_a_plain_reading(data):
    import numpy as np
    from vfr_lib.core import VfrError
    from vfr_lib.media.frames import Sampler, frame_at, iter_frames
    split = 0
    for path in sorted((data / "videos").iterdir()):
        if path.name in ("empty.webm", "corrupted.mp4"): continue
        sampler, plain = Sampler(path, 0.25, least=1), list(iter_frames(path, 0.25))
        for i in reversed(range(len(sampler))):
            for k, f in sampler.read([i]): assert f.timestamp == plain[k].timestamp and np.array_equal(f.image, plain[k].image), path.name
        split += len(sampler) > 1
        for key in sampler.keyframes(3): assert np.array_equal(key.image, frame_at(path, key.time).image), path.name
    assert split >= 8
