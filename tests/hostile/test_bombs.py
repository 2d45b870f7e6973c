"Small files that unpack to large ones, and large ones that say little: each is read or refused in less than 700 MiB."
import struct, subprocess, sys, zlib
from pathlib import Path

import pytest

MOST = 700   # MiB of resident memory, of the whole process

RUN = """
import sys, warnings
from pathlib import Path
warnings.simplefilter("ignore")
from vfr_lib.core import VfrError
try: {code}
except VfrError as e: said = str(e)
most = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))   # getrusage counts whoever started it, too
print(int(most.split()[1]) >> 10, " ".join(str(said).split())[:300])
"""
CAPTIONS = "from vfr_lib.media.transcript import read_transcript; said = len(read_transcript(sys.argv[1]))"
FILM = "from vfr_lib.media.frames import iter_frames; said = len(list(iter_frames(sys.argv[1])))"
QUERY = "from vfr_lib.search.query import Query; said = Query.image(sys.argv[1])"


def png(path, side=30000):
    "A picture of one colour, some kB that unpack to gigabytes."
    part = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    pack = zlib.compressobj(9)
    rows = b"".join(pack.compress(bytes(1 + 3 * side)) for _ in range(side // 10)) + pack.flush()
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + part(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)) + part(b"IDAT", rows) + part(b"IEND", b""))


def gif(path, side=60000):
    path.write_bytes(b"GIF89a" + struct.pack("<HHBBB", side, side, 0x80, 0, 0) + bytes(6) + (b"," + struct.pack("<HHHHB", 0, 0, side, side, 0) + b"\x02\x02\x4c\x01\x00") * 50 + b";")


def one_line(path): path.write_text("1\n00:00:01,000 --> 00:00:02,000\n" + "word " * 6_000_000)
def many_cues(path): path.write_text("WEBVTT\n\n" + "00:01.000 --> 00:02.000\na\n\n" * 1_200_000)
def open_tags(path): path.write_text("1\n00:00:01,000 --> 00:00:02,000\n" + "<b>{\\b1}&lt;" * 2_000_000)
def arrows(path): path.write_text("-->" * 8_000_000)
def styled(path): path.write_text("[Events]\n" + "Dialogue: 0,0:00:01.00,0:00:02.00,,,,,,," + "{\\p1}m 0 0{\\p0}x" * 1_500_000)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="how much memory a process took at most is read from /proc")
@pytest.mark.parametrize("make, name, code", [
    (one_line, "a.srt", CAPTIONS), (many_cues, "a.vtt", CAPTIONS), (open_tags, "b.srt", CAPTIONS), (arrows, "c.srt", CAPTIONS), (styled, "a.ass", CAPTIONS),
    (png, "a.png", FILM), (png, "a.mp4", FILM), (gif, "a.gif", FILM), (png, "b.png", QUERY), (gif, "b.gif", QUERY)], ids=lambda v: v if isinstance(v, str) and "." in v and " " not in v else getattr(v, "__name__", ""))
def test_a_bomb_is_read_or_refused_in_little_memory(make, name, code, tmp_path):
    make(tmp_path / name)
    r = subprocess.run([sys.executable, "-c", RUN.format(code=code), str(tmp_path / name)], capture_output=True, text=True, timeout=60)
    assert r.returncode == 0, r.stderr[-2000:]
    memory, said = r.stdout.split(" ", 1)
    assert int(memory) < MOST, (memory, said)
    if code != CAPTIONS: assert said.strip().startswith(str(tmp_path)) or "pixels" in said, said   # refused by name
