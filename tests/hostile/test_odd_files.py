"Files that say odd things of their pictures, against what FFmpeg's own program makes of them."
import subprocess

import numpy as np
import pytest

from vfr_lib.export.timelines import varies
from vfr_lib.media.download import ffmpeg
from vfr_lib.media.frames import frames_between, probe

pytestmark = pytest.mark.quick
SOURCE = "-f", "lavfi", "-i", "testsrc=size=96x64:rate=10:duration=1"


def run(*args):
    r = subprocess.run([ffmpeg(), "-v", "error", "-nostdin", "-y", *map(str, args)], capture_output=True, timeout=60)
    assert r.returncode == 0, r.stderr
    return r.stdout


@pytest.mark.parametrize("left, right", [(16, 16), (2, 0), (0, 32)])
def test_columns_that_are_not_to_be_shown(tmp_path, left, right):
    film = tmp_path / "film.mp4"
    run(*SOURCE, "-c:v", "libx264", "-bsf:v", f"h264_metadata=crop_left={left}:crop_right={right}", film)
    width = 96 - left - right
    wanted = np.frombuffer(run("-i", film, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"), np.uint8).reshape(-1, 64, width, 3)
    seen = np.stack([f.image for f in frames_between(film, 0)])
    assert probe(film).width == width and seen.shape == wanted.shape and np.abs(seen.astype(int) - wanted).max() <= 4


def test_a_tape_that_was_copied_as_it_is(tmp_path):
    tape = tmp_path / "tape.dv"
    run(*SOURCE, "-c:v", "dvvideo", "-s", "720x576", "-r", 25, "-pix_fmt", "yuv420p", tape)
    about = probe(tape)
    assert about.fps == 25 and about.duration == 1 and (about.width, about.height) == (768, 576) and not varies(tape)
