"A library survives what happens to it: killed at any moment, two writers, readers beside a writer."
import os, random, shutil, signal, subprocess, sys, threading, time

import numpy as np
import pytest
from forks import forked, popen
from helpers import ROUNDS, bin, four_films, fresh_cache

from vfr_lib.core import VfrError
from vfr_lib.library.library import Library
from vfr_lib.media.synthetic import brick_wall, make_clip


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    return four_films(tmp_path_factory.mktemp("shelf"))


def adding(lib, shelf, cache):
    return popen([bin / "vfr", "add", lib, shelf, "--every", "1"], env={**os.environ, "VFR_CACHE": str(cache)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def until_one_more(process, lib):
    "Wait until a video has been entered, or the process has ended."
    entries = lambda: len(list((lib / "videos.lance" / "_versions").glob("*.manifest")))
    before = entries()
    while process.poll() is None and entries() <= max(before, 1): time.sleep(0.05)   # the first makes the empty table


def whole(lib, expected):
    "Every video that the library names is there, whole, and nothing else is seen; returns how many."
    library = Library(lib, create=False)
    for v in library.videos: assert v.frames == expected[v.title], v
    if not len(library): return 0
    memory = library.frames.load()
    assert len(memory.times) == sum(v.frames for v in library.videos) == len(memory.vectors)
    titles = {v.title for v in library.videos}
    assert {m.title for m in library.search("a cat", top=20)} <= titles
    return len(titles)


def test_killed_many_times(shelf, tmp_path, record_property):
    known, long = fresh_cache(tmp_path / "known"), []
    for name in ("reference", "from known vectors"):   # seconds undisturbed, first with films to embed, then with known vectors
        began, undisturbed = time.monotonic(), adding(tmp_path / name, shelf, known)
        assert undisturbed.wait(120) == 0, undisturbed.communicate()
        long.append(time.monotonic() - began)
    reference = Library(tmp_path / "reference")
    expected = {v.title: v.frames for v in reference.videos}
    assert len(expected) == 4
    rng, kills, caught, finished = random.Random(6), 0, 0, 0
    turn = 0
    while kills < ROUNDS:
        lib, cache, before = tmp_path / f"lib {turn}", tmp_path / f"cache {turn}", 0
        if turn % 2: shutil.copytree(known, cache)
        else: fresh_cache(cache)
        while kills < ROUNDS:
            process = adding(lib, shelf, cache)
            if kills % 2: until_one_more(process, lib); pause = rng.uniform(0, 0.5)
            else: pause = rng.uniform(0.3, 0.5 + long[turn % 2] * (1 - before / 5))
            try: process.wait(pause)
            except subprocess.TimeoutExpired: os.kill(process.pid, signal.SIGKILL)
            killed = process.wait() == -signal.SIGKILL
            said = process.communicate()
            assert killed or process.returncode == 0, said
            kills += killed
            try: now = whole(lib, expected)
            except VfrError as e: assert "there is no library" in str(e); now = 0   # killed before it began
            assert now >= before, "a finished video was lost"
            caught += killed and 0 < now < 4
            before = now
            if not killed: finished += 1; break
        if before < 4:
            last = adding(lib, shelf, cache)
            assert last.wait(120) == 0, last.communicate()
        assert whole(lib, expected) == 4
        a, b = reference.frames.load(), Library(lib).frames.load()
        order = [next(i for i, w in enumerate(b.videos) if w["id"] == v["id"]) for v in a.videos]
        assert all(np.array_equal(a.vectors[a.slice(i)], b.vectors[b.slice(j)]) and np.array_equal(a.times[a.slice(i)], b.times[b.slice(j)]) for i, j in enumerate(order))
        assert Library(lib).search("grind beans", top=1)[0].evidence == ("said",)
        turn += 1
    assert caught > 0.15 * ROUNDS
    print(f"killed {kills} times, {caught} of them with some videos in and some not; {finished} runs ended before they were killed")


TURNS = """
import sys, time
from vfr_lib.library.library import Library
library = Library(sys.argv[1])
for k in range(3):
    with library.lock.hold():
        with open(sys.argv[2], "a") as f: f.write(f"in {sys.argv[3]}\\n")
        time.sleep(0.05)
        with open(sys.argv[2], "a") as f: f.write(f"out {sys.argv[3]}\\n")
"""


def test_of_many_writers_on_a_storage_one_is_in_at_a_time(tmp_path):
    log, program = tmp_path / "log", tmp_path / "turns.py"
    program.write_text(TURNS)
    writers = [popen([program, f"file://{tmp_path}/lib", log, k], stderr=subprocess.PIPE) for k in range(5)]
    for w in writers: said = w.communicate(timeout=120)[1]; assert w.returncode == 0, said
    words = [line.split() for line in log.read_text().splitlines()]
    assert len(words) == 5 * 3 * 2
    for came, went in zip(words[::2], words[1::2]): assert came[0] == "in" and went == ["out", came[1]], words


@pytest.mark.quick
def test_what_was_written_in_vain_is_swept_away(shelf, tmp_path):
    library = Library(tmp_path / "lib")
    library.add(shelf / "film 0.mp4")
    with pytest.MonkeyPatch.context() as m:   # killed after the frames and before the video's own row
        table = library.store.table
        def broken(name):
            if name == "videos" and sys._getframe(1).f_code.co_name.strip("_") == "enter": raise KeyboardInterrupt
            return table(name)
        m.setattr(library.store, "table", broken)
        with pytest.raises(KeyboardInterrupt): library.add(shelf / "film 1.mp4")
    assert library.store.table("frames").count_rows() > library.videos[0].frames   # they lie there ...
    other = Library(library.path)
    assert [v.title for v in other.videos] == ["film 0"] and {m.title for m in other.search("a cat")} == {"film 0"}   # ... and nobody sees them
    other.add(shelf / "film 1.mp4")
    assert other.store.table("frames").count_rows() == sum(v.frames for v in other.videos)


@pytest.mark.parametrize("at", ["announce", "enter", "take_out", "delete_videos"])
def test_killed_while_a_film_is_replaced(tmp_path, at):
    "A film that was edited, and one that got captions: before the new rows are entered the old are there, then the new, never both and never half."
    for name, color in (("cut", "red"), ("told", "blue")): make_clip(tmp_path / f"{name}.mp4", [(color, 4)], fps=2, size=(64, 36))
    library = Library(tmp_path / "lib")
    library.add(tmp_path / "cut.mp4", tmp_path / "told.mp4")
    make_clip(tmp_path / "cut.mp4", [("green", 6)], fps=2, size=(64, 36))
    (tmp_path / "told.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nA zebu.\n")
    for name, had, gets in (("cut", (4, 0), (6, 0)), ("told", (4, 0), (4, 1))):
        def state(): return [(v.duration, v.lines) for v in Library(library.path).videos if v.title == name]
        seen = []
        with pytest.MonkeyPatch.context() as m:
            act = getattr(library.writer, at)
            def killed(*args):
                if at not in ("enter", "take_out"): act(*args)
                seen.append(state())
                raise KeyboardInterrupt
            m.setattr(library.writer, at, killed)
            with pytest.raises(KeyboardInterrupt): library.add(tmp_path / f"{name}.mp4")
        assert seen == [[had if at in ("announce", "enter") else gets]] and state() == seen[0]
        assert {m.title for m in Library(library.path).search("a wall", top=9)} <= {"cut", "told"}
        library.add(tmp_path / f"{name}.mp4")
        assert state() == [gets] and library.store.table("frames").count_rows() == sum(v.frames for v in library.videos)
        assert library.store.table("lines").count_rows() == sum(v.lines for v in library.videos)
    assert library.search("zebu", top=1)[0].title == "told"


def test_a_reader_beside_one_who_replaces(tmp_path):
    "Sees one film and only one, old or new, at any moment."
    film, library = tmp_path / "film.mp4", Library(tmp_path / "lib")
    cuts = [tmp_path / "short.mp4", tmp_path / "long.mp4"]
    for path, seconds in zip(cuts, (3, 5)): make_clip(path, [(brick_wall("red"), seconds)], fps=2, size=(64, 36))
    shutil.copy(cuts[0], film)
    library.add(film)
    done, seen = threading.Event(), []
    def read():
        reader = Library(library.path)
        while not done.is_set(): seen.append((len(reader.search("red", top=1, pictures=False)), tuple(v.duration for v in reader.videos)))
    thread = threading.Thread(target=read)
    thread.start()
    try:
        for k in range(1, 7):
            shutil.copy(cuts[k % 2], film); library.add(film)
            looks = len(seen)
            while len(seen) < looks + 2 and thread.is_alive(): time.sleep(0.01)   # at least one of them began after it
    finally: done.set(); thread.join()
    assert {n for n, _ in seen} == {1} and {d for _, d in seen} == {(3.0,), (5.0,)}, set(seen)


def test_second_writer_waits_or_is_told(shelf, tmp_path, vfr):
    library = Library(tmp_path / "lib")
    library.add(shelf / "film 0.mp4")
    with library.writer.writing():
        told = vfr("add", library.path, shelf / "film 1.mp4", "--no-wait")
        assert told.returncode == 2 and "another process is writing" in told.stderr and "Traceback" not in told.stderr
        waiting = subprocess.Popen([str(bin / "vfr"), "add", library.path, str(shelf / "film 1.mp4")], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert "waiting until it is done" in waiting.stderr.readline()
        assert waiting.poll() is None and library.search("a cat", top=1)   # readers do not wait
    out, err = waiting.communicate(timeout=60)
    assert waiting.returncode == 0 and "1 video added" in out
    assert len(library) == 2


@pytest.mark.quick
def test_reader_sees_what_comes_in(shelf, tmp_path):
    writer, reader = Library(tmp_path / "lib"), None
    writer.add(shelf / "film 0.mp4")
    reader = Library(tmp_path / "lib", create=False)
    assert {m.title for m in reader.search("a cat")} == {"film 0"}
    writer.add(shelf / "film 1.mp4")
    assert reader.search("a cat", top=1)[0].title == "film 1"
    writer.remove("film 1")
    assert {m.title for m in reader.search("a cat")} == {"film 0"}


def test_read_only_library_is_read(shelf, tmp_path):
    library = Library(tmp_path / "lib")
    library.add(shelf / "film 1.mp4")
    if os.geteuid() == 0: pytest.skip("root may write everywhere")
    for p in [tmp_path / "lib", *(tmp_path / "lib").rglob("*")]: p.chmod(p.stat().st_mode & ~0o222)
    try:
        assert Library(tmp_path / "lib").search("a cat", top=1)[0].title == "film 1"
        with pytest.raises(VfrError, match="read-only|cannot"): Library(tmp_path / "lib").add(shelf / "film 0.mp4")
    finally:
        for p in [tmp_path / "lib", *(tmp_path / "lib").rglob("*")]: p.chmod(p.stat().st_mode | 0o200)


def test_the_shell(shelf, tmp_path, vfr):
    lib = tmp_path / "my videos"
    assert vfr("search", lib, "a cat").returncode == 2   # as a user starts it
    vfr = lambda *args: forked(bin / "vfr", *args)
    r = vfr("add", lib, shelf / "film 0.mp4", shelf / "film 1.mp4", shelf / "gone.mp4")
    assert r.returncode == 0 and "2 videos added, 1 skipped" in r.stdout and "does not exist" in r.stdout, r
    assert vfr("videos", lib).stdout.count("film") == 4   # titles and paths
    r = vfr("search", lib, "a cat", "--json")
    assert r.returncode == 0 and '"title": "film 1"' in r.stdout and '"p_value"' in r.stdout, r
    assert vfr("remove", lib, "film 1").returncode == 0 and vfr("remove", lib, "film 1").returncode == 2
    assert "film 1" not in vfr("videos", lib).stdout


def test_what_shows_nothing_is_no_answer_in_new_and_old_libraries(tmp_path):
    import lancedb
    from vfr_lib.library.library import Library
    from vfr_lib.media.synthetic import brick_wall, make_clip
    from vfr_lib.search.query import Query
    for name, scenes in (("black", [("black", 3)]), ("both", [("black", 2), (brick_wall("red"), 2), ("white", 2)])): make_clip(tmp_path / f"{name}.mp4", scenes, camera=False)
    library = Library(tmp_path / "library")
    library.add(tmp_path / "black.mp4", tmp_path / "both.mp4")
    asked = ("a man", "a black screen", Query("a man") | Query("snow"), Query.image(np.zeros((90, 160, 3), np.uint8)))
    answers = [[(m.title, m.time, m.p_value) for m in library.search(q, level=1)] for q in asked]
    assert all(found and all(title == "both" and 2 <= time < 4 for title, time, _ in found) for found in answers)
    lancedb.connect(tmp_path / "library").open_table("frames").update(where="usual > 1", values={"usual": 0.1})   # older versions did not ask
    old = Library(tmp_path / "library")
    assert [[(m.title, m.time, m.p_value) for m in old.search(q, level=1)] for q in asked] == answers
    assert Library(tmp_path / "library").search("a man", videos=["black"], level=1, pictures=False) == []
