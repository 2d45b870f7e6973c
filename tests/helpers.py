"What the tests share."
import os, subprocess, sys
from pathlib import Path

root = Path(__file__).parent.parent
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


def command(*args, timeout=300, **kw):
    "Run a command and keep what it said."
    return subprocess.run([str(a) for a in args], capture_output=True, text=True, timeout=timeout, **kw)
