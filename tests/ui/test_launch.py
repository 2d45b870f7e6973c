"What `vfr demo --app` leaves when it is ended: nothing."
import os, signal, socket, subprocess, sys
from pathlib import Path

import psutil, pytest
from conftest import _environment, _until


@pytest.mark.parametrize("end, status", [(lambda p: p.send_signal(signal.SIGTERM), 143), (lambda p: os.killpg(p.pid, signal.SIGHUP), 129)])   # to it alone, as a container does; a closed terminal
def test_the_end_of_it_ends_the_server_and_its_folder(tmp_path, end, status):
    temporary, log = tmp_path / "tmp", tmp_path / "log"
    temporary.mkdir()
    with socket.socket() as s: s.bind(("127.0.0.1", 0)); port = s.getsockname()[1]
    env = {**_environment(tmp_path, tmp_path / "cache"), "TMPDIR": str(temporary)}
    command = [Path(sys.executable).parent / "vfr", "demo", "--app", "--", "--no-browser", f"--port={port}"]
    with open(log, "wb") as out: p = subprocess.Popen(command, cwd=tmp_path, env=env, stdout=out, stderr=out, stdin=subprocess.DEVNULL, start_new_session=True)
    family = []
    try:
        _until(lambda: "?token=" in log.read_text(), p, log)
        family = psutil.Process(p.pid).children(recursive=True)
        assert family and list(temporary.glob("vfr-demo-*/vfr-demo.ipynb"))
        end(p)
        assert p.wait(60) == status
        assert not psutil.wait_procs(family, timeout=20)[1] and not list(temporary.iterdir())
    finally:
        p.kill()
        for child in family:
            if child.is_running(): child.kill()
