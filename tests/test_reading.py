"What is written on the screen: bad input, a reader that is missing, and what a sudden end leaves."
import json, os, signal, subprocess, sys, textwrap, threading, time

import numpy as np
import pytest
from helpers import command, fresh_cache
from PIL import Image, ImageDraw, ImageFont

from vfr_lib.core import VfrError
from vfr_lib.media.synthetic import make_clip
from vfr_lib.search.ocr import Look, TextLine, known_text, looks_at, read_text, spans_written
from vfr_lib.search.written import WrittenEvidence, written_dicts


def slide(*lines, size=(640, 360), turned=0):
    picture = Image.new("RGB", size, "white")
    for i, text in enumerate(lines):
        ImageDraw.Draw(picture).text((40, 30 + 60 * i), text, fill="black", font=ImageFont.truetype("DejaVuSans.ttf", 30))
    return picture.rotate(turned)


class Reader:
    "Reads the grey of a picture; counts what it reads."
    def __init__(self, name=None): self.name, self.reads = name or f"grey {time.time()}", 0
    def glance(self, image): return image.mean() > 20
    def read(self, image):
        self.reads += 1
        return [TextLine(f"grey {int(image.mean()) // 10}", (0, 0, 1, 0.1), 0.9)]


@pytest.fixture(scope="module")
def talk(tmp_path_factory):
    path = tmp_path_factory.mktemp("talk") / "talk.mp4"
    return make_clip(path, [(slide("Gradient descent", "the loss falls"), 3), ("black", 2), (slide("Momentum"), 3)], fps=4, size=(640, 360), camera=False)


def test_the_shell_reads_on_request(vfr, talk, tmp_path):
    ask = lambda *more, **kw: vfr("find", talk, "momentum", "--json", *more, **kw)
    env = os.environ | {"VFR_CACHE": str(fresh_cache(tmp_path / "cache"))}
    assert not any("written" in m.get("evidence", []) for m in json.loads(ask(env=env).stdout))
    best = json.loads(ask("--read", env=env).stdout)[0]
    assert "written" in best["evidence"] and (best["start"], best["end"], best["text"]) == (5, 8, "Momentum")
    again = json.loads(ask("--no-speech", env=env).stdout)[0]   # read before: searched without being named
    assert "written" in again["evidence"]


def test_without_the_extra_the_rest_goes_on(talk, tmp_path):
    code = f"import sys; sys.modules['rapidocr'] = None; from vfr_lib.cli import main; sys.exit(main(['find', {str(talk)!r}, 'a cat', '--read']))"
    r = command(sys.executable, "-c", code, env=os.environ | {"VFR_CACHE": str(fresh_cache(tmp_path / "cache"))})
    assert r.returncode == 0 and r.stderr.count("\n") == 1 and 'pip install "vfr_lib[ocr]"' in r.stderr and "0:0" in r.stdout, r


def test_noise_darkness_and_text_on_its_head(tmp_path):
    noise = [(np.random.default_rng(k).integers(0, 255, (180, 320, 3), np.uint8), 1) for k in range(3)]
    odd = make_clip(tmp_path / "odd.mp4", [*noise, ("black", 1), (slide("Gradient descent", turned=180).resize((320, 180)), 1)], fps=2, camera=False)
    assert not any("gradient" in w.text.lower() for w in read_text(odd))


def test_frames_of_4k(tmp_path):
    large = make_clip(tmp_path / "large.mp4", [(slide("Chapter two").resize((3840, 2160)), 1)], fps=1, size=(3840, 2160), camera=False)
    assert [w.text for w in read_text(large)] == ["Chapter two"]


def test_cancelled_after_the_picture_that_is_read(talk):
    class Stopping(Reader):
        def read(self, image):
            stop.set()
            return super().read(image)
    stop, reader = threading.Event(), Stopping()
    with pytest.raises(VfrError, match="stopped"): read_text(talk, reader=reader, stop=stop)
    assert reader.reads == 1 and known_text(talk, reader=reader) is None


def test_killed_in_the_middle_nothing_is_read_again(tmp_path):
    film = make_clip(tmp_path / "film.mp4", [((20 * k + 30,) * 3, 1) for k in range(10)], fps=2, size=(64, 36), camera=False)
    child = textwrap.dedent(f"""
        import os, signal
        from vfr_lib.search.ocr import TextLine, read_text
        class Reader:
            name, reads = "killed", 0
            def glance(self, image): return True
            def read(self, image):
                self.reads += 1
                if self.reads == 6: os.kill(os.getpid(), signal.SIGKILL)
                return [TextLine(f"grey {{int(image.mean()) // 10}}", (0, 0, 1, 0.1), 0.9)]
        read_text({str(film)!r}, reader=Reader(), keep_every=0)
    """)
    env = os.environ | {"VFR_CACHE": str(tmp_path / "cache")}
    assert subprocess.run([sys.executable, "-c", child], env=env).returncode == -signal.SIGKILL
    rest = child.replace("self.reads == 6", "self.reads == 60").replace("read_text(", "reader = Reader(); found = read_text(").replace("reader=Reader()", "reader=reader")
    r = command(sys.executable, "-c", rest + "print(reader.reads, len(found))", env=env)
    assert r.stdout.split() == ["5", "10"] and not list((tmp_path / "cache/text").glob(".*")), r


def test_unchanged_frames_are_not_read(talk):
    reader = Reader()
    read_text(talk, reader=reader)
    assert reader.reads == 2


def test_screens_are_the_lines_that_stand_together():
    looks = [Look(0, (TextLine("a slide", (0, 0, 1, .1), .9),)), Look(2, (TextLine("a slide", (0, 0, 1, .1), .8), TextLine("and more", (0, .2, 1, .3), .9))), Look(5, ())]
    rows = written_dicts(spans_written(looks, 6))
    assert [(r["start"], r["end"], r["text"]) for r in rows] == [(0, 5, "a slide"), (2, 5, "and more"), (2, 5, "a slide\nand more")]


def test_damaged_rows_of_the_cache_are_read_anew(talk, tmp_path, monkeypatch):
    monkeypatch.setenv("VFR_CACHE", str(tmp_path))
    reader = Reader()
    whole = read_text(talk, reader=reader)
    [place] = (tmp_path / "text").iterdir()
    for damage in ("", "{", "[]", '{"looks": [[1, [["a"]]]], "until": 9, "whole": true}', '{"looks": 3, "until": 1, "whole": true}'):
        place.write_text(damage)
        with pytest.warns(match="damaged"): assert read_text(talk, reader=reader) == whole


def test_a_library_reads_on_request_and_encodes_nothing_anew(vfr, talk, tmp_path):
    lib = tmp_path / "lib"
    assert vfr("add", lib, talk).returncode == 0
    asked = lambda: json.loads(vfr("search", lib, "the loss falls", "--json").stdout)
    assert not any("written" in m.get("evidence", []) for m in asked())
    report = json.loads(vfr("add", lib, "--read", "--json").stdout)
    assert report["encoded"] == 0 and not report["added"] and "on screen read" in report["captions"][0][1]
    best = asked()[0]
    assert "written" in best["evidence"] and (best["start"], best["end"]) == (0, 3)
    again = vfr("add", lib, "--read")
    assert "is there already" in again.stdout and "on screen" not in again.stdout
    bare = vfr("add", lib)
    assert bare.returncode == 2 and bare.stderr.count("\n") == 1 and "VIDEO" in bare.stderr
    (best,) = json.loads(vfr("search", lib, "momentun", "--evidence", "written", "--json").stdout)
    assert (best["start"], best["text"]) == (5, "Momentum")
