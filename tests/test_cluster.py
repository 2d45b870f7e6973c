"A library that many machines fill: the rows of one machine, whoever dies on the way, and a sentence for what cannot work."
import ast, json, os, random, re, shutil, signal, subprocess, sys, tempfile, threading, time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from forks import forked, popen
from helpers import bin, command, four_films, fresh_cache, root
from ray_nodes import QUICK, Nodes, _kill, can_hide

from vfr_lib.core import VfrError
from vfr_lib.encoders.dual import toy_encoder
from vfr_lib.encoders.load import save_encoder
from vfr_lib.library.cluster import Cluster, joined
from vfr_lib.library.library import Library
from vfr_lib.media.download import PracticeServer
from vfr_lib.media.synthetic import make_clip

SITE = """
import os, signal, sys, time
from importlib.machinery import PathFinder
# Stands in for a decoder that crashes: whoever reads a film of this name is gone. And for a slow one, where the name says so, so that there is a middle in which to be killed.
class Finder:
    @staticmethod
    def find_spec(name, path, target=None):
        if name != "vfr_lib.search.embedding": return None
        spec = PathFinder.find_spec(name, path)
        execute = spec.loader.exec_module
        def exec_module(module):
            execute(module)
            prepared = module.prepared_frames
            def watched(*args):
                film = str(sys._getframe(1).f_locals.get("path", ""))
                for item in prepared(*args):
                    if "crash" in film: os.kill(os.getpid(), signal.SIGSEGV)
                    time.sleep(0.15 if "slow" in film else 0)
                    yield item
            module.prepared_frames = watched
        spec.loader.exec_module = exec_module
        return spec
sys.meta_path.insert(0, Finder)
"""


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    "Four films, and something that is no film."
    folder = four_films(tmp_path_factory.mktemp("shelf"))
    (folder / "broken.mp4").write_bytes(b"no film")
    return folder


@pytest.fixture(scope="module")
def one(shelf, tmp_path_factory):
    "The library that one machine makes of the shelf."
    library = Library(tmp_path_factory.mktemp("one") / "library", every=1)
    library.add(shelf)
    return library


@pytest.fixture(scope="module")
def private(tmp_path_factory): return tmp_path_factory.mktemp("private")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory, private):
    "Two nodes with a processor each; the second does not see the folder `private`, where the system can do that."
    site = tmp_path_factory.mktemp("site")
    (site / "sitecustomize.py").write_text(SITE)
    with Nodes(env={"PYTHONPATH": str(site), "VFR_CACHE": str(fresh_cache(tmp_path_factory.mktemp("cache") / "cache"))}) as nodes:
        nodes.add(hidden=private if can_hide() else None)
        yield nodes


@pytest.fixture(scope="module")
def add(cluster):
    "Adds videos to a library from this process, which has joined the cluster once, so that its workers are kept; returns the report as text."
    with pytest.MonkeyPatch.context() as m:
        for name, value in QUICK.items(): m.setenv(name, value)
        with joined(Cluster(cluster.address)): yield lambda lib, *videos, wait=True, **kw: str(Library(lib, **kw).add(*videos, cluster=cluster.address, wait=wait))


def refusal(add, *args, **kw):
    with pytest.raises(VfrError) as e: add(*args, **kw)
    assert "\n" not in str(e.value), e.value
    return str(e.value)


environment = {**os.environ, **QUICK}


sharing = root / "tests/share_out.py"   # a command that tells how far it is


def vfr(*args): return forked(bin / "vfr", *args, env=environment)


def rows(library, table): return library.store.table(table).search().limit(None).to_arrow().to_pylist()


def assert_no_orphans(library):
    "Every file of the tables' data is named by an entry, and the other way round."
    import lance
    there = {p.name for t in ("frames", "lines") for p in (Path(library.path) / f"{t}.lance" / "data").glob("*")}
    uris = [f"{library.path}/{t}.lance" for t in ("frames", "lines")]
    named = {f.path for uri in uris for v in lance.dataset(uri).versions() for fragment in lance.dataset(uri, version=v["version"]).get_fragments() for f in fragment.data_files()}
    assert there == named


def assert_same(a, b):
    "Two libraries hold the same rows: keys exactly, vectors to a rounding of half precision."
    key = lambda r: (r["video"][:32], r.get("time", r.get("start")))   # each attempt has a key of its own, which begins with the video's id
    x, y = (sorted(rows(l, "frames"), key=key) for l in (a, b))
    assert [key(r) for r in x] == [key(r) for r in y]
    assert all(p["end"] == q["end"] and p["thumb"] == q["thumb"] for p, q in zip(x, y))
    assert np.allclose([p["vector"] for p in x], [q["vector"] for q in y], atol=1e-3) and np.allclose([p["usual"] for p in x], [q["usual"] for q in y], atol=1e-4)
    x, y = (sorted(rows(l, "lines"), key=key) for l in (a, b))
    assert [r | dict(video=key(r)) for r in x] == [r | dict(video=key(r)) for r in y]
    p, q = ({r["id"]: r for r in rows(l, "videos")} for l in (a, b))
    assert p.keys() == q.keys()
    for id in p:
        assert {k: v for k, v in p[id].items() if k not in ("added", "null", "key")} == {k: v for k, v in q[id].items() if k not in ("added", "null", "key")}
        assert np.allclose(p[id]["null"], q[id]["null"], atol=1e-4)


def test_the_rows_are_those_of_one_machine(cluster, shelf, one, tmp_path):
    "Also where films are shared out among the workers; and a second time only what is new is added."
    r = forked(sharing, tmp_path / "many", shelf, cluster.address, env=environment)
    assert r.returncode == 0 and "4 videos added, 1 skipped" in r.stdout and "broken.mp4 is text, not a video" in r.stdout and r.stderr == "", r
    seen = [ast.literal_eval(line) for line in r.stdout.splitlines() if line.startswith("(")]
    assert seen[-1][1] == seen[-1][2] == 140 and all(a[1] < b[1] for a, b in zip(seen, seen[1:])), seen
    many = Library(tmp_path / "many")
    assert_same(one, many)
    assert_no_orphans(many)
    assert many.search("grind beans", top=1)[0].evidence == ("said",) and many.search("a cat", top=1)[0].title == "film 1"
    own = tmp_path / "own"
    own.mkdir()
    for name, color in (("cut", "red"), ("told", "blue")): make_clip(own / f"{name}.mp4", [(color, 4)], fps=2, size=(64, 36))
    many.add(own)
    for name in ("cut", "new"): make_clip(own / f"{name}.mp4", [("white", 4), (name == "cut" and "green" or "gray", 2)], fps=2, size=(64, 36))
    (own / "told.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nA zebu.\n")
    again = vfr("add", tmp_path / "many", shelf, own, "--ray", cluster.address, "--json")
    report = json.loads(again.stdout)
    assert [v["title"] for v in report["added"]] == ["new"] and sum("is there already" in why for _, why in report["skipped"]) == 4, again
    assert [(v["title"], v["duration"]) for v in report["replaced"]] == [("cut", 6)] and report["captions"] == [[str(own / "told.mp4"), "captions added"]]
    assert len(many) == 7 and many.search("zebu", top=1)[0].title == "told" and sum(v.frames for v in many.videos) == len(rows(many, "frames"))


def test_a_video_that_brings_down_its_workers_is_set_aside(add, shelf, tmp_path):
    make_clip(tmp_path / "crash.mp4", [("red", 4)])
    said = add(tmp_path / "lib", tmp_path / "crash.mp4", shelf / "film 0.mp4")
    assert "1 video added, 1 skipped" in said and "crash.mp4: brought down its worker 3 times" in said, said
    assert_no_orphans(Library(tmp_path / "lib"))


def test_links_are_downloaded_two_at_a_time(add, tmp_path):
    for k in range(5): make_clip(tmp_path / f"{k}.mp4", [(("red", "blue", "green", "white", "black")[k], 3)])
    running, most, prepared, change = set(), 0, set(), threading.Condition()
    with PracticeServer(tmp_path) as server:
        serve = server._serve
        def counted(handler, body):
            nonlocal most
            with change:
                of_worker, me = handler.path in prepared, object()   # which asks after the coordinator has
                prepared.add(handler.path)
                if of_worker:
                    running.add(me); most = max(most, len(running)); change.notify_all()
                    change.wait_for(lambda: most > 1, 10)   # until another one comes; once two were there, ...
            if of_worker: time.sleep(0.5)   # ... long enough to be met by a third
            with change: running.discard(me)   # before the answer: whoever has it goes on to the next link at once
            return serve(handler, body)
        server._serve = counted
        said = add(tmp_path / "lib", *(server.url(f"{k}.mp4") for k in range(5)))
        assert "5 videos added" in said, said
        asked = len(server.log)
        again = add(tmp_path / "lib", server.url("0.mp4"), server.url("1.mp4"))
        assert again.count("is there already") == 2 and len(server.log) == asked, again
    assert most == 2
    assert {v.link.rpartition("/")[2] for v in Library(tmp_path / "lib").videos} == {f"{k}.mp4" for k in range(5)}


def test_storage_that_is_not_a_folder(add, shelf, one, tmp_path):
    said = add(f"file://{tmp_path}/lib", *(f"file://{shelf}/film {k}.mp4".replace(" ", "%20") for k in range(4)), f"file://{tmp_path}/gone.mp4", every=1)
    assert "4 videos added, 1 skipped" in said and "gone.mp4 cannot be read" in said, said
    there, here = (sorted((r["video"][:32], r["time"]) for r in rows(l, "frames")) for l in (Library(f"file://{tmp_path}/lib"), one))
    assert there == here


@pytest.mark.skipif(not can_hide(), reason="this system does not let us give a node its own view of the disk")
def test_what_one_machine_does_not_see(add, shelf, private, tmp_path):
    said = refusal(add, private / "lib", shelf)
    assert "does not see the library" in said and "lies on a disk of this machine alone" in said, said
    save_encoder(toy_encoder(), private / "toy")
    said = refusal(add, tmp_path / "lib", shelf, encoder=private / "toy")
    assert "cannot load the encoder" in said and str(private / "toy") in said, said
    shutil.copy(shelf / "film 0.mp4", private / "film.mp4")
    said = refusal(add, tmp_path / "lib2", private / "film.mp4")
    assert f"cannot read {private / 'film.mp4'}" in said and "same path" in said, said
    assert not list(private.glob("lib/.seen*")) and len(Library(tmp_path / "lib2")) == 0


def test_two_coordinators(add, cluster, shelf, tmp_path):
    library, remote = Library(tmp_path / "lib"), Library(f"file://{tmp_path}/remote")
    with library.writer.writing():
        r = vfr("add", library.path, shelf, "--no-wait", "--ray", cluster.address)
        assert r.returncode == 2 and "another process is writing" in r.stderr, r
    with remote.writer.writing(): assert "another process is writing" in refusal(add, remote.path, shelf, wait=False)


def test_another_version(add, cluster, shelf, tmp_path):
    "The cluster says that it runs another Ray, as one that was installed at another time would."
    from ray._raylet import GcsClient
    store, place = GcsClient(address=cluster.address), (b"CLUSTER_METADATA", b"cluster")
    def pretend(ray, python):
        about = json.loads(store.internal_kv_get(*place)) | dict(ray_version=ray, python_version=python)
        store.internal_kv_put(place[0], json.dumps(about).encode(), True, place[1])
    mine = ".".join(map(str, sys.version_info[:3]))
    pretend("2.9.3", "3.8.1")
    try: r = vfr("add", tmp_path / "lib", shelf, "--ray", cluster.address)
    finally: pretend(version("ray"), mine)
    assert r.returncode == 2 and "runs Ray 2.9.3 on Python 3.8.1" in r.stderr and f"on Python {mine}" in r.stderr and r.stderr.count("\n") == 1, r


def test_the_coordinator_is_killed(add, cluster, shelf, one, tmp_path):
    p = popen([sharing, tmp_path / "lib", shelf, cluster.address], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
    try:
        for _ in range(3): assert p.stdout.readline(), "it ended before it could be killed"
    finally: _kill(p.pid)
    assert p.wait(30) == -signal.SIGKILL
    library = Library(tmp_path / "lib", create=False)
    before = {v.id for v in library.videos}
    assert len(before) < 4 and (not before or library.frames.load() is not None)   # it opens, and holds whole videos alone
    said = add(tmp_path / "lib", shelf)
    assert f"{4 - len(before)} video" in said and said.count("is there already") == len(before), said
    assert_same(one, Library(tmp_path / "lib"))
    assert_no_orphans(library)


@pytest.mark.parametrize("address, said", [("127.0.0.1:1", "no Ray cluster answers at 127.0.0.1:1"), ("ray://127.0.0.1:10001", "address for Ray's client"), ("film.mp4", "must come last"), ("WEB", "is not a Ray cluster")])
def test_addresses_that_lead_nowhere(shelf, tmp_path, address, said):
    with PracticeServer(tmp_path) as server:
        if address == "WEB": address = re.search(r"//(.*)/", server.url("x"))[1]
        began = time.monotonic()
        r = vfr("add", tmp_path / "lib", shelf, "--ray", address)
    assert r.returncode == 2 and said in r.stderr and r.stderr.count("\n") == 1 and time.monotonic() - began < 30, r
    assert not (tmp_path / "lib").exists()


def test_what_is_not_there_is_told_before_ray_starts(tmp_path, monkeypatch):
    monkeypatch.setattr("vfr_lib.library.cluster.joined", lambda cluster: pytest.fail("Ray was started"))
    library, gone = Library(tmp_path / "lib"), [tmp_path / "gone.mp4", tmp_path / "too.mp4"]
    with pytest.raises(VfrError, match="gone.mp4 does not exist"): library.add(gone[0], cluster=Cluster())
    assert [(g, w) for g, w in library.add(*gone, cluster=Cluster()).skipped] == [(str(g), f"{g} does not exist: check the path") for g in gone]


def test_on_this_machine(shelf, one, tmp_path):
    "Ray is started and ended by the command, and nothing of it is left."
    with tempfile.TemporaryDirectory(prefix="ray-") as place:   # a short name, for sockets
        r = command(bin / "vfr", "add", tmp_path / "lib", shelf, "--every", "1", "--ray", env={**environment, "TMPDIR": place})
        assert not list(Path(place).glob("vfr-*")) and place not in subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout
    assert r.returncode == 0 and "4 videos added" in r.stdout and r.stderr == "", r
    assert_same(one, Library(tmp_path / "lib"))


def test_a_worker_and_then_a_node_are_killed(cluster, shelf, tmp_path):
    "SIGKILL to a worker in the middle, then to everything of a third node: the library becomes complete, nothing is doubled, no fragment is left over."
    slow, one, rng = tmp_path / "slow", Library(tmp_path / "one", every=1), random.Random()
    shutil.copytree(shelf, slow)
    one.add(slow)
    third = cluster.add()
    try:
        p = popen([sharing, tmp_path / "many", slow, cluster.address], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
        try:
            killed = []
            for what, least in (("worker", 1), ("node", 2)):
                data = tmp_path / "many/frames.lance/data"
                for _ in range(2400):
                    busy = {i: n for node in cluster.nodes for i, n in cluster.workers(node).items() if "_read" in n or "_write" in n or "submit" in n}
                    if p.poll() is not None or (len(list(data.glob("*"))) >= least and busy): break
                    time.sleep(0.05)
                assert p.poll() is None, p.communicate()
                if what == "worker": _kill(victim := rng.choice(list(busy))); killed.append(busy[victim])
                else: cluster.kill(third); killed.append("node")
            out, err = p.communicate(timeout=300)
        finally:
            if p.poll() is None: p.kill()
        assert p.returncode == 0 and "4 videos added" in out, (killed, out, err)
    finally:
        if third.poll() is None: cluster.kill(third)
    many = Library(tmp_path / "many")
    assert_same(one, many)
    assert_no_orphans(many)
    print("killed:", killed)
