"The `vfr` command as a user starts it: right answers, bad input, nothing left behind."
import json, os, sys
from pathlib import Path

import av
import numpy as np
import pytest
from forks import forked
from helpers import bin, command
from vfr_lib.media.download import PracticeServer
from vfr_lib.media.synthetic import brick_wall, make_clip, sample_clip


@pytest.fixture(scope="module")
def folder(tmp_path_factory): return tmp_path_factory.mktemp("cli")


@pytest.fixture(scope="module")
def walls(folder): return make_clip(folder / "walls.mp4", [(brick_wall("red"), 2), (brick_wall("blue"), 2)], camera=False)


def sound(path, video=None):
    "A second of silence as an .m4a, or beside a video that declares zero frames."
    with av.open(str(path), "w") as out:
        s = out.add_stream("aac", rate=44100, layout="mono")
        for i in range(44):
            f = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            f.rate, f.pts = 44100, i * 1024
            out.mux(s.encode(f))
        out.mux(s.encode())
    return path


@pytest.mark.parametrize("query, scene", [("a cat", 10), ("a cup of coffee on a table", 5), ("a woman astronaut smiling", 0), ("a motorcycle", 15)])
def test_sample_has_known_answers(vfr, query, scene):
    r = vfr("find", "sample", query, "--json")
    assert r.returncode == 0 and r.stderr == "", r.stderr
    best = json.loads(r.stdout)[0]
    assert set(best) == {"video", "start", "end", "time", "score", "p_value"}
    assert scene <= best["start"] <= best["time"] < scene + 5 and scene < best["end"] <= scene + 6


@pytest.mark.quick
def test_table(vfr):
    r = vfr("find", "sample", "a cat", "--top", "2")
    lines = r.stdout.splitlines()
    assert r.returncode == 0 and r.stderr == "" and lines[0].split() == ["rank", "start", "best", "end", "score", "p", "file"] and len(lines) == 3


def test_html_page_is_self_contained(vfr, walls, folder):
    page = folder / "page.html"
    r = vfr("find", walls, "<script>alert('a blue wall')</script>", "--html", page)
    text = page.read_text()
    assert r.returncode == 0 and "data:image/jpeg;base64," in text and "<script" not in text and "0:02.0" in text


@pytest.mark.quick
def test_frames_agree_with_a_full_decode(vfr, folder):
    clip = make_clip(folder / "late.ts", [("red", 2), ("blue", 2)], fps=25, retime=lambda t: t + 7.3)
    with av.open(str(clip)) as c:
        zero = min(s.start_time * s.time_base for s in c.streams)
        shown = [float(f.pts * f.time_base - zero) for f in c.decode(video=0)]
    r = vfr("frames", clip, "--every", "0.5", "--json")
    expected = [next(t for t in shown if t >= k / 2) for k in range(8)]
    assert np.abs(np.array(json.loads(r.stdout)) - expected).max() < 1e-6


def test_sample_is_written_and_never_half(vfr, folder):
    assert vfr("sample", folder / "s.mp4").returncode == 0
    assert (folder / "s.mp4").read_bytes() == Path(sample_clip()).read_bytes()
    for bad in (folder / "no" / "s.mp4", folder / "s.txt", folder):
        r = vfr("sample", bad)
        assert r.returncode == 2 and r.stderr.count("\n") == 1, r.stderr
    cut = folder / "cut"; cut.mkdir()
    code = f"import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000)); from vfr_lib.cli import main; sys.exit(main(['sample', {str(cut / 's.mp4')!r}]))"
    r = command(sys.executable, "-c", code)
    assert r.returncode in (1, 2) and r.stderr.count("\n") == 1 and "Traceback" not in r.stderr and os.listdir(cut) == []


def test_progress_stays_off_a_pipe(vfr, walls):
    r = vfr("find", walls, "a red wall")
    assert r.returncode == 0 and r.stderr == ""


def test_export_of_a_library(vfr, walls, tmp_path):
    "To every file that is named; a film that is gone is told in a line."
    film = tmp_path / "films" / "red 'n' blue.mp4"
    film.parent.mkdir()
    film.write_bytes(walls.read_bytes())
    vfr("add", tmp_path / "lib", film)
    ask = ["export", tmp_path / "lib", "a blue wall", "--top", "1", "--to", tmp_path / "a.otio"]
    r = vfr(*ask, "--to", tmp_path / "a.vtt")
    assert r.returncode == 0 and r.stderr.count("wrote ") == 2 and film.as_uri() in (tmp_path / "a.otio").read_text(), r.stderr
    film.unlink()
    r = vfr(*ask, "--force")
    assert r.returncode == 2 and r.stderr.count("\n") == 1 and "does not exist" in r.stderr, r.stderr


def bad_files(folder, walls):
    (folder / "empty.mp4").touch()
    (folder / "letter.mp4").write_text("Dear reader")
    (folder / "cut.mp4").write_bytes(Path(walls).read_bytes()[:600])
    sound(folder / "sound.m4a")
    return {"missing": folder / "gone.mp4", "folder": folder, "empty": folder / "empty.mp4", "text": folder / "letter.mp4", "no index": folder / "cut.mp4", "only sound": folder / "sound.m4a"}


@pytest.mark.quick
@pytest.mark.parametrize("case", ["missing", "folder", "empty", "text", "no index", "only sound"])
@pytest.mark.parametrize("verb", [["find", "a cat"], ["frames"]], ids=["find", "frames"])
def test_bad_file_is_one_line(vfr, folder, walls, case, verb):
    r = vfr(verb[0], bad_files(folder, walls)[case], *verb[1:])
    assert r.returncode == 2 and r.stdout == "" and r.stderr.count("\n") == 1 and r.stderr.startswith("vfr: "), r.stderr


@pytest.mark.quick
@pytest.mark.parametrize("args", [[""], ["a cat", "--every", "0"], ["a cat", "--every", "-1"], ["a cat", "--every", "nan"], ["a cat", "--every", "soon"], ["a cat", "--top", "0"],
                                  ["a cat", "--encoder", "embeded"], ["a cat", "--encoder", "nobody/nothing"], ["a cat", "--html", "/nowhere/page.html"], ["a cat", "--html", ""], ["a cat", "--tpo", "3"], []])
def test_bad_argument_is_one_line(vfr, walls, args):
    env = {**os.environ, "HF_HUB_OFFLINE": "1"}
    r = vfr("find", walls, *args, env=env)
    assert r.returncode == 2 and r.stdout == "" and r.stderr.count("\n") == 1, r.stderr
    if "nobody/nothing" in args: assert "embedded" in r.stderr


def test_long_query_says_it_was_cut(vfr, walls):
    r = vfr("find", walls, "a red wall and " * 60, "--json")
    assert r.returncode == 0 and json.loads(r.stdout) and "cut" in r.stderr and r.stderr.count("\n") == 1


def test_damaged_file_answers_and_says_so(vfr, folder):
    raw = bytearray(Path(sample_clip()).read_bytes())
    with av.open(str(sample_clip())) as c: where = next(p.pos for p in c.demux(video=0) if p.pts and p.pts * p.time_base > 2)
    raw[where + 8:where + 2000] = bytes(1992)   # in the first scene
    (folder / "damaged.mp4").write_bytes(raw)
    r = vfr("find", folder / "damaged.mp4", "a cat", "--json")
    assert r.returncode == 0 and 10 <= json.loads(r.stdout)[0]["time"] < 15 and "damaged" in r.stderr and r.stderr.count("\n") == 1, r.stderr


def test_picture_of_one_pixel(vfr, folder):
    from PIL import Image
    Image.new("RGB", (1, 1), "red").save(folder / "dot.png")
    assert vfr("frames", folder / "dot.png", "--json").stdout == "[0.0]\n"
    r = vfr("find", folder / "dot.png", "a red wall", "--json")
    assert r.returncode == 0 and json.loads(r.stdout) == [], r.stderr   # one colour shows nothing


def test_links(vfr, folder, walls):
    env = {**os.environ, "VFR_CACHE": str(folder / "cache")}
    with PracticeServer(folder) as server:
        (folder / "page.html").write_text("<html><p>nothing</p></html>")
        (folder / "fake.mp4").write_text("Please log in. " * 99)
        r = vfr("find", server.url("walls.mp4"), "a blue wall", "--json", env=env)
        assert r.returncode == 0 and json.loads(r.stdout)[0]["start"] == 2 and json.loads(r.stdout)[0]["video"] == server.url("walls.mp4"), r.stderr
        asked = len(server.log)
        assert vfr("frames", server.url("walls.mp4"), "--json", env=env).stdout == "[0.0, 1.0, 2.0, 3.0]\n" and len(server.log) == asked
        for link in (server.url("404"), server.url("page.html"), server.url("fake.mp4"), "http://127.0.0.1:9/a.mp4", "http://[half/a.mp4", "file:///etc/passwd"):
            r = vfr("frames", link, env=env)
            assert r.returncode == 2 and r.stdout == "" and r.stderr.count("\n") == 1 and link in r.stderr, r.stderr
        kept = [p.name for p in (folder / "cache/videos").iterdir() if p.is_dir()]
        assert len(kept) == 1   # the good one: what failed left nothing behind


def test_without_opencv_the_search_still_answers(vfr, folder, walls):
    shim = folder / "shim"; shim.mkdir()
    (shim / "cv2.py").write_text("raise ImportError('libGL.so.1: cannot open shared object file: No such file or directory')")
    env = {**os.environ, "PYTHONPATH": str(shim)}
    assert vfr("find", walls, "a blue wall", "--json", env=env).returncode == 0
    r = vfr("find", walls, "a blue wall", "--html", folder / "p.html", env=env)
    assert r.returncode == 2 and "opencv-python-headless" in r.stderr and r.stderr.count("\n") == 1 and not (folder / "p.html").exists()


def test_reader_that_leaves_early_is_no_crash(walls):
    r = command("bash", "-c", f"vfr frames {walls} --json | true; exit ${{PIPESTATUS[0]}}")
    assert r.returncode == 1 and r.stderr == "", r.stderr


@pytest.mark.parametrize("kind", ["clip", "siglip"])
def test_encoders_of_others(walls, tmp_path, kind):
    from vfr_lib.encoders.hub import save_toy_clip
    r = forked(bin / "vfr", "find", walls, "a red wall", "--encoder", save_toy_clip(tmp_path / kind, kind), "--json")
    assert r.returncode == 0 and json.loads(r.stdout) and r.stderr == "", r.stderr
