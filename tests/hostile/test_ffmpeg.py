"""FFmpeg ends when whoever asked for it ends, also by SIGKILL; it opens nothing but the file it was given."""
import os, signal, subprocess, sys, time
from pathlib import Path

import pytest

from vfr_lib.core import VfrError
from vfr_lib.export.ffmpeg import ffmpeg_input, run_ffmpeg
from vfr_lib.media.synthetic import make_clip

LONG = ["-re", "-f", "lavfi", "-i", "testsrc2=d=600", "-f", "null"]


def running(mark):
    "The ids of the processes whose command line holds `mark`."
    found = []
    for p in Path("/proc").glob("[0-9]*"):
        try: line = (p / "cmdline").read_bytes().decode(errors="replace")
        except OSError: continue
        if mark in line and "testsrc2" in line: found.append(int(p.name))
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, "the guard"])
def test_ffmpeg_ends_with_its_parent(how, tmp_path):
    mark = f"mark-{how}-{os.getpid()}"
    code = f"from vfr_lib.export.ffmpeg import run_ffmpeg; run_ffmpeg({[*LONG, '-metadata', f'title={mark}', '-']!r}, 'x')"
    parent = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 30
        while len(running(mark)) < 3 and time.monotonic() < until: time.sleep(0.05)   # the parent, the guard, FFmpeg
        children = [p for p in running(mark) if p != parent.pid]
        assert len(children) == 2
        if how == "the guard": os.kill(min(children), signal.SIGKILL)
        else: parent.send_signal(how)
        until = time.monotonic() + 3
        while running(mark) and time.monotonic() < until: time.sleep(0.05)
        left = [p for p in running(mark) if p != parent.pid]
        assert not left
    finally: parent.kill(); parent.wait()


def test_a_list_of_other_files_is_not_followed(tmp_path):
    secret = make_clip(tmp_path / "secret.mp4", [("red", 0.5)], size=(32, 32))
    posing = tmp_path / "posing.mp4"
    arguments = ffmpeg_input(secret)
    posing.write_text("ffconcat version 1.0\nfile secret.mp4\n")
    with pytest.raises(VfrError, match="could not be converted"):
        run_ffmpeg([*arguments[:-1], f"file:{posing}", "-f", "null", "-"], posing)
    run_ffmpeg([*arguments, "-f", "null", "-"], secret)
