"Links to servers that misbehave: each ends in one line, in time, in little memory, and leaves nothing behind."
import json, os, sys, threading, time
from pathlib import Path

import numpy as np
import pytest
from helpers import bin, command, within
from vfr_lib.core import VfrError
from vfr_lib.media.download import download, public_link
from vfr_lib.media.synthetic import make_clip

sys.path.insert(0, str(Path(__file__).parent))
from server import WAYS, HostileServer, bomb

page, film = "html", "mp4"
EXPECTED = {   # path -> kinds of the error that are right, or `film` where there is one
    "endless-page": "size", "endless-chunks": "size", "endless-head": "network", "endless-line": "network", "endless-continue": "network", "gzip-page": "size",
    "deflate-page": "size", "gzip-twice": "size", "gzip-feed": "size", "strange-packing": "network|other", "gzip-error": "http", "many-tags": "no video|network|size|http",
    "json-page": "no video|network|size", "deep-json": "no video|network|size", "entities": "no video", "outer-entity": "no video", "dash-bomb": "no video", "bad-feed": "url",
    "drip-page": "network", "silence": "network", "loop": "http", "stairs": "http", "refresh": "no video|network", "to-file": "url", "to-ftp": "url", "to-data": "url",
    "to-script": "url", "to-option": "http|url", "page-of-file": "url", "hls-file": "url", "hls-key": "url", "hls-sample-key": "ffmpeg", "hls-map": "url", "hls-live": "live",
    "endless-key": "size", "endless-film": "size", "drip-film": "network", "gzip-film": "size|network", "huge-length": "size", "negative-length": "film", "worded-length": "film",
    "empty": "other|no video", "escapes": "http", "captions-page": "film", "captions-bomb": "film", "picture-page": "film"}
FILMS = {"negative-length", "worded-length", "huge-length", "endless-film", "drip-film", "gzip-film"}

CLIENT = """
import json, sys, threading, time
import psutil, vfr_lib.media.download as d
from vfr_lib.core import VfrError
d.PATIENCE, me, peak = 8, psutil.Process(), [0]
def watch():
    while True:
        try: peak[0] = max(peak[0], sum(p.memory_info().rss for p in (me, *me.children(recursive=True))))
        except psutil.Error: pass
        time.sleep(0.02)
threading.Thread(target=watch, daemon=True).start()
for line in sys.stdin:
    link, begun, peak[0] = line.strip(), time.monotonic(), 0
    try: said = ["film", d.download(link, sys.argv[1], max_bytes=30 << 20).path]
    except VfrError as e: said = [e.kind, str(e)]
    print(json.dumps([*said, peak[0] >> 20, time.monotonic() - begun]), flush=True)
"""

@pytest.fixture(scope="module")
def noise(tmp_path_factory):
    pixels = np.random.default_rng(0).integers(0, 255, (180, 320, 3), dtype=np.uint8)
    return [make_clip(tmp_path_factory.mktemp("noise") / "film.mp4", [(pixels[::step], n)], size=(320, 180)).read_bytes() for step, n in ((1, 4), (-1, 5))]

@pytest.fixture
def hostile(noise):
    with HostileServer(noise[0]) as server: yield server

def test_every_way_ends_in_one_line_in_little_memory(hostile, tmp_path):
    assert set(EXPECTED) <= {name.replace("_", "-") for name in WAYS} and len(EXPECTED) >= 25
    for kind, layers in ((31, 1), (15, 1), (31, 2)): bomb(kind, layers)   # made before, or the client thinks that the server is silent
    links = [hostile.url(f"{name}.{film if name in FILMS else page}") for name in EXPECTED]
    half = [links[i::2] for i in range(2)]
    done = [None, None]
    def run(i): done[i] = command(sys.executable, "-c", CLIENT, tmp_path / f"kept{i}", input="\n".join(half[i]) + "\n", timeout=240)
    threads = [threading.Thread(target=run, args=(i,)) for i in range(2)]
    for t in threads: t.start()
    for t in threads: t.join()
    for i in range(2):
        assert done[i].returncode == 0, done[i].stderr
        for link, line in zip(half[i], done[i].stdout.splitlines(), strict=True):
            kind, said, mib, seconds = json.loads(line)
            name = link.rpartition("/")[2].rpartition(".")[0]
            assert kind in EXPECTED[name].split("|"), (name, kind, said)
            assert mib < 700 and seconds < 25, (name, mib, seconds)
            assert "\n" not in said and "\x1b" not in said and "Traceback" not in said
    left = [p.name for i in range(2) for p in (tmp_path / f"kept{i}").rglob("*") if p.is_file() and p.stat().st_size > 1 << 20]
    assert not left, "what was refused is gone"

def test_cancel_ends_a_bomb_within_a_second(hostile):
    for name in ("endless-continue.html", "drip-page.html", "silence.html"):
        def cancelled():
            stop, others = threading.Event(), set(threading.enumerate())
            threading.Timer(1.5, stop.set).start()
            begun = time.monotonic()
            with pytest.raises(VfrError, match="cancelled"): download(hostile.url(name), stop=stop)
            assert not [t for t in threading.enumerate() if t not in others and not isinstance(t, threading.Timer) and "process_request" not in t.name]
            return time.monotonic() - begun
        within(2.5, cancelled)

@pytest.mark.parametrize("before, after, same", [   # what the server says of the first file, of the second, and whether it is the same
    (dict(etag='"1"'), dict(etag='"2"', honest=True), False), (dict(etag='"1"'), dict(etag='"2"'), False), (dict(modified="Wed, 01 Jan 2020 00:00:00 GMT"), dict(modified="Fri, 01 Jan 2021 00:00:00 GMT"), False),
    ({}, {}, False), (dict(etag='W/"1"'), dict(etag='W/"1"'), False), ({}, {}, "size"), (dict(etag='"1"'), dict(etag='"1"', honest=True), True), ({}, {}, True)])
def test_a_resumed_download_is_never_glued(hostile, noise, tmp_path, before, after, same):
    hostile.state.update(before, stalls=True)
    stop, link = threading.Event(), hostile.url("stall.mp4")
    with pytest.raises(VfrError): download(link, tmp_path, progress=lambda p: p["bytes"] > len(noise[0]) // 3 and stop.set(), stop=stop)
    assert list(tmp_path.glob("*/*.part")), "half of it is kept"
    hostile.state.clear()
    hostile.state.update(after)
    hostile.film = {True: noise[0], "size": bytes(reversed(noise[0])), False: noise[1]}[same]
    asked = len(hostile.log)
    assert Path(download(link, tmp_path).path).read_bytes() == hostile.film
    if same is True: assert all(h.get("range") for verb, _, h in hostile.log[asked + 1:] if verb == "GET"), "only the rest was asked for"

def test_secrets_of_a_link_are_nowhere(hostile, tmp_path):
    env = os.environ | {"VFR_CACHE": str(tmp_path / "cache")}
    link = hostile.url("film.mp4").replace("//", "//alice:s3cret@") + "?token=TOPSECRET&sig=HIDDEN1&v=7"
    vfr = lambda *args: command(bin / "vfr", *args, env=env)
    told = [vfr("add", tmp_path / "lib", link), vfr("add", tmp_path / "lib", link), vfr("videos", tmp_path / "lib"), vfr("find", link, "noise", "--html", tmp_path / "page.html"),
            vfr("find", link.replace("film", "404"), "noise"), vfr("find", public_link(link), "noise")]
    assert [r.returncode for r in told][:3] == [0, 0, 0] and "is there already" in told[1].stdout
    assert "404" in told[4].stderr and "lost its secret" not in told[5].stderr
    texts = [r.stdout + r.stderr for r in told] + [(tmp_path / "page.html").read_text()] + [p.read_bytes().decode("latin-1") for p in (tmp_path / "lib").rglob("*") if p.is_file()]
    assert not [word for word in ("s3cret", "TOPSECRET", "HIDDEN1") for text in texts if word in text]
    (note,) = (tmp_path / "cache").glob("videos/*/video.json")
    assert note.stat().st_mode & 0o077 == 0 and not list((tmp_path / "cache").glob("videos/*.lock"))
    assert {h.get("authorization") is not None for _, path, h in hostile.log if "film" in path} == {True}
