"What is carried away is right to the frame, safe to open, and whole: the corners that the notebooks do not show."
import csv, io, os, re, shutil, subprocess, threading, warnings
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from vfr_lib.core import Moment, Moments, VfrError, hms
from vfr_lib.export import (auto_chapters, cut_clips, ffmpeg_input, moment_name, run_ffmpeg, timecode_at, to_chapters,
                            to_csv, to_edl, to_fcp7, to_fcpxml, to_html, to_json, to_resolve_markers)
from vfr_lib.export import clips as room, timelines
from vfr_lib.media.frames import frame_at, frame_times, frames_between, iter_frames, open_container, probe
from vfr_lib.media.synthetic import make_clip, sample_clip

pytestmark = pytest.mark.quick
NTSC = 30000 / 1001
birthday = [Moment("https://youtu.be/abc", 1, 4, 2.5, 0.31, 0.0021, title="A birthday", evidence=("seen", "said"), text="blow"),
            Moment('a "cat", asleep.mp4', 7, 9, 8, 0.2)]
recipe = [dict(title=t, start_time=s)
          for s, t in ((4, "Onions"), (62.9, "Broth"), (66, "A <bay> leaf"), (3725, "Plates"), (1800, "Broth\nagain"))]
link = [Moment("https://youtu.be/abc", 0, 1, 0, .1)]


def refusal(f, *args, **named):
    with pytest.raises(VfrError) as told: f(*args, **named)
    return str(told.value)


def heard(f, *args, **named):
    "(what a function gives, the warnings on the way)"
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        return f(*args, **named), [str(w.message) for w in said]


@pytest.fixture(scope="module")
def folder(tmp_path_factory): return tmp_path_factory.mktemp("exports")


@pytest.fixture(scope="module")
def walls(folder):
    options = {"g": "30", "keyint_min": "30", "sc_threshold": "0"}
    return make_clip(folder / "walls.mp4", [("red", 2), ("blue", 2), ("green", 2)], fps=30, options=options)


@pytest.fixture(scope="module")
def ntsc(folder): return make_clip(folder / "ntsc.mov", [("red", 1), ("blue", 1)], fps=NTSC)


@pytest.fixture(scope="module")
def found(walls):
    return Moments([Moment(str(walls), 2, 4, 3, .3, title='Blue "walls" / at\nnight'), Moment(str(walls), 3.5, 4.5, 4, .2)])


def colours(path):
    "The colours of all frames: the name of the strongest channel."
    return [("red", "green", "blue")[int(f.image.mean((0, 1)).argmax())] for f in iter_frames(path, 1e-3)]


def cut(video, start, end, folder, exact=True, **named):
    "One clip of a video, in a folder of its own name."
    return cut_clips([Moment(str(video), start, end, start, .1)], folder / f"cut {Path(video).name} {exact}", exact=exact, **named)[0]


# tables

@pytest.mark.parametrize("start", ["=", "+", "-", "@", "＝"])
def test_no_spreadsheet_runs_a_title(start):
    for before in ("", " ", "\t", "\n", "\ufeff", "holiday;", "holiday; ", 'a\tb";"', "one\r\n", "x\u2028"):
        text = to_csv([replace(birthday[0], title=f'{before}{start}HYPERLINK("http://x")')])
        for separator in (",", ";", "\t"):
            cells = re.split(rf"[{separator}\r\n\u2028]", text)
            if separator == ",": cells = [c for row in csv.reader(io.StringIO(text, newline="")) for c in row]
            assert not any(c.strip('\ufeff \t\r\n"').startswith(start) for c in cells), (before, separator)


def test_texts_and_files_agree(tmp_path):
    assert to_csv([]).count("\n") == 1 and to_json([]) == "[]\n"
    assert to_csv(birthday, tmp_path / "t.csv").read_bytes().decode() == to_csv(birthday)
    assert to_json(birthday, tmp_path / "t.json").read_text() == to_json(birthday)
    assert to_csv([replace(birthday[0], video="caf\udce9.mp4")], tmp_path / "odd.csv").exists()


def test_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert to_csv(birthday, "~/new.csv") == tmp_path / "new.csv" and os.listdir(tmp_path) == ["new.csv"]


# chapters

def test_rules_of_chapters():
    marks = [dict(title=t, start_time=s) for s, t in ((12, "b"), (30, "c"), (40, "c"), (55, "d"), (99, "e"))]
    text, said = heard(to_chapters, marks, duration=105)
    assert text.splitlines() == ["0:00 Start", "0:12 b", "0:30 c", "0:55 d"]
    assert len(said) == 2 and "1:39 e" in said[0] and "Start" in said[1]
    _, said = heard(to_chapters, recipe, duration=4000)
    assert "1:06 A ‹bay› leaf" in said[0] and "moved" in said[1]


def test_chapters_of_moments():
    film = Moments(Moment("film.mp4", s, s + 5, s + 1, .3) for s in (40, 0, 20))
    film.duration = 60
    assert to_chapters(film, labels=["z", "x", "y"]) == "0:00 x\n0:20 y\n0:40 z\n"
    assert "several videos" in refusal(to_chapters, birthday)


def test_no_chapters():
    assert "at least three" in refusal(to_chapters, []) and "2 labels for 5" in refusal(to_chapters, recipe, labels=["a", "b"])
    assert "cannot start at -1" in refusal(to_chapters, [dict(title="a", start_time=-1)])


def test_labels_of_chapters():
    from vfr_lib.encoders.inference import load_for_inference
    from vfr_lib.search.embedding import embed_frames
    encoder = load_for_inference("embedded")
    frames = embed_frames(sample_clip(), encoder)
    things = ["an astronaut", "a cup of coffee", "a cat", "a motorcycle", "a rocket"]
    assert auto_chapters(frames, ["a dog"], encoder) == [dict(title="a dog", start_time=0.0, end_time=25.0)]
    assert auto_chapters(frames, {"Pet": "a cat", "Bike": "a motorcycle"}, encoder)[-1]["title"] in ("Pet", "Bike")
    assert min(c["end_time"] - c["start_time"] for c in auto_chapters(frames, things, encoder, least=8)) >= 8
    assert auto_chapters(frames, things, encoder, least=500)[0]["end_time"] == 25
    for bad in ("a cat", [], ["a cat", ""], [None], ["a cat", "a cat"]): refusal(auto_chapters, frames, bad, encoder)
    assert "cannot last -1" in refusal(auto_chapters, frames, things, encoder, least=-1)


# clips

@pytest.mark.parametrize("i", [1, 2, 7, 29])
def test_every_frame_of_a_film_of_ntsc(ntsc, folder, i):
    "The first and the last frame of the cut are those of the film."
    film = frame_times(ntsc, 1e-3)
    clip = cut(ntsc, film[i], film[i + 11], folder)
    got = frame_times(clip.path, 1e-3)
    assert len(got) == 11 and np.allclose(np.array(got), np.array(film[i:i + 11]) - film[i], atol=1e-4) and clip.start == film[i]


@pytest.fixture(scope="module")
def tone(walls, folder):
    sine = "-f", "lavfi", "-i", "sine=440:duration=6", "-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", "aac"
    run_ffmpeg([*ffmpeg_input(walls), *sine, folder / "tone.mp4"], "tone")
    return folder / "tone.mp4"


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_sound_in_containers(tone, folder, suffix):
    path = tone.with_suffix(suffix)
    if path != tone: run_ffmpeg([*ffmpeg_input(tone), "-c", "copy", path], "tone")
    copied, exact = cut(path, 2.5, 4, folder, exact=False), cut(path, 2.5, 4, folder)
    assert abs(copied.start - 2) < .04 and set(colours(copied.path)[:58]) == {"blue"} and abs(copied.end - 4) < .2
    assert exact.start == frame_at(path, 2.5).time and len(colours(exact.path)) in (44, 45, 46)
    for clip, seconds in ((exact, 1.5), (copied, copied.end - copied.start)):
        with open_container(clip.path) as (c, _): sound = c.streams.audio[0]; assert abs(float(sound.duration * sound.time_base) - seconds) < .25


def test_copies_have_no_holes(walls, folder):
    "A copy ends after the last picture that was asked for."
    for video, start, end in ((sample_clip(), 12.25, 14), (walls, .5, 1.7)):
        c = cut(video, start, end, folder, exact=False)
        got, film = np.array(frame_times(c.path, 1e-3)), np.array(frame_times(video, 1e-3))
        assert np.allclose(got + c.start, film[(film >= c.start - 1e-6) & (film < c.end - 1e-3)], atol=1e-3)
        assert end <= c.end + 1e-6 <= end + .5


def test_copies_of_avi(walls, folder):
    """AVI has no room for the time at which a frame is shown: FFmpeg versions differ in what they copy of one with B-frames.
    Either it is refused, or it is the film's."""
    old = folder / "old.avi"
    run_ffmpeg([*ffmpeg_input(walls), "-c:v", "mpeg4", "-bf", "2", old], old)
    try: c = cut(old, 2.2, 3, folder, exact=False)
    except VfrError as e: assert "use exact=True" in str(e); return
    shown = [frame_at(old, t).image for t in frame_times(old, 1e-3) if c.start - 1e-6 <= t < c.end - 1e-3]
    got = [frame_at(c.path, t).image for t in frame_times(c.path, 1e-3)]
    assert c.start <= 2.2 and abs(len(got) - len(shown)) <= 1
    assert all(np.abs(np.asarray(a, float) - np.asarray(b, float)).mean() < 2 for a, b in zip(got, shown))


def test_odd_clocks_and_margins(walls, folder):
    late = make_clip(folder / "late.mkv", [("red", 2), ("blue", 2)], fps=10, retime=lambda t: t + 7.3)
    assert set(colours(cut(late, 2, 3, folder).path)) == {"blue"}
    slides = make_clip(folder / "slides.mp4", [("red", 1), ("blue", 1), ("green", 1)], fps=1, retime=lambda t: 5 * t)
    clip = cut(slides, 5, 9, folder)
    assert colours(clip.path) == ["blue"] and abs(probe(clip.path).duration - 4) < .01
    assert "no frame between" in refusal(cut, slides, 6, 7, folder)
    wide = cut(walls, 1, 5, folder, margin=3)   # margins stop at both ends of the video
    assert (wide.start, wide.end) == (0, 6) and abs(probe(wide.path).duration - 6) < .04


def test_sound_of_a_recording_that_was_joined(folder):
    "It keeps in step: a tone of its own in each half, without holes."
    ruler = make_clip(folder / "ruler.mp4", [(np.full((36, 64, 3), 4 * n + 2, np.uint8), 1 / 25) for n in range(60)],
                      fps=25, size=(64, 36), options={"g": "20", "qp": "8"})
    for k, tone in enumerate((440, 880)):
        run_ffmpeg([*ffmpeg_input(ruler), "-f", "lavfi", "-i", f"sine={tone}:d=2.4", "-map", "0", "-map", "1",
                    "-c:v", "copy", "-c:a", "aac", folder / f"tone{k}.ts"], tone)
    tones = folder / "tones.ts"
    tones.write_bytes(b"".join((folder / f"tone{k}.ts").read_bytes() for k in (0, 1)))
    for start, end, tone in ((.5, 2, 440), (3, 4.5, 880)):
        clip = cut(tones, start, end, folder)
        with av.open(clip.path) as c:
            sound, rate = np.concatenate([f.to_ndarray()[0] for f in c.decode(audio=0)]), c.streams.audio[0].rate
        assert abs(len(sound) / rate - (clip.end - clip.start)) < .05
        assert abs(np.abs(np.fft.rfft(sound)).argmax() * rate / len(sound) - tone) < 5
        assert min(np.abs(part).max() for part in np.array_split(sound[2000:], 20)) > .05


def test_what_is_read_again_is_what_was_asked_for(walls):
    "As many frames, at these times, of this size, with these pictures."
    film = [(f.time, None, f.size, room._thumbnail(f.image)) for f in frames_between(walls, 0)]
    room._same_frames(walls, walls, film, "it")
    for wrong in (film[1:], film[:-1], [(t + .01, *rest) for t, *rest in film],
                  [(t, e, (2, 2), s) for t, e, _, s in film], [(*rest, 255 - s) for *rest, s in film]):
        assert "does not show the video's frames" in refusal(room._same_frames, walls, walls, wrong, "it")


def test_all_clips_or_none(found, tmp_path, monkeypatch):
    "A failure half way leaves nothing, nor does one who stops."
    clips, encode, calls = cut_clips(found, tmp_path / "cut"), room._encode, []
    def second_fails(*args):
        calls.append(1)
        if len(calls) % 2: return encode(*args)
        raise VfrError("the disk is made of cheese")
    with monkeypatch.context() as m:
        m.setattr(room, "_encode", second_fails)
        for place in ("new/deep", "cut"): assert "cheese" in refusal(cut_clips, found, tmp_path / place)
    stop = threading.Event(); stop.set()
    for exact in (True, False): assert refusal(cut_clips, found, tmp_path / "new", exact=exact, stop=stop) == "stopped"
    assert os.listdir(tmp_path) == ["cut"] and sorted(os.listdir(tmp_path / "cut")) == sorted(Path(c.path).name for c in clips)


def test_what_is_in_the_way(found, walls, tmp_path):
    (tmp_path / "way" / room._file_name(2, 2, moment_name(found[1]), 3.5)).mkdir(parents=True)
    assert "is in the way" in refusal(cut_clips, found, tmp_path / "way") and len(os.listdir(tmp_path / "way")) == 1
    assert "install ffmpeg" in refusal(run_ffmpeg, ["-version"], walls, program="/nowhere/ffmpeg")


def test_spans_that_are_none(found, tmp_path):
    assert "margin" in refusal(cut_clips, found, tmp_path, margin=-1)
    assert "nothing at" in refusal(cut_clips, [replace(found[0], start=60, end=61)], tmp_path)
    for wrong in (dict(start=4, end=2), dict(end=float("nan"))):
        assert "start <= end" in refusal(cut_clips, [replace(found[0], **wrong)], tmp_path)


# timelines

@pytest.fixture(scope="module")
def wild(ntsc):
    title = '</name><script>alert(1)</script> "quoted"\n* FROM CLIP NAME: other'
    return Moments([Moment(str(ntsc), 1, 2, 1.5, .3, title=title), *[Moment(str(ntsc), .5, 1, .7, .2)] * 2])


def clips_in(text, adapter, **more):
    import opentimelineio as otio
    return list(otio.adapters.read_from_string(text, adapter_name=adapter, **more).find_clips())


def starts(clips): return [c.source_range.start_time.to_frames() for c in clips]


def test_edits_are_read_back(wild, ntsc):
    for back in (clips_in(to_edl(wild), "cmx_3600", rate=NTSC), clips_in(to_fcp7(wild), "fcp_xml")):
        assert [c.name for c in back] == [f"{moment_name(m)} {hms(int(m.start))}" for m in wild] and starts(back) == [30, 15, 15]
        assert back[0].media_reference.target_url == Path(ntsc).as_uri()
    assert starts(clips_in(to_edl(wild, order="time"), "cmx_3600", rate=NTSC)) == [15, 15, 30]


def test_texts_of_edits(wild):
    xml, lines = to_fcp7(wild), to_edl(wild).splitlines()
    assert "<timebase>30</timebase>" in xml and "<ntsc>TRUE</ntsc>" in xml and "<script" not in xml
    assert "FCM: DROP FRAME" in lines and [e.split()[1] for e in lines if e[:3].isdigit()] == ["NTSC"] * 3
    reels = timelines._reels(["a/bl.mp4", "b/clip.mp4", "c/clip.mp4", "d/名.mp4", "e/a long name.mov"])
    assert list(reels.values()) == ["BL2", "CLIP", "CLIP2", "REEL", "ALONGNAM"]


def test_an_hour_of_drop_frame():
    "Frames are counted, not digits."
    import opentimelineio as otio
    long = otio.opentime.RationalTime(round(3725.5 * NTSC), NTSC)
    assert otio.opentime.from_timecode(long.to_timecode(), NTSC) == long


def test_two_rates_in_one_list(found, folder):
    "A video of 12 frames per second beside one of 30: said; each clip right to a frame of its own."
    twelve = make_clip(folder / "black bars é.mp4", [("red", 2)], fps=12)
    mixed = [found[0], Moment(str(twelve), .5, 1.5, 1, .1)]
    for f, adapter, more in ((to_edl, "cmx_3600", dict(rate=30)), (to_fcp7, "fcp_xml", {})):
        text, said = heard(f, mixed)
        spans = [(c.source_range.start_time, c.source_range.end_time_exclusive()) for c in clips_in(text, adapter, **more)]
        assert [tuple(round(t.to_seconds(), 3) for t in s) for s in spans] == [(2, 4), (.5, 1.5)]
        assert len(said) == 1 and "12 frames per second" in said[0]


@pytest.mark.parametrize("f", [to_edl, to_fcp7])
def test_edits_that_cannot_be_written(found, f, tmp_path):
    assert "no moments" in refusal(f, []) and "order" in refusal(f, found, order="best") and "is a link" in refusal(f, link)
    for path, told in ((tmp_path, "is a folder"), (tmp_path / f"{'x' * 300}.txt", "cannot be"), ("a\0b", "cannot be")):
        assert told in refusal(f, found, path)
    assert f(found, f"{tmp_path}/edits.txt").read_text() == f(found)


@pytest.mark.parametrize("rate, begins, edl, first", [
    ("30000/1001", "01:00:00;00", ["01:00:59;28", "01:01:02;00"], 1798),
    ("30000/1001", "01:00:00:00", ["01:00:59:28", "01:01:01:28"], 1798),
    ("60000/1001", "10:00:00;00", ["10:00:59;56", "10:01:02;00"], 3596),
    ("25", "10:00:00:00", ["10:01:00:00", "10:01:02:00"], 1500)])
def test_a_camera_that_begins_by_its_own_clock(rate, begins, edl, first, tmp_path):
    "With and without drop: both lists count from there, and the XML says size, rate and timecode; a clip goes on with the clock."
    import opentimelineio as otio
    from xml.etree import ElementTree
    path = tmp_path / "camera.mov"
    run_ffmpeg(["-f", "lavfi", "-i", f"testsrc2=s=32x18:r={rate}:d=63", "-timecode", begins, "-preset", "ultrafast", path], path)
    minute = [Moment(str(path), 60, 62, 60, .4)]
    assert to_edl(minute).splitlines()[3].split()[4:6] == edl
    xml = ElementTree.fromstring(to_fcp7(minute))
    for place in (".//sequence/media/video/format/samplecharacteristics", ".//file/media/video/samplecharacteristics"):
        shape, base = xml.find(place), {"30000/1001": "30", "60000/1001": "60"}.get(rate, rate)
        assert (shape.findtext("width"), shape.findtext("height"), shape.findtext("rate/timebase")) == ("32", "18", base)
    assert xml.findtext(".//file/timecode/string") == begins and xml.findtext(".//clipitem/in") == str(first)
    assert xml.findtext(".//file/timecode/displayformat") == ("DF" if ";" in begins else "NDF")
    back, = clips_in(to_fcp7(minute), "fcp_xml")
    at = back.source_range.start_time
    assert at - back.available_range().start_time == otio.opentime.RationalTime(first, at.rate)
    for exact in (True, False) if rate == "30000/1001" else ():
        c = cut(path, 60, 62, tmp_path, exact=exact)
        assert probe(c.path).timecode == timecode_at(probe(c.video), c.start)


# by suffix

@pytest.fixture(scope="module")
def odd(walls, folder):
    "Two films of one name, which is none for the faint of heart, and a title of 300 characters."
    films = [folder / place / "it's 🎬 \"ünï\" & <x>; |#=%.mp4" for place in "ab"]
    for f in films: f.parent.mkdir(exist_ok=True); f.write_bytes(walls.read_bytes())
    long = "a/b\\c \"q\" | --> <i>%%[[" + "🎬" * 300
    return Moments([Moment(str(films[0]), 2, 4, 3, .3, .001, title=long, evidence=("seen", "said"), text=long),
                    Moment(str(films[1]), 1, 2, 1.5, .1, .4, text="=1+1")])


def test_odd_names_in_timelines(odd, tmp_path):
    from xml.etree import ElementTree
    query = "a / \"b\" <c> " + "x" * 300
    assert odd.export(tmp_path / "all.mlt", query).read_text().count("<entry") == 2
    for suffix, adapter in ((".otio", "otio_json"), (".xml", "fcp_xml"), (".edl", "cmx_3600")):
        path = odd.export(tmp_path / f"all{suffix}", query)
        back = clips_in(path.read_text(), adapter, **(dict(rate=30) if suffix == ".edl" else {}))
        assert starts(back) == [60, 30] and all(c.name.startswith('a / "b" <c> x') for c in back)
        assert [c.media_reference.target_url for c in back] == [Path(m.video).as_uri() for m in odd]
        if suffix == ".edl": assert len({c.metadata["cmx_3600"]["reel"] for c in back}) == 2
        else: assert [c.markers[0].marked_range.start_time.value for c in back] == [90, 45]
    tree = ElementTree.parse(odd.export(tmp_path / "all.fcpxml", query))
    assert [a.find("media-rep").get("src") for a in tree.iter("asset")] == [Path(m.video).as_uri() for m in odd]
    assert [m.get("note").split(":")[0] for m in tree.iter("marker")] == ["found, p 0.001, seen + said", "maybe, p 0.4, seen"]


def test_odd_names_in_marks_and_chapters(odd, tmp_path):
    one = Moments(odd[:1])
    titles = set()
    for suffix, form in ((".ffmetadata", "ffmetadata"), (".mkv", None)):
        with av.open(str(one.export(tmp_path / f"one{suffix}")), format=form) as c: chapter, = c.chapters()
        titles.add(chapter["metadata"]["title"])
        assert (chapter["start"] * chapter["time_base"], chapter["end"] * chapter["time_base"]) == (2, 4)
    assert len(titles) == 1 and titles.pop().startswith('a/b\\c "q" | --> <i>%%[[🎬')
    assert one.export(tmp_path / "one.vtt").read_text().count("-->") == 1 and "--&gt; &lt;i&gt;" in (tmp_path / "one.vtt").read_text()
    assert one.export(tmp_path / "one.markers.edl").read_text().count("|") == 3
    row, = csv.DictReader(io.StringIO(Moments(odd[1:]).export(tmp_path / "one.markers.csv").read_text()))
    assert row["Description"].startswith("maybe") and row["In"] == "00:00:01:00"
    assert one.export(tmp_path / "one.chapters.xml").read_text().count("<ChapterAtom>") == 1
    for suffix in (".vtt", ".mkv", ".kodi.edl", ".markers.csv"): assert "several videos" in refusal(odd.export, tmp_path / f"all{suffix}")
    assert not list(tmp_path.glob("*all*"))


def test_notes(odd, tmp_path):
    seen = Moments(replace(m, image=np.zeros((9, 16, 3), np.uint8)) for m in odd)
    page = seen.export(tmp_path / "cat.md", "a *cat*")
    assert page.read_text().startswith("# a \\*cat\\*\n") and len(list((tmp_path / "cat pictures").iterdir())) == 2
    assert "https://youtu.be/abc?t=2>" in Moments(birthday).export(tmp_path / "links.md").read_text()
    (tmp_path / "dog pictures").mkdir()
    assert "is in the way" in refusal(seen.export, tmp_path / "dog.md")


def test_what_is_there_stays(odd, walls, tmp_path):
    (tmp_path / "a.edl").write_text("mine")
    assert "--force" in refusal(odd.export, tmp_path / "a.edl") and (tmp_path / "a.edl").read_text() == "mine"
    assert "TITLE" in odd.export(tmp_path / "a.edl", force=True).read_text()
    film = tmp_path / "film.mkv"
    film.write_bytes(walls.read_bytes())
    assert "the film itself" in refusal(Moments([Moment(str(film), 1, 2, 1, .3)]).export, film, force=True)
    assert film.read_bytes() == walls.read_bytes()


def test_exports_that_are_none(odd, tmp_path):
    gone = Moments([replace(odd[0], video=str(tmp_path / "gone.mp4"))])
    for suffix in (".otio", ".fcpxml", ".mlt", ".edl", ".xml", ".markers.edl", ".markers.csv", ".vtt", ".mkv", ".kodi.edl", ".chapters.xml"):
        assert "does not exist" in refusal(gone.export, tmp_path / f"a{suffix}")
        assert "no moments" in refusal(Moments().export, tmp_path / f"a{suffix}")
    assert "an option 'handle'" in refusal(odd.export, tmp_path / "a.edl", handle=2)
    assert "handles" in refusal(odd.export, tmp_path / "a.edl", handles=-1)
    for name in ("a", "a.docx", ".edl"): assert "does not say" in refusal(odd.export, tmp_path / name)
    assert "cannot be" in refusal(odd.export, tmp_path / f"{'x' * 300}.edl")
    assert "not a timecode" in refusal(to_resolve_markers, odd[:1], begins="1:00")
    assert os.listdir(tmp_path) == []


def test_a_folder_that_may_not_be_written(odd, tmp_path, monkeypatch):
    "Root may write everywhere: then the system's answer is played."
    if os.geteuid() == 0: monkeypatch.setattr(os, "access", lambda path, mode, *a, **k: mode != os.W_OK)
    tmp_path.chmod(0o555)
    try:
        for suffix in (".otio", ".mlt", ".md", ".mkv"): assert "may not write" in refusal(Moments(odd[:1]).export, tmp_path / f"a{suffix}")
        assert os.listdir(tmp_path) == []
    finally: tmp_path.chmod(0o755)


def test_handles_stay_in_the_film(found, tmp_path):
    import opentimelineio as otio
    clip = otio.adapters.read_from_file(str(found.export(tmp_path / "a.otio", handles=3))).find_clips()[0]
    assert (clip.source_range.start_time.value, clip.source_range.duration.value) == (0, 180) and clip.markers[0].marked_range.start_time.value == 90


def test_several_rates_in_fcpxml(found, ntsc):
    "Each clip begins on its own film's frame; places are frames of the sequence."
    from fractions import Fraction
    from xml.etree import ElementTree
    mixed = Moments([found[0], Moment(str(ntsc), 0.5005, 1.001, .6, .3)])
    a, b = ElementTree.fromstring(to_fcpxml(mixed)).iter("asset-clip")
    time = lambda e, k: Fraction(e.get(k).rstrip("s"))
    assert time(a, "start") == 2 and time(a, "duration") == 2 == time(b, "offset")
    assert time(b, "start") == Fraction(15 * 1001, 30000) and time(b, "duration") == Fraction(1, 2)
    assert b.find("conform-rate").get("srcFrameRate") == "29.97" and a.find("conform-rate") is None


def test_reels_of_cameras(folder):
    path = folder / "clip.mov"
    run_ffmpeg(["-f", "lavfi", "-i", "testsrc2=s=32x18:r=25:d=2", "-timecode", "10:00:00:00", "-metadata:s:v:0", "reel_name=A001_C3", path], path)
    assert to_edl([Moment(str(path), 1, 2, 1, .3)]).splitlines()[3].split()[1:5:3] == ["A001C3", "10:00:01:00"]


def test_rates_that_vary_are_said(folder):
    vary = make_clip(folder / "vary.mp4", [("red", 2), ("blue", 2)], fps=25, size=(64, 36), retime=lambda t: t / 2 + t * t / 5)
    (_, said) = heard(to_edl, [Moment(str(vary), 1, 2, 1, .3)])
    assert len(said) == 1 and "not evenly" in said[0]


def test_edits_of_a_library_begin_with_the_shot(tmp_path):
    "A library looks at a frame every few seconds; what is for editors is read to the frame."
    import opentimelineio as otio
    from helpers import in_process
    from vfr_lib.library.library import Library
    Library(tmp_path / "films", every=2).add(sample_clip(tmp_path / "sample.mp4"))
    r = in_process("export", tmp_path / "films", "a motorcycle", "--top", "1", "--to", tmp_path / "a.otio")
    assert r.returncode == 0, r.stderr
    clip, = otio.adapters.read_from_file(str(tmp_path / "a.otio")).find_clips()
    assert (clip.source_range.start_time.to_seconds(), clip.source_range.duration.to_seconds()) == (15, 5)
    r = in_process("search", tmp_path / "films", "a motorcycle", "--top", "1", "--edl", tmp_path / "a.edl")
    assert "00:00:15:00 00:00:20:00" in (tmp_path / "a.edl").read_text(), r.stderr


# other programs and published schemas

@pytest.mark.parametrize("rate, begins", [("24000/1001", "01:00:00:00"), ("30000/1001", "00:00:58;00"), ("50", None)])
def test_melt_plays_these_frames(rate, begins, odd, folder):
    "MLT's own player renders the project: every frame that was asked for and no other, of films of any name."
    if not shutil.which("melt"): pytest.skip("melt is not installed")
    from fractions import Fraction
    bars = lambda n: np.tile(np.array([255 * (n >> k & 1) for k in range(8)], np.uint8).repeat(8)[None, :, None], (36, 1, 3))
    raw = make_clip(folder / "raw.mov", [(bars(n), 1 / Fraction(rate)) for n in range(70)], fps=Fraction(rate), size=(64, 36), camera=False)
    film = folder / f"what? {Path(odd[0].video).stem} a:b.mov"
    run_ffmpeg([*ffmpeg_input(raw), "-c", "copy", *(["-timecode", begins] if begins else []), film], raw)
    spans, times = [(1, 2), (31, 58), (7, 30), (61, 67)], [*frame_times(film, 1e-3)]
    project = Moments(Moment(str(film), times[a], times[b], times[a], .3, title=odd[0].title) for a, b in spans).export(folder / "all.mlt", "a / \"b\" <c>", force=True)
    subprocess.run(["melt", "-silent", project, "-consumer", f"avformat:{folder}/all.mkv", "vcodec=ffv1", "an=1", "real_time=0", "threads=1", "terminate_on_pause=1"], check=True, capture_output=True, timeout=60)
    with av.open(str(folder / "all.mkv")) as c:
        shown = [sum((f.to_ndarray(format="gray")[18, 8 * k + 4] > 128) << k for k in range(8)) for f in c.decode(video=0)]
    assert shown == [n for a, b in spans for n in range(a, b)]


SCHEMAS = {".mlt": "/usr/share/mlt-7/xml/mlt-xml.dtd", ".chapters.xml": "/usr/share/doc/mkvtoolnix/examples/matroskachapters.dtd",
           ".fcpxml": os.path.join(os.environ.get("VFR_DATA", "/nowhere"), "dtd/FCPXMLv1_10.dtd")}   # where Debian's packages, and who has Final Cut Pro, have them

@pytest.mark.parametrize("suffix", SCHEMAS)
def test_published_schemas(suffix, odd, tmp_path):
    if not shutil.which("xmllint") or not os.path.isfile(SCHEMAS[suffix]): pytest.skip(f"no xmllint, or no {os.path.basename(SCHEMAS[suffix])}")
    mended = Path(SCHEMAS[suffix]).read_text().replace("<!ELEMENT properties property >", "<!ELEMENT properties (property | properties)* >")   # MLT's is no DTD there
    (tmp_path / "its.dtd").write_text(mended)
    path = Moments(odd[:1] if suffix == ".chapters.xml" else odd).export(tmp_path / f"all{suffix}", 'a / "b" <c>')
    r = subprocess.run(["xmllint", "--noout", "--dtdvalid", tmp_path / "its.dtd", path], capture_output=True, text=True)
    assert r.returncode == 0, r.stderr


def test_fcpxml_has_what_its_description_allows(odd, found, ntsc):
    "Elements in their order and attributes of FCPXML 1.10, as far as they are used."
    from xml.etree import ElementTree
    allowed = {"fcpxml": ("resources library", "version"), "resources": ("(format|asset)*", ""), "format": ("", "id frameDuration width height"),
               "asset": ("(media-rep)+", "id name start duration hasVideo format"), "media-rep": ("", "kind src"), "library": ("(event)*", ""), "event": ("(project)*", "name"),
               "project": ("sequence", "name"), "sequence": ("spine", "format duration tcStart tcFormat"), "spine": ("(asset-clip)*", ""), "note": ("", ""),
               "asset-clip": ("(note)?(conform-rate)?(marker)*", "ref format name offset start duration tcFormat"),
               "conform-rate": ("", "scaleEnabled srcFrameRate"), "marker": ("", "start duration value note completed")}
    root = ElementTree.fromstring(to_fcpxml(Moments([*odd, *found, Moment(str(ntsc), 0.5005, 1.001, .6, .3)])))
    ids = {e.get("id") for e in root.iter() if e.get("id")}
    for e in root.iter():
        children, attributes = allowed[e.tag]
        assert re.fullmatch(children.replace(" ", ""), "".join(c.tag for c in e)) and {*e.keys()} <= {*attributes.split()}, e.tag
        assert {e.get("ref", "f1"), e.get("format", "f1")} <= ids and e.get("srcFrameRate", "25") in "23.98 24 25 29.97 30 50 59.94 60".split()
        for k in ("start", "duration", "offset", "frameDuration"): assert re.fullmatch(r"\d+(/\d+)?s", e.get(k, "0s"))
    assert [m.get("completed") for m in root.iter("marker")][:2] == [None, "0"]


# a page

def test_pages_that_are_none(tmp_path):
    assert "pictures=True" in refusal(to_html, birthday, tmp_path / "none.html") and not (tmp_path / "none.html").exists()
    assert "Nothing was found" in to_html([], tmp_path / "empty.html").read_text()


@pytest.mark.parametrize("f", [to_csv, to_json, to_html])
def test_places_that_are_none(f, tmp_path):
    seen = [replace(m, image=np.zeros((9, 16, 3), np.uint8)) for m in birthday]
    assert "is a folder" in refusal(f, seen, tmp_path) and "cannot be" in refusal(f, seen, "x" * 300)


# names

def test_names_of_before():
    import vfr_lib, vfr_lib.export, vfr_lib.export.formats as formats
    from vfr_lib.export.formats import to_csv as same
    assert same is to_csv is vfr_lib.to_csv is vfr_lib.export.to_csv is formats.to_csv
    old = """link_at to_csv to_json to_chapters label_scores auto_chapters ffmpeg_input run_ffmpeg edit_rate start_timecode
             timecode_text timecode_at Clip cut_clips to_edl to_fcp7 to_html"""
    assert all(hasattr(formats, name) and hasattr(vfr_lib.export, name) for name in old.split())
