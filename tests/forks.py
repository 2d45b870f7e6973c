"""Python programs as forks of one process that has imported what is slow to import, and nothing more.
For tests of what such a program does; how it starts is tested by programs that start. The process has done no work and
has one thread, so its forks are as fresh as any process, but for seconds of imports that they are spared."""
import atexit, gc, importlib, json, os, select, signal, socket, struct, subprocess, sys, threading
from pathlib import Path

PLACE = "VFR_TEST_FORKS"   # the environment's name for the socket, for those who share one such process
IMPORTS = ("nbdev.test", "numpy", "scipy.optimize", "scipy.stats", "skimage.data", "matplotlib.pyplot", "torch", "torchvision.transforms.v2", "torchvision.models",
           "transformers.models.distilbert.modeling_distilbert", "torch._dynamo", "accelerate", "safetensors.torch", "av", "cv2", "yt_dlp", "psutil", "ipywidgets", "lance_namespace_urllib3_client")   # not lancedb, ray, pyarrow, openvino: they have threads
possible = sys.platform == "linux"


def serve(listener, without=()):
    "Fork for everyone who connects; says the fork's id and, when it has ended, how. Returns in the fork, with what it has to run."
    for name in IMPORTS:
        if name in without: continue
        try: importlib.import_module(name)
        except ImportError: pass
        if len(os.listdir("/proc/self/task")) > 1: os.execv(sys.executable, [sys.executable, __file__, str(listener.fileno()), *without, name])   # no fork would have that thread: anew without it
    gc.collect(); gc.freeze()   # what is here stays shared
    running, (wake, woken) = {}, os.pipe()
    os.set_blocking(woken, False)
    signal.signal(signal.SIGCHLD, lambda *a: None); signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    while True:
        ready = select.select([listener, wake, 0], [], [])[0]
        if 0 in ready: os._exit(0)   # the tests have ended
        if wake in ready:
            os.read(wake, 1000)
            for pid in list(running):
                if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                    try: running.pop(pid).sendall(struct.pack("i", status))
                    except OSError: pass   # nobody waits for it
        if listener not in ready: continue
        asker, parts = listener.accept()[0], []
        first, given, *_ = socket.recv_fds(asker, 1, 2)
        while part := asker.recv(1 << 20): parts.append(part)
        pid = os.fork()
        if pid:
            for fd in given: os.close(fd)
            running[pid] = asker
            try: asker.sendall(struct.pack("i", pid))
            except OSError: pass
            continue
        signal.set_wakeup_fd(-1); signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for s in (listener, asker, *running.values()): s.close()
        for fd in (wake, woken): os.close(fd)
        given = [*given, os.open(os.devnull, os.O_RDONLY)]
        for fd, place in zip(given, (1, 2, 0)): os.dup2(fd, place); os.close(fd)
        return json.loads(b"".join(parts))


def main(listener, *without):
    job = serve(socket.socket(fileno=int(listener)), without)
    os.environ.clear(); os.environ.update(job["env"])
    os.chdir(job["cwd"])
    sys.path[0], sys.argv = str(Path(job["args"][0]).parent), job["args"]
    if "numpy" in sys.modules: sys.modules["numpy"].random.seed()   # or all would draw the same
    import runpy
    for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep)[::-1]:   # as at a start
        if folder and folder not in sys.path: sys.path.insert(1, folder)
        if (own := Path(folder) / "sitecustomize.py").is_file(): runpy.run_path(str(own))
    runpy.run_path(job["args"][0], run_name="__main__")


class Fork:
    "As `subprocess.Popen` of a Python program, given by its file, and its arguments."
    def __init__(self, args, stdout=None, stderr=None, env=None, cwd=None):
        self.args, self.returncode, self.stdout, self.stderr, ends = [str(a) for a in args], None, None, None, []
        for name, there, usual in (("stdout", stdout, 1), ("stderr", stderr, 2)):
            if there == subprocess.PIPE: here, there = os.pipe(); setattr(self, name, open(here)); ends.append(there)
            elif there == subprocess.DEVNULL: ends.append(os.open(os.devnull, os.O_WRONLY))
            else: ends.append(os.dup(usual if there is None else there.fileno()))
        self._said = socket.socket(socket.AF_UNIX)
        self._said.connect(place())
        socket.send_fds(self._said, [b"x"], ends)
        for fd in ends: os.close(fd)
        self._said.sendall(json.dumps(dict(args=self.args, env=dict(os.environ if env is None else env), cwd=str(cwd or os.getcwd()))).encode())
        self._said.shutdown(socket.SHUT_WR)
        self.pid = self._number(None)

    def _number(self, seconds):
        if not select.select([self._said], [], [], seconds)[0]: raise subprocess.TimeoutExpired(self.args, seconds)
        if len(said := self._said.recv(4, socket.MSG_WAITALL)) < 4: raise RuntimeError("the process that forks has ended")
        return struct.unpack("i", said)[0]

    def wait(self, timeout=None):
        if self.returncode is None: self.returncode = self._number(timeout); self._said.close()
        return self.returncode

    def poll(self):
        try: return self.wait(0)
        except subprocess.TimeoutExpired: return None

    def send_signal(self, number):
        if self.poll() is None: os.kill(self.pid, number)

    def kill(self): self.send_signal(signal.SIGKILL)

    def communicate(self, timeout=None):
        "(what it wrote to its standard output, and to its standard error)"
        said = {}
        readers = [threading.Thread(target=lambda n=n, f=f: said.update({n: f.read()}), daemon=True) for n, f in enumerate((self.stdout, self.stderr)) if f]
        for r in readers: r.start()
        self.wait(timeout)
        for r in readers: r.join()
        for f in (self.stdout, self.stderr): f and f.close()
        return said.get(0), said.get(1)


def start():
    "Start the process that forks; it ends with this one."
    import tempfile
    folder = tempfile.mkdtemp(prefix="vfr-forks-")   # a short name: sockets want that
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{folder}/s"); listener.listen(100)
        server = subprocess.Popen([sys.executable, __file__, str(listener.fileno())], pass_fds=[listener.fileno()], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                  env={**os.environ, "OMP_NUM_THREADS": "1"})
    os.environ[PLACE] = f"{folder}/s"
    def end():
        server.stdin.close(); server.wait()
        os.unlink(f"{folder}/s"); os.rmdir(folder)
        os.environ.pop(PLACE, None)
    atexit.register(end)


def place():
    if PLACE not in os.environ: start()
    return os.environ[PLACE]


def popen(args, **kw): return Fork(args, **kw) if possible else subprocess.Popen([sys.executable, *map(str, args)], text=True, **kw)


def forked(*args, timeout=300, **kw):
    "Run a program to its end and keep what it said, as `helpers.command` does with a process that starts."
    p = popen(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kw)
    try: out, err = p.communicate(timeout)
    except subprocess.TimeoutExpired: p.kill(); p.wait(); raise
    return subprocess.CompletedProcess(p.args, p.returncode, out, err)


if __name__ == "__main__": main(*sys.argv[1:])
