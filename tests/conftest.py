import os
from pathlib import Path

import pytest
from helpers import bin, command


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
