"What is common to all tests, and how they share the machine: some run at a time, but for those marked `alone`."
import os
from pathlib import Path

import forks, pytest
from helpers import FULL, bin, command, turn

FIRST = "test_cluster", "test_processes", "ui", "test_training", "test_library"   # those that take long


def pytest_configure(config):
    for line in ("quick: a first answer, in 90 seconds: pytest -m quick", "alone: it measures what others would disturb: nothing else runs beside it"):
        config.addinivalue_line("markers", line)
    if config.option.numprocesses and not hasattr(config, "workerinput"):
        if not FULL: os.environ.setdefault("OMP_NUM_THREADS", "1")   # threads of several processes would only wait for one another
        if forks.possible: forks.start()   # one for all processes


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    """One process more than there are cores, for many tests wait, where whole folders are tested; a file or a test that was named,
    and what is printed or debugged, stays in this one. `-n` has the last word."""
    o = config.option
    if not config.pluginmanager.hasplugin("xdist") or hasattr(config, "workerinput") or o.dist != "no" or o.collectonly or o.usepdb: return
    if o.numprocesses is None and o.capture != "no" and all(Path(a).is_dir() for a in config.args): o.numprocesses = min((os.cpu_count() or 1) + 1, 4)
    if o.numprocesses: o.dist, o.loadscopereorder = "loadscope", False


def group(nodeid):
    "What one process runs, one after the other: a notebook, the tests of a file (they share what is costly), those of the browser."
    file = nodeid.partition("::")[0]
    return nodeid if "::test_notebook_runs[" in nodeid else "ui" if "ui" in Path(file).parts else Path(file).stem


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    if config.option.dist != "loadscope": return None
    from xdist.scheduler import LoadScopeScheduling
    class Groups(LoadScopeScheduling):
        def _split_scope(self, nodeid): return group(nodeid)
    return Groups(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    "What takes long comes first, the notebooks fill the gaps, and those that run alone are the last."
    def rank(item):
        name = group(item.nodeid)
        return FIRST.index(name) if name in FIRST else len(FIRST) + ("::test_notebook_runs[" in name) * (1 + (item.get_closest_marker("alone") is not None))
    items.sort(key=rank)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    if not hasattr(item.config, "workerinput"): return (yield)
    with turn(Path(item.config.option.basetemp).parent, item.get_closest_marker("alone") is not None): return (yield)


@pytest.fixture
def vfr():
    "Call the installed `vfr` command as a user would."
    return lambda *args, **kw: command(bin / "vfr", *args, **kw)


@pytest.fixture(scope="session")
def data():
    "The folder of real data named by VFR_DATA: videos/, flickr8k/. Not part of the project."
    path = os.environ.get("VFR_DATA")
    if not path or not Path(path).is_dir(): pytest.skip("VFR_DATA does not name a folder of real data")
    return Path(path)
