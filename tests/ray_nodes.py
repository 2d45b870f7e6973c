"A Ray cluster of several nodes on this machine, each started as on a machine of its own, and ended by its own process group."
import os, shutil, signal, socket, subprocess, tempfile, time
from pathlib import Path

from helpers import bin

QUICK = dict(RAY_AUTH_MODE="disabled", RAY_USAGE_STATS_ENABLED="0", RAY_health_check_period_ms="1000", RAY_health_check_initial_delay_ms="1000", RAY_health_check_failure_threshold="8", RAY_idle_worker_killing_time_threshold_ms="120000",   # a dead node is noticed after seconds
             RAY_agent_register_timeout_ms="180000", RAY_raylet_start_wait_time_s="180")   # a slow machine is waited for


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Nodes:
    def __init__(self, env=None):
        self.port, self.folder, self.nodes = free_port(), Path(tempfile.mkdtemp(prefix="ray-")), []   # a short name: sockets lie in it
        (stub := self.folder / "quick").mkdir()
        (stub / "rfc3987_syntax.py").write_text("raise ImportError")   # a grammar on which every process of Ray would spend 1.5 s
        self.env = {**os.environ, **QUICK, **(env or {}), "PYTHONPATH": os.pathsep.join([str(stub), (env or {}).get("PYTHONPATH", "")]).strip(os.pathsep)}
        self.head = self.add("--head", f"--port={self.port}", "--include-dashboard=false", f"--temp-dir={self.folder}")
        self.address = f"{self.host}:{self.port}"

    def add(self, *args, hidden=None):
        "Start a node with one processor; `hidden`: a folder that it cannot see."
        args = [*(args or [f"--address={self.address}"]), "--num-cpus=1", "--object-store-memory=200000000", "--block", "--log-style=record"]
        command = [str(bin / "ray"), "start", *args]
        if hidden: command = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs none "$0" && exec "$@"', str(hidden), *command]
        log = open(self.folder / f"node {len(self.nodes)}.log", "w+")
        process = subprocess.Popen(command, env=self.env, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        self.nodes.append(process)
        for _ in range(600):
            text = Path(log.name).read_text()
            if "Local node IP" in text and "runtime started" in text: break
            assert process.poll() is None, text
            time.sleep(0.2)
        else: raise AssertionError(f"a node did not start: {text}")
        self.host = text.split("Local node IP: ")[1].split()[0].strip("'\"\x1b[0m")
        return process

    def kill(self, process):
        "The whole node at once, as when a plug is pulled."
        for pid in self.processes(process): _kill(pid)
        process.wait(30)

    def processes(self, process):
        "Ids of everything that a node started."
        return [int(p) for p in subprocess.run(["ps", "-o", "pid=", "-s", str(process.pid)], capture_output=True, text=True).stdout.split()]

    def workers(self, process):
        "{id: what it does} of the node's workers that are at work."
        lines = subprocess.run(["ps", "-o", "pid=,args=", "-s", str(process.pid)], capture_output=True, text=True).stdout.splitlines()
        return {int(l.split()[0]): l.split(None, 1)[1] for l in lines if " ray::" in l and "IDLE" not in l}

    def close(self):
        for node in reversed(self.nodes):
            if node.poll() is None: self.kill(node)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self): return self
    def __exit__(self, *e): self.close()


def _kill(pid):
    try: os.kill(pid, signal.SIGKILL)
    except ProcessLookupError: pass


def can_hide():
    "Whether this system lets us give a node a view of its own on the disk."
    return bool(shutil.which("unshare")) and subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode == 0
