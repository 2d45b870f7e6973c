"What agents are told of a library: the SDK's own client asks `vfr mcp` over standard input and output."
import base64, os, signal, subprocess, sys, time
from pathlib import Path

import numpy as np
import pytest
from helpers import bin, in_process
from vfr_lib.library.library import Library
from vfr_lib.media.frames import frame_times
from vfr_lib.media.synthetic import make_clip, sample_clip

mcp = pytest.importorskip("mcp.server.mcpserver", reason="the extra agents is not installed")
from anyio.from_thread import start_blocking_portal   # of the SDK's own requirements
from mcp import Client, StdioServerParameters, stdio_client
from vfr_lib.ui.agents import MOST_BYTES, server_of

THINGS = "copper kettle,wooden spoon,silver fork,clay oven,paper napkin,glass jar,steel knife,velvet chair".split(",")
DOINGS = "goes under,lies behind,fell from,belongs beside,hangs above,rolls towards,leans against,sinks below,rests inside,stays near,drops off,stands before".split(",")
SPOKEN = [f"the {thing} {doing} the {place}" for thing, place in zip(THINGS, "shelf,window,ladder,garden,table,stairs,mirror,candle".split(",")) for doing in DOINGS]
SEEN = ["a motorcycle", "a red motorcycle", "a parked motorcycle", "a black and red motorcycle"]
ABSENT = [f"{a} {b}" for a in "an elephant,a submarine,a giraffe,a penguin,a volcano".split(",")
          for b in "in the snow,under water,on a beach,in a church,at night,in a kitchen,on a boat,in a jungle,on the moon,in a library".split(",")]
ABSENT += [f"said: the {thing.split()[0]} {other} {doing}" for thing in THINGS[:5] for other in ("dragon", "anchor")
           for doing in ("goes under", "lies behind", "fell from", "hangs above", "leans against")]   # a word or two of each were said


def state(folder):
    "What would change if anything were written."
    return {str(p): (p.stat().st_mtime_ns, p.stat().st_size) for p in sorted(Path(folder).rglob("*"))}


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    "Two films, one of them with 96 lines of speech, one of a name as no name should be, and one that is gone."
    folder = tmp_path_factory.mktemp("agents")
    numbers = [(np.full((36, 64, 3), 40 + 2 * n, np.uint8), 1) for n in range(100)]
    make_clip(folder / "talk.mp4", numbers, fps=2, size=(64, 36))
    clock = lambda s: f"00:{s // 60:02d}:{s % 60:02d},000"
    (folder / "talk.srt").write_text("".join(f"{n}\n{clock(n)} --> {clock(n + 1)}\n{line}.\n\n" for n, line in enumerate(SPOKEN)))
    sample_clip(folder / "sample.mp4")
    for place, colour in (("a", "red"), ("b", "blue")):
        (folder / place).mkdir()
        make_clip(folder / place / "same 🎬 ; rm -rf $HOME.mp4", [(colour, 2), ("green", 2)], fps=2, size=(64, 36))
    made = Library(folder / "library", every=2)
    made.add(*folder.glob("*.mp4"), *folder.glob("*/*.mp4"))
    (folder / "secret.txt").write_text("a password")
    return made


@pytest.fixture(scope="module")
def asked(library):
    "A client of one process; `ask(tool, **arguments)` gives its answer."
    server = StdioServerParameters(command=str(bin / "vfr"), args=["mcp", library.path], env=dict(os.environ))
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(Client(stdio_client(server))) as client:
        yield lambda tool, **arguments: portal.call(client.call_tool, tool, arguments)


@pytest.fixture(scope="module")
def first(library, asked):
    "(the first answer, how many seconds it took, what lay in the library before it)"
    before, start = state(library.path), time.monotonic()
    return asked("search", query="a motorcycle"), time.monotonic() - start, before


def test_the_first_answer(first):
    answer, seconds, _ = first
    assert seconds < 3 and answer.structured_content["found"] and answer.structured_content["moments"][0]["film"] == "sample"


def test_what_is_there_is_found_and_what_is_not_is_not(first, asked):
    "100 questions of each: the moment is that which was asked for, and at most five are made up."
    for n, line in enumerate(SPOKEN):
        told = asked("search", query=line, top=1).structured_content
        assert told["found"] and told["moments"][0]["start"] == n and told["moments"][0]["film"] == "talk", told["text"]
    for line in SEEN:
        told = asked("search", query=line, top=1).structured_content
        assert told["found"] and 15 <= told["moments"][0]["time"] < 20 and told["moments"][0]["p_value"] <= .02, told["text"]
    answers = [asked("search", query=q, top=1) for q in ABSENT]
    made_up = [a.structured_content["text"] for a in answers if a.structured_content["found"]]
    assert len(ABSENT) == 100 and len(made_up) <= 5, made_up
    for a in answers: assert a.structured_content["found"] != (a.structured_content["moments"] == []) and a.content[0].text.startswith(("FOUND", "NOT FOUND"))


def test_every_moment_says_where_when_and_how_sure(first, library):
    answer, _, _ = first
    told = answer.structured_content
    rows, pictures = told["moments"] + told["maybe"], answer.content[1:]
    assert len(rows) == len(pictures) == 5 and all(r["found"] == (r["p_value"] <= told["level"]) for r in rows)
    shown = {v.id[:12]: frame_times(v.path, 1e-3) for v in library.videos}
    for r in rows: assert min(abs(r["time"] - t) for t in shown[r["id"]]) < 1e-6 and r["start"] <= r["time"] <= r["end"]
    for p in pictures: assert p.mime_type == "image/jpeg" and base64.b64decode(p.data)[:2] == b"\xff\xd8" and len(p.data) < 30_000


def test_frames_and_what_is_said(asked):
    for time, exact in ((0, 0), (2.7, 2.5), (99.99, 99.5)):
        answer = asked("frame", film="talk", time=time)
        assert answer.structured_content["time"] == exact and len(base64.b64decode(answer.content[1].data)) <= MOST_BYTES
    lines = asked("transcript", film="talk", time=50, seconds=1).structured_content["lines"]
    assert [l["text"] for l in lines] == [f"{l}." for l in SPOKEN[48:52]] and lines[0]["evidence"] == "said"
    nothing = asked("transcript", film="sample", time=3)
    assert not nothing.structured_content["found"] and "NOT FOUND" in nothing.content[0].text
    one = asked("moments", film="talk", query="said: the copper kettle", top=10).structured_content["moments"]
    assert (starts := [m["start"] for m in one]) == sorted(starts) and len(starts) == 10 and {*starts} < {*range(12)} and {m["film"] for m in one} == {"talk"}


def test_nothing_else_is_reached(asked, library):
    folder = Path(library.path).parent
    names = ["/etc/passwd", "../secret.txt", str(folder / "secret.txt"), f"{library.path}/../talk.mp4", str(folder / "talk.mp4"), f"file://{folder}/talk.mp4",
             "https://example.org/a.mp4", "talk' OR '1'='1", "talk\0", "", "*", "~", "talk" * 1000]
    for name in names:
        for tool, more in (("frame", dict(time=1)), ("transcript", dict(time=1)), ("moments", dict(query="a cat"))):
            told = asked(tool, film=name, **more)
            assert told.is_error and "is no film of this library" in told.content[0].text and str(folder / "talk") not in told.content[0].text.replace(name, "")
    twice = asked("frame", film="same 🎬 ; rm -rf $HOME", time=1)
    assert twice.is_error and "title of 2 films" in twice.content[0].text
    ids = twice.content[0].text.rpartition("an id, ")[2].split(" or ")
    assert len({asked("frame", film=i, time=1).content[1].data for i in ids}) == 2


@pytest.mark.parametrize("tool, arguments, told", [
    ("search", {}, "query: Field required"), ("search", dict(query=" "), "the query is empty"), ("search", dict(query="a cat", top=0), "top must be 1 to 10"),
    ("search", dict(query="a cat", path="/etc"), "has no argument 'path'"), ("search", dict(query="x" * 2000), "one sentence will do"),
    ("frame", dict(film="sample", time=-1), "there is nothing at -1"), ("frame", dict(film="sample", time=1e9), "lasts 25.000 seconds"),
    ("frame", dict(film="sample", time="soon"), "time: Input should be a valid number"), ("transcript", dict(film="talk", time=1, seconds=0), "1 to 600"),
    ("delete", {}, "Unknown tool")])
def test_mistakes_are_one_line(asked, tool, arguments, told):
    answer = asked(tool, **arguments)
    assert answer.is_error and told in answer.content[0].text and "\n" not in answer.content[0].text and "Traceback" not in answer.content[0].text


def test_nothing_was_changed(first, asked, library):
    "After all of that; no tool says that it would change anything."
    assert state(library.path) == first[2]
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(Client(server_of(library))) as client:
        tools = portal.call(client.list_tools).tools
    assert {t.name for t in tools} == {"search", "moments", "frame", "transcript", "films"}
    assert all(t.annotations.read_only_hint and not t.annotations.open_world_hint for t in tools)


def test_a_film_that_is_gone_or_another(asked, library):
    "It is answered from what the library keeps; a file that is not the film is not opened."
    before = asked("frame", film="sample", time=16).structured_content
    path, = (Path(v.path) for v in library.videos if v.title == "sample")
    other = path.read_bytes()[:-1] + b"x"
    path.rename(path.with_suffix(".away"))
    try:
        for content in (None, other):
            if content: path.write_bytes(content)
            after = asked("frame", film="sample", time=16)
            assert after.structured_content["thumbnail"] and not before["thumbnail"] and after.structured_content["time"] == 16 and len(after.content) == 2
    finally: path.with_suffix(".away").replace(path)


def test_one_who_stops_it_need_not_wait(library):
    "Also while an agent holds the other end of its input; what is no message is no answer."
    with subprocess.Popen([bin / "vfr", "mcp", library.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as p:
        p.stdin.write('{"half\n{"jsonrpc": "2.0", "id": 1, "method": "ping"}\n'); p.stdin.flush()
        assert '"id":1' in p.stdout.readline()
        p.send_signal(signal.SIGINT)
        assert p.wait(60) == 1   # its input is open still
        out, err = p.stdout.read(), p.stderr.read()
    assert (p.returncode, out, err) == (1, "", "vfr: stopped\n")


@pytest.mark.quick
def test_what_cannot_be_served(library, tmp_path, monkeypatch):
    for args, told in (([tmp_path / "none"], "there is no library"), ([library.path, "--level", "2"], "level must be"), ([], "Missing argument"), ([library.path, "--levl", "1"], "No such option")):
        r = in_process("mcp", *args)
        assert r.returncode == 2 and r.stdout == "" and r.stderr.count("\n") == 1 and told in r.stderr, r
    monkeypatch.setitem(sys.modules, "mcp.server.mcpserver", None)
    r = in_process("mcp", library.path)
    assert r.returncode == 2 and 'pip install "vfr_lib[agents]"' in r.stderr and r.stderr.count("\n") == 1
