"What `vfr demo --app` leaves when it is ended: nothing."
import signal, socket, subprocess, sys
from pathlib import Path

import psutil
from conftest import _environment, _until


def test_sigterm_ends_the_server_and_its_folder(tmp_path):
    temporary, log = tmp_path / "tmp", tmp_path / "log"
    temporary.mkdir()
    with socket.socket() as s: s.bind(("127.0.0.1", 0)); port = s.getsockname()[1]
    env = {**_environment(tmp_path, tmp_path / "cache"), "TMPDIR": str(temporary)}
    command = [Path(sys.executable).parent / "vfr", "demo", "--app", "--", "--no-browser", f"--port={port}"]
    with open(log, "wb") as out: p = subprocess.Popen(command, cwd=tmp_path, env=env, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    family = []
    try:
        _until(lambda: "?token=" in log.read_text(), p, log)
        family = psutil.Process(p.pid).children(recursive=True)
        assert family and list(temporary.glob("vfr-demo-*/vfr-demo.ipynb"))
        p.send_signal(signal.SIGTERM)   # to it alone, as a container does
        assert p.wait(20) == 143
        assert not psutil.wait_procs(family, timeout=5)[1] and not list(temporary.glob("vfr-demo-*"))
    finally:
        p.kill()
        for child in family:
            if child.is_running(): child.kill()
