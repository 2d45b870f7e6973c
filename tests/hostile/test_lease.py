"Two writers on a storage, their clocks apart, one of them killed or paused at any moment: what the library names is whole."
import multiprocessing, os, random, signal, sys, time

import numpy as np
import psutil
import pytest
from helpers import ROUNDS

from vfr_lib.core import VfrError
from vfr_lib.library.library import Library
from vfr_lib.library.lock import WriterLock
from vfr_lib.library.store import Store
from vfr_lib.media.transcript import Line
from vfr_lib.search.embedding import FrameVectors
from vfr_lib.search.speech import line_dicts

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no process can be paused there")
FRAMES = 5


def write(library, number):
    "Add a film without decoding it; what `Library.add` does once the frames are encoded."
    rng = np.random.default_rng(number)
    vectors = rng.normal(size=(FRAMES, library.encoder.dim)).astype(np.float32)
    film = FrameVectors(np.arange(FRAMES) * 1., vectors / np.linalg.norm(vectors, axis=1, keepdims=True), float(FRAMES), thumbs=[b""] * FRAMES)
    with library.writer.writing():
        id = f"{number:032x}"
        if library.ingest.known(id=id): return
        library.ingest.write(dict(id=id, title=f"film {number}", link=None, path=f"/{number}", said="beside", lines=1), film, dict(lines=line_dicts([Line(0, 1, f"word{number}")])))


def hurried():
    "The lease is shorter, so that the test is."
    WriterLock.lease, WriterLock.settled = 0.5, 0.05


def one_that_stops(uri, number, step, how, ahead):
    "Write, but send oneself a signal at the given step of the work with the tables; the clock goes wrong by `ahead` seconds."
    hurried()
    now, errors, steps = time.time, Store.errors, 0
    time.time = lambda: now() + ahead
    def watched(store):
        nonlocal steps
        steps += 1
        if steps == step: os.kill(os.getpid(), how)
        return errors(store)
    library = Library(uri)
    library.encoder
    Store.errors = watched
    try: write(library, number)
    except VfrError as e: sys.exit(3 if e.kind == "lost" else 4)


def stopped(process):
    "Whether a process has been paused; False where it has ended."
    for _ in range(2000):
        try:
            if psutil.Process(process.pid).status() == psutil.STATUS_STOPPED: return True
        except psutil.NoSuchProcess: return False
        if not process.is_alive(): return False
        time.sleep(0.02)
    raise AssertionError("it neither stops nor ends")


def whole(uri):
    "Every film that is named is there, and is found by sight and by word; returns their numbers."
    library = Library(uri, create=False)
    assert all(f.cure == "is swept away" for f in library.check().faults), library.check()
    films = library.videos
    assert len(library.frames.load().vectors) == FRAMES * len(films)
    assert len({v.id for v in films}) == len(films)
    for v in films[-2:]: assert v.title in {m.title for m in library.search(f"word{int(v.id, 16)}", top=3, pictures=False) if m.evidence != ("seen",)}
    return {int(v.id, 16) for v in films}


@pytest.mark.filterwarnings("ignore:another process")
def test_writers_killed_or_paused(tmp_path, monkeypatch):
    monkeypatch.setattr(WriterLock, "lease", 0.5)
    monkeypatch.setattr(WriterLock, "settled", 0.05)
    processes, uri, rng, lost, caught = multiprocessing.get_context("forkserver"), f"file://{tmp_path}/lib", random.Random(3), 0, 0
    processes.set_forkserver_preload(["vfr_lib.library.library", "vfr_lib.encoders.inference"])
    write(Library(uri), 1000)
    expected = {1000}
    for k in range(ROUNDS):
        how = signal.SIGKILL if k % 3 == 0 else signal.SIGSTOP
        a = processes.Process(target=one_that_stops, args=(uri, k, 2 + rng.randrange(22), how, rng.choice([-660, 660, 3600])))
        a.start()
        paused = stopped(a)
        caught += paused or a.exitcode == -signal.SIGKILL
        write(Library(uri), k if k % 4 == 1 else 100 + k)   # the same film, or another one
        expected.add(k if k % 4 == 1 else 100 + k)
        assert expected <= whole(uri)
        if paused: os.kill(a.pid, signal.SIGCONT)
        a.join(60)
        assert a.exitcode in ((0, 3) if how == signal.SIGSTOP else (0, -signal.SIGKILL)), a.exitcode
        lost += a.exitcode == 3
        now = {int(v.id, 16) for v in Library(uri).videos}
        assert expected <= now and (a.exitcode != 0 or k in now)
        write(Library(uri), k)   # again: it does the rest
        expected |= {k}
    assert whole(uri) == expected
    assert caught > 0.7 * ROUNDS and lost > 0.15 * ROUNDS, (caught, lost)
    assert not Library(uri).check().faults
