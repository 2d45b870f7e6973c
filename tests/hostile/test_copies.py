"A copy for the browser that is cut off: FFmpeg ends, and what is left goes, at the latest when the next process makes a player."
import os, signal, subprocess, sys, time
from pathlib import Path

import pytest
from vfr_lib.media.download import ffmpeg

begin = """import sys, time; from vfr_lib.ui.player import Player, _start_copy
p = Player(sys.argv[1], lines=[]); _start_copy(p)
while not p.job.progress.get("done") and not p.job.over: time.sleep(0.02); p.job.wait(0)
print("copying", p.job.over, flush=True); """


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    "Long enough to be in work for a while."
    path = tmp_path_factory.mktemp("films") / "long.avi"
    subprocess.run([ffmpeg(), "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=640x360:r=25:d=120", "-c:v", "mpeg4", "-q:v", "10", path], check=True)
    return path


def ffmpegs(folder):
    lines = []
    for p in Path("/proc").glob("[0-9]*/cmdline"):
        try: lines.append(p.read_bytes())
        except OSError: pass
    return [line for line in lines if os.fsencode(str(folder / "copies")) in line]


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
@pytest.mark.parametrize("end, signum", [("", None), ("time.sleep(60)", signal.SIGTERM), ("time.sleep(60)", signal.SIGKILL)])
def test_nothing_stays_of_a_copy_that_is_cut_off(film, tmp_path, end, signum):
    env = {**os.environ, "VFR_CACHE": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", begin + end, film], env=env, stdout=subprocess.PIPE, text=True) as p:
        try:
            assert p.stdout.readline() == "copying False\n"
            if signum: assert ffmpegs(tmp_path); p.send_signal(signum)
            p.wait(20)
        finally: p.kill()
    until = time.monotonic() + 3
    while ffmpegs(tmp_path) and time.monotonic() < until: time.sleep(0.05)
    assert not ffmpegs(tmp_path)
    left = [x.suffix for x in (tmp_path / "copies").iterdir()]
    assert sorted(left) == ([".lock", ".part"] if signum else [])
    if signum:
        said = subprocess.run([sys.executable, "-c", "from vfr_lib.cache import cache_usage; print(cache_usage()['copies'][0])"], env=env, capture_output=True, text=True).stdout
        assert said == "1\n"   # `vfr cache` shows it
    if signum == signal.SIGKILL:
        subprocess.run([sys.executable, "-c", "import sys; from vfr_lib.ui.player import Player; Player(sys.argv[1], lines=[])", film], env=env, check=True)
        assert not list((tmp_path / "copies").iterdir())
