"From file to vectors: memory that does not grow with the length, threads that end, answers that stay the same."
import json, os, shutil, signal, subprocess, sys, time

import numpy as np
import pytest
from forks import forked
from helpers import bin, command, fresh_cache, within
from vfr_lib.bench.speed import repeat_video
from vfr_lib.media.synthetic import brick_wall, make_clip

MEASURE = """
import json, resource, sys
import numpy as np
from vfr_lib.encoders.base import Encoder
from vfr_lib.search.embedding import embed_frames
class Mean(Encoder):
    name, dim = "mean", 512
    def _images(self, images): return [np.resize(np.asarray(i).mean((0, 1)) + 1, 512) for i in images]
v = embed_frames(sys.argv[1], Mean(), cache=False)
print(json.dumps([len(v), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""


def test_two_hours_take_no_more_memory_than_ten_minutes(tmp_path):
    minute = make_clip(tmp_path / "minute.mp4", [((i * 4 % 256, i * 9 % 256, 90), 1) for i in range(60)], fps=4, size=(160, 90))
    used = {}
    for minutes in (10, 120):
        r = command(sys.executable, "-c", MEASURE, repeat_video(minute, tmp_path / f"{minutes}.mp4", minutes), timeout=300)
        n, used[minutes] = json.loads(r.stdout)
        assert n == minutes * 60, r.stderr
    vectors = 110 * 60 * 512 * 4 / 2 ** 20
    assert used[120] - used[10] < 3 * vectors + 10, used   # the answer itself (twice while it is put together), and 20 bytes for every packet


def test_find_answers_early_and_the_same(vfr, tmp_path):
    scenes = [(brick_wall((i * 37 % 256, i * 91 % 256, i * 53 % 256)), 3) for i in range(40)]
    clip = make_clip(tmp_path / "walls.mp4", scenes, fps=4, options={"x264-params": "keyint=12"})
    early = vfr("find", clip, "a blue wall", "--no-cache")
    plain = forked(bin / "vfr", "find", clip, "a blue wall", "--no-cache", "--json")
    assert early.returncode == plain.returncode == 0 and early.stderr.startswith("first look: ") and plain.stderr == "", early.stderr + plain.stderr
    best = json.loads(plain.stdout)[0]
    assert f"{best['score']:.3f}" in early.stdout.splitlines()[1]


def test_second_question_needs_no_framework(tmp_path):
    clip = make_clip(tmp_path / "walls.mp4", [(brick_wall("red"), 2), (brick_wall("blue"), 2)], camera=False)
    env = {**os.environ, "VFR_CACHE": str(fresh_cache(tmp_path / "cache"))}
    assert forked(bin / "vfr", "find", clip, "a red wall", env=env).returncode == 0
    code = "import sys; from vfr_lib.cli import main; s = main(['find', sys.argv[1], 'a blue wall', '--json']); print([m for m in ('torch', 'openvino', 'transformers') if m in sys.modules], file=sys.stderr); sys.exit(s)"
    r = command(sys.executable, "-c", code, clip, env=env)
    assert r.returncode == 0 and json.loads(r.stdout)[0]["start"] == 2 and r.stderr.strip() == "[]", r.stderr


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(tmp_path):
    clip = make_clip(tmp_path / "walls.mp4", [(brick_wall("red"), 2), (brick_wall("blue"), 2)], camera=False)
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", "/proc/nowhere"):
        r = forked(bin / "vfr", "find", clip, "a blue wall", "--json", env={**os.environ, "VFR_CACHE": str(place)})
        assert r.returncode == 0 and json.loads(r.stdout)[0]["start"] == 2 and r.stderr == "", r.stderr


def test_interrupt_ends_within_a_second_and_leaves_nothing_half_written(tmp_path):
    clip = repeat_video(make_clip(tmp_path / "minute.mp4", [(brick_wall((i * 4 % 256, i * 9 % 256, 90)), 1) for i in range(60)], size=(160, 90)), tmp_path / "long.mp4", 60)
    env = {**os.environ, "VFR_CACHE": str(tmp_path / "cache")}
    def interrupted():
        shutil.rmtree(tmp_path / "cache", ignore_errors=True)
        fresh_cache(tmp_path / "cache")
        p = subprocess.Popen([sys.executable, "-u", "-c", "import sys; from vfr_lib.cli import main; sys.exit(main())", "find", str(clip), "a red wall"], env=env,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))   # who starts tests in the background may have it ignored
        line = p.stderr.readline()
        assert line.startswith("first look"), line
        time.sleep(0.5)
        start = time.monotonic()
        p.send_signal(signal.SIGINT)
        out, err = p.communicate(timeout=60)
        assert p.returncode == 1 and err.strip() == "vfr: stopped" and out == "", err
        return time.monotonic() - start
    within(3, interrupted)   # a second of ours, and the end of an interpreter
    assert not [f for f in (tmp_path / "cache").rglob(".*")]
    kept = [f for f in (tmp_path / "cache").rglob("*.npz") if "vectors" in np.load(f)]   # what was embedded so far, if two seconds had passed: the next run goes on from there
    assert len(kept) <= 1
    for f in kept:
        with np.load(f) as part: rows = {k: len(part[k]) for k in ("indices", "times", "vectors")}
        assert 0 < rows["indices"] < 3600 and set(rows.values()) == {rows["indices"]}, rows


def test_bench_checks_and_prints_ratios(vfr, tmp_path):
    clip = make_clip(tmp_path / "walls.mp4", [((i * 37 % 256, i * 91 % 256, 60), 1) for i in range(3)], fps=25, size=(640, 360))
    r = vfr("bench", clip, "--quick", "--json", timeout=600, env={**os.environ, "OMP_NUM_THREADS": "1"})   # it counts processor seconds: threads that wait for one another would count
    assert r.returncode == 0, r.stderr
    figures = json.loads(r.stdout)
    assert {"frames_video_vs_opencv", "pipeline_vs_naive", "query_ms", "startup_vs_torch_import", "least_cosine_with_naive", "engine"} <= set(figures)
    assert figures["startup_vs_torch_import"] < 1.5 and figures["least_cosine_with_naive"] > 0.95 and figures["pipeline_vs_naive"] > 0.8


def test_bench_refuses_what_is_no_video(vfr, tmp_path):
    (tmp_path / "letter.mp4").write_text("Dear reader")
    r = vfr("bench", tmp_path / "letter.mp4", "--quick")
    assert r.returncode == 2 and r.stdout == "" and r.stderr.count("\n") == 1, r.stderr
