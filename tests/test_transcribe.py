"What is said where there are no captions: bad input, a recogniser that is missing, and what a sudden end leaves."
import importlib.util, json, os, shutil, signal, subprocess, sys, textwrap, threading, time, types

import av
import numpy as np
import pytest
from helpers import command, fresh_cache
from scipy.io import wavfile
from scipy.signal import resample_poly

from vfr_lib.core import VfrError
from vfr_lib.library.library import Library
from vfr_lib.media.source import open_video
from vfr_lib.media.synthetic import brick_wall, make_clip
from vfr_lib.media.transcript import Line
from vfr_lib.search import transcribe as room
from vfr_lib.search.find import find
from vfr_lib.search.transcribe import (RATE, Block, WhisperRecogniser, blocks, known_speech, recogniser_of, transcribe,
                                       with_speech)

whisper = pytest.mark.skipif(not importlib.util.find_spec("faster_whisper"), reason="faster-whisper is not installed")
voice = pytest.mark.skipif(not shutil.which("espeak-ng"), reason="espeak-ng is not installed: nobody speaks")


def with_sound(path, samples, layout="mono", color="navy"):
    "A clip as long as its sound: samples (n,), the same in all channels."
    bare = make_clip(path.with_name("bare.mp4"), [(brick_wall(color), len(samples) / RATE)], fps=2, size=(64, 36), camera=False)
    with av.open(str(bare)) as film, av.open(str(path), "w") as out:
        pictures = out.add_stream_from_template(film.streams.video[0])
        sound = out.add_stream("flac" if path.suffix == ".mkv" else "aac", rate=RATE, layout=layout)
        packets = [p for p in film.demux(video=0) if p.dts is not None]
        many = np.repeat((samples * 32767).astype(np.int16)[:, None], sound.codec_context.layout.nb_channels, 1)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(many).reshape(1, -1), "s16", layout)
        frame.sample_rate, frame.pts = RATE, 0
        sounds = [*sound.encode(frame), *sound.encode(None)]
        for p in packets: p.stream = pictures
        for p in sorted(packets + sounds, key=lambda p: p.dts * p.time_base): out.mux(p)
    return path


def words(*spans, length=9):
    "Sound that is loud from a to b, with a hiss below it."
    said = np.random.default_rng(0).normal(0, 0.01, length * RATE).astype(np.float32)
    for a, b in spans: said[int(a * RATE):int(b * RATE)] += 0.5
    return said


def loud(audio):
    edges = np.flatnonzero(np.diff(np.r_[False, np.convolve(abs(audio), np.ones(400) / 400, "same") > 0.2, False].astype(int)))
    return (edges.reshape(-1, 2) / RATE).tolist()


class Loud:
    "Hears a number wherever it is loud; counts what it hears."
    def __init__(self, name=None): self.name, self.heard = name or f"loud {time.time()}", 0
    def transcribe(self, path, stop, progress, start=0.0):
        for b in blocks(path, start, stop, seconds=2, spans=loud):
            for a, z in b.voice:
                self.heard += 1
                yield Line(b.start + a, b.start + z, f"This is sentence {round(b.start + a)}")
            progress(b.end, 9)


@pytest.fixture(scope="module")
def talk(tmp_path_factory):
    return with_sound(tmp_path_factory.mktemp("talk") / "talk.mp4", words((1, 2), (4, 5.5), (7, 8)))


@pytest.fixture(scope="module")
def spoken(tmp_path_factory):
    "A clip in which somebody speaks from 3 s on, and a model."
    from tiny_whisper import tiny_whisper
    folder = tmp_path_factory.mktemp("spoken")
    subprocess.run(["espeak-ng", "-w", str(folder / "a.wav"), "The loss falls along the steepest slope."], check=True)
    rate, said = wavfile.read(folder / "a.wav")
    said = resample_poly(said / 32768, RATE, rate).astype(np.float32)
    hiss = np.random.default_rng(0).normal(0, 0.002, len(said) + 5 * RATE).astype(np.float32)
    hiss[3 * RATE:3 * RATE + len(said)] += said
    return with_sound(folder / "talk.mp4", hiss), tiny_whisper(folder / "model"), 3 + len(said) / RATE


@whisper
@voice
def test_the_shell_hears_on_request(vfr, spoken, tmp_path):
    clip, model, end = spoken
    env = os.environ | {"VFR_CACHE": str(fresh_cache(tmp_path / "cache"))}
    ask = lambda *more: json.loads(vfr("find", clip, *more, "--json", env=env).stdout)
    assert ask("word", "--evidence", "said") == []
    heard = WhisperRecogniser(model)
    lines = list(heard.transcribe(clip))
    assert lines and all(2.5 < l.start <= l.end < end + 0.5 and l.words[0][0] == l.start for l in lines)
    best = ask(lines[0].text, "--evidence", "said", "--transcribe", model)[0]
    assert best["evidence"] == ["said"] and best["start"] == pytest.approx(lines[0].start, abs=0.1)
    assert ask(lines[0].text, "--evidence", "said")   # heard before: searched without being asked for


@whisper
@voice
def test_the_language_is_given_or_found_out_and_a_snapshot_is_a_model(spoken, tmp_path):
    clip, model, _ = spoken
    (snapshot := tmp_path / "models--tiny/snapshots/0123").mkdir(parents=True)
    for file in model.iterdir(): os.link(file, snapshot / file.name)
    asked = []
    for language in (None, "en"):
        r = WhisperRecogniser(tmp_path / "models--tiny", language, beam_size=1, temperature=0, max_new_tokens=8)
        real = r._model.transcribe
        r.__dict__["_model"] = types.SimpleNamespace(transcribe=lambda *a, **kw: asked.append(kw["language"]) or real(*a, **kw))
        assert list(r.transcribe(clip))
    assert asked == [None, "en"]


@whisper
@voice
def test_models_that_are_none_are_told_in_one_line(spoken, tmp_path, monkeypatch):
    clip, model, _ = spoken
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    source = open_video(str(clip))
    for kind in ("cut off", "noise", "no vocabulary", "empty"):
        shutil.copytree(model, folder := tmp_path / kind)
        file = folder / "model.bin"
        if kind == "cut off": file.write_bytes(file.read_bytes()[:100_000])
        if kind == "noise": file.write_bytes(np.random.default_rng(0).bytes(1000))
        if kind == "no vocabulary": (folder / "vocabulary.json").unlink()
        if kind == "empty": file.unlink()
        with pytest.warns(match="speech model.*the rest goes on") as told: assert with_speech(source, str(folder)).lines == []
        assert "\n" not in str(told[0].message) and len(told) == 1
    for name in ("nobody/has-this", "smal", str(tmp_path / "gone")):
        with pytest.warns(match="hf download .*the rest goes on"): assert with_speech(source, name).lines == []


def test_without_the_extra_the_rest_goes_on(talk, tmp_path):
    code = f"import sys; sys.modules['faster_whisper'] = None; from vfr_lib.cli import main; sys.exit(main(['find', {str(talk)!r}, 'a wall', '--transcribe']))"
    r = command(sys.executable, "-c", code, env=os.environ | {"VFR_CACHE": str(fresh_cache(tmp_path / "cache"))})
    assert r.returncode == 0 and r.stderr.count("\n") == 1 and 'pip install "vfr_lib[speech]"' in r.stderr and "0:0" in r.stdout, r


def test_what_is_no_recogniser_is_refused_at_once(talk):
    for wrong in (3, " ", object()):
        with pytest.raises(VfrError, match="hears nothing"): recogniser_of(wrong)
    with pytest.raises(VfrError, match="hears nothing"): find(talk, "a wall", transcribe=3)


def test_a_recogniser_of_ones_own(talk):
    found = find(talk, "sentence 4", transcribe=Loud(), evidence="said", exact=False)
    assert (round(found[0].start, 1), round(found[0].end, 1), found[0].evidence) == (4, 5.5, ("said",))


def test_five_channels_and_no_sound(talk, tmp_path):
    five = with_sound(tmp_path / "five.mkv", words((1, 2)), layout="5.0")
    assert [l.text for l in transcribe(five, Loud())] == ["This is sentence 1"]
    mute = make_clip(tmp_path / "mute.mp4", [("navy", 2)], fps=2, size=(64, 36), camera=False)
    assert transcribe(mute, Loud()) == [] == known_speech(mute)


def test_sound_that_breaks_off(tmp_path):
    whole = with_sound(tmp_path / "whole.mkv", words((1, 2), (4, 5), (7, 8)))
    (cut := tmp_path / "cut.mkv").write_bytes(whole.read_bytes()[:whole.stat().st_size * 6 // 10])
    data = bytearray(whole.read_bytes())
    data[len(data) // 2:len(data) * 6 // 10] = np.random.default_rng(0).bytes(len(data) * 6 // 10 - len(data) // 2)
    (hole := tmp_path / "hole.mkv").write_bytes(data)
    assert [round(l.start) for l in transcribe(cut, Loud())] in ([1], [1, 4])
    with pytest.warns(match="damaged"): assert [round(l.start) for l in transcribe(hole, Loud())][:1] == [1]


def test_ten_hours_in_bounded_memory(monkeypatch):
    "One who talks for ten hours without a pause."
    monkeypatch.setattr(room, "audio_pieces", lambda *a: (np.ones(10 * RATE, np.float32) for _ in range(3600)))
    never = lambda audio: [(a, min(a + 25, len(audio) / RATE)) for a in np.arange(0, len(audio) / RATE, 25)]
    last, longest = 0.0, 0
    for b in blocks("ten hours", spans=never):
        assert b.start == pytest.approx(last)
        last, longest = b.end, max(longest, len(b.audio))
    assert last == pytest.approx(36000) and longest <= 90 * RATE


def test_cancelled_within_a_second_in_the_middle_of_a_window(talk, monkeypatch):
    monkeypatch.setattr(room, "blocks", lambda *a: iter([Block(0.0, np.zeros(RATE, np.float32), [(0, 1)])]))
    slow, stop = WhisperRecogniser("slow"), threading.Event()
    slow.__dict__["_model"] = types.SimpleNamespace(transcribe=lambda *a, **kw: time.sleep(5))
    threading.Timer(0.2, stop.set).start()
    began = time.monotonic()
    with pytest.raises(VfrError, match="stopped"): transcribe(talk, slow, stop=stop)
    assert time.monotonic() - began < 1.2


def test_a_model_that_fails_while_it_hears(talk, monkeypatch):
    def fail(*a, **kw): raise RuntimeError("Library libcublas.so.12 is not found")
    monkeypatch.setattr(room, "blocks", lambda *a: iter([Block(0.0, np.zeros(RATE, np.float32), [(0, 1)])]))
    broken = WhisperRecogniser("broken")
    broken.__dict__["_model"] = types.SimpleNamespace(transcribe=fail)
    with pytest.warns(match="libcublas.*CUDA_VISIBLE_DEVICES.*the rest goes on"): assert with_speech(open_video(str(talk)), broken).lines == []


def test_one_who_cannot_begin_in_the_middle_hears_all_again(talk):
    class Plain(Loud):
        def transcribe(self, path, stop, progress): yield from super().transcribe(path, stop, progress)
    plain, stop = Plain(), threading.Event()
    with pytest.raises(VfrError, match="stopped"): transcribe(talk, plain, lambda done, end: done > 5 and stop.set(), stop)
    before = plain.heard
    assert len(transcribe(talk, plain)) == 3 and plain.heard == before + 3


def test_killed_in_the_middle_nothing_is_heard_again(talk, tmp_path):
    child = textwrap.dedent(f"""
        import os, signal, sys
        sys.path[:0] = {sys.path!r}
        from test_transcribe import Loud
        from vfr_lib.search.transcribe import transcribe
        class Killed(Loud):
            def transcribe(self, path, stop, progress, start=0.0):
                for line in super().transcribe(path, stop, progress, start):
                    if KILL and self.heard == 3: os.kill(os.getpid(), signal.SIGKILL)
                    yield line
        who = Killed("killed")
        found = transcribe({str(talk)!r}, who, keep_every=0)
        print(who.heard, len(found))
    """)
    env = os.environ | {"VFR_CACHE": str(tmp_path / "cache")}
    assert subprocess.run([sys.executable, "-c", "KILL = True" + child], env=env).returncode == -signal.SIGKILL
    r = command(sys.executable, "-c", "KILL = False" + child, env=env)
    assert r.stdout.split() == ["1", "3"] and not list((tmp_path / "cache/speech").glob(".*")), r


def test_damaged_lines_of_the_cache_are_heard_anew(talk, tmp_path, monkeypatch):
    monkeypatch.setenv("VFR_CACHE", str(tmp_path))
    who = Loud()
    whole = transcribe(talk, who)
    [place] = (tmp_path / "speech").iterdir()
    for damage in ("", "{", "[]", '{"lines": [[1, 2]], "until": 9, "whole": true}', '{"lines": 3, "until": 1, "whole": true}'):
        place.write_text(damage)
        with pytest.warns(match="damaged"): assert transcribe(talk, who) == whole
    from vfr_lib.cache import cache_usage, clear_cache
    assert cache_usage()["speech"][0] == 1 and clear_cache(["speech"]) and known_speech(talk) is None


def test_libraries_hear_on_request_and_encode_nothing_anew(vfr, talk, tmp_path):
    who, captioned = Loud(), with_sound(tmp_path / "captioned.mp4", words((2, 3)), color="red")
    (tmp_path / "captioned.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nBy hand.\n")
    library = Library(tmp_path / "lib")
    library.add(talk, captioned)
    assert not any(m.text for m in library.search("sentence 4", evidence="said"))
    report = library.add(transcribe=who)
    assert report.encoded == 0 and not report.added and [what for _, what in report.captions] == ["3 lines of speech heard"]
    assert [v.caption_source for v in sorted(library.videos, key=lambda v: v.title)] == ["beside", "transcribed"] and who.heard == 3
    best = library.search("sentence 4", evidence="said")[0]
    assert (best.title, round(best.start, 1)) == ("talk", 4) and "4" in best.text
    assert not library.add(transcribe=who).captions and who.heard == 3
    again = with_sound(tmp_path / "again.mp4", words((3, 4)), color="blue")
    assert [v.caption_source for v in library.add(again, transcribe=who).added] == ["transcribed"] and not library.check().faults
    bare = vfr("add", tmp_path / "lib")
    assert bare.returncode == 2 and bare.stderr.count("\n") == 1 and "VIDEO" in bare.stderr
    with pytest.raises(VfrError, match="a cluster hears nothing"): library.add(again, transcribe=who, cluster="")
