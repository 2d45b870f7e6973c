"What is common to all tests, and how they share the machine: two run at a time, but for those marked `alone`."
import os
from pathlib import Path

import pytest
from helpers import bin, command, turn

FIRST = "test_cluster", "test_processes", "ui", "test_training", "test_library"   # those that take long


def pytest_configure(config):
    for line in ("quick: a first answer, in 90 seconds: pytest -m quick", "alone: it measures, takes all processors or has a second for something: nothing else runs beside it",
                 "xdist_group: tests that one process runs, one after the other"): config.addinivalue_line("markers", line)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    "Two processes where whole folders are tested; a file or a test that was named, and what is printed or debugged, stays in this one. `-n` has the last word."
    if not config.pluginmanager.hasplugin("xdist") or hasattr(config, "workerinput"): return
    o = config.option
    if o.numprocesses is None and o.dist == "no" and not (o.collectonly or o.usepdb or o.capture == "no") and all(Path(a).is_dir() for a in config.args):
        o.numprocesses, o.dist, o.loadscopereorder = 2, "loadgroup", False


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    "A notebook is a group of its own, the tests of a file are one for they share what is costly, those of the browser are one, and those that run alone come last."
    rank = {}
    for item in items:
        alone, name = item.get_closest_marker("alone"), "ui" if item.path.parent.name == "ui" else item.path.stem
        one = item.name.startswith("test_notebook_runs")
        if name != "ui" and alone: name = "alone"
        elif one: name = item.name
        if name != item.name: item.add_marker(pytest.mark.xdist_group(name))
        rank[item] = FIRST.index(name) if name in FIRST else len(FIRST) + one + 2 * (name == "alone")
    items.sort(key=rank.get)


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
