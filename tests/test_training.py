"Training as a user meets it: killed and resumed, a full disk, bad input, one line each."
import json, os, resource, signal, subprocess, time

import pytest
from forks import forked, popen
from helpers import NARROW, bin, command, in_process, narrow
from vfr_lib.encoders.dual import toy_encoder
from vfr_lib.encoders.load import save_encoder
from vfr_lib.train.datasets import tiny_flickr8k

settings = ["epochs=3", "batch_size=4", "head_epochs=2", "crop=48", "bf16=false", "save_minutes=0", "ema=0.5"]
words = ("a", "wall", "everything", "is", "red", "green", "blue", "yellow", "white", "black", "pink", "brown")


environment = {**os.environ, "PYTHONPATH": NARROW}


def run(*args, **kw): return command(*args, env=environment, **kw)


def process(*args): return run(bin / "vfr", *args)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("training")
    tiny_flickr8k(folder / "tiny")
    with narrow():
        save_encoder(toy_encoder(words), folder / "toy")
        yield folder


def arguments(world, out, *more, given=settings):
    return [bin / "vfr", "train", "flickr8k", world / "tiny", "--start", world / "toy", "--out", out,
            *(a for s in given for a in ("--set", s)), *more]


def test_killed_and_resumed_gives_the_same_weights(world):
    whole = run(*arguments(world, world / "whole"))   # as a user starts it
    assert whole.returncode == 0, whole.stderr
    out, state = world / "killed", world / "killed/state.pt"
    p = popen(arguments(world, out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    try:
        for _ in range(1200):
            if state.exists() or p.poll() is not None: break
            time.sleep(0.05)
        p.send_signal(signal.SIGKILL)
    finally: p.wait(30)
    assert p.returncode == -signal.SIGKILL, "the run ended before it could be killed"
    resumed = forked(*arguments(world, out, "--resume"), env=environment)
    assert resumed.returncode == 0, resumed.stderr
    weights = [(f / "last/model.safetensors").read_bytes() for f in (world / "whole", out)]
    assert weights[0] == weights[1]
    dev = [[h["dev"] for h in json.loads((f / "history.json").read_text())] for f in (world / "whole", out)]
    assert dev[0] == dev[1] and len(dev[0]) == 5
    assert not [f for f in out.iterdir() if f.name.startswith(".") and f.is_dir()], "a half-written encoder was left behind"


def test_full_disk_keeps_the_old_encoder(world):
    out = world / "full"
    first = forked(*arguments(world, out, given=["cached=true", "epochs=1"]), env=environment)
    assert first.returncode == 0, first.stderr
    before = {f: f.read_bytes() for f in out.rglob("*") if f.is_file()}
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2 ** 20, 2 ** 20))
    r = run(*arguments(world, out, given=["cached=true", "epochs=2"]), preexec_fn=limit)
    assert r.returncode == 2 and r.stderr.strip().splitlines()[-1].startswith("vfr: cannot") and "Traceback" not in r.stderr, r.stderr
    assert {f: f.read_bytes() for f in out.rglob("*") if f.is_file()} == before


@pytest.mark.parametrize("change, said, vfr", [   # the first as a user starts it
    (lambda d: (d / "images/dev_red.jpg").unlink(), "dev_red.jpg is missing", process),
    (lambda d: (d / "images/train_red.jpg").write_bytes(b"no picture"), "train_red.jpg cannot be read as a picture", in_process),
    (lambda d: (d / "Flickr8k.token.txt").write_text("train_red.jpg#0 no tab\n"), "line 1", in_process),
    (lambda d: (d / "Flickr8k.token.txt").unlink(), "has no captions", in_process),
], ids=["missing picture", "broken picture", "malformed line", "no captions"])
def test_bad_data_is_one_line(world, tmp_path, change, said, vfr):
    change(tiny_flickr8k(tmp_path / "tiny"))
    r = vfr("train", "flickr8k", tmp_path / "tiny", "--start", world / "toy", "--out", tmp_path / "out", "--set", "epochs=1", "--set", "batch_size=4")
    assert r.returncode == 2 and said in r.stderr.splitlines()[-1] and "Traceback" not in r.stderr, r.stderr


@pytest.mark.parametrize("given, said", [(["batch_size=1"], "batch_size 1"), (["batch_size=64"], "larger than the data"), (["temperature=0"], "temperature 0"), (["temperature=-1"], "temperature -1")])
def test_settings_that_cannot_work_are_one_line(world, tmp_path, given, said):
    r = in_process(*arguments(world, tmp_path / "out", given=given)[1:])
    assert r.returncode == 2 and said in r.stderr and r.stderr.count("\n") == 1, r.stderr


def test_damaged_and_foreign_encoders_are_one_line(world, tmp_path):
    (tmp_path / "encoder").mkdir()
    for name in ("config.json", "tokenizer.json"): (tmp_path / "encoder" / name).write_bytes((world / "toy" / name).read_bytes())
    (tmp_path / "encoder/model.safetensors").write_bytes((world / "toy/model.safetensors").read_bytes()[:5000])
    evaluate = ["evaluate", "flickr8k", world / "tiny", "--encoder", tmp_path / "encoder"]
    r = in_process(*evaluate)
    assert r.returncode == 2 and "damaged" in r.stderr and r.stderr.count("\n") == 1, r.stderr
    config = json.loads((tmp_path / "encoder/config.json").read_text())
    config["architecture"]["embed_dim"] = 256
    (tmp_path / "encoder/config.json").write_text(json.dumps(config))
    (tmp_path / "encoder/model.safetensors").write_bytes((world / "toy/model.safetensors").read_bytes())
    r = in_process(*evaluate)
    assert r.returncode == 2 and r.stderr.count("\n") == 1 and "Traceback" not in r.stderr, r.stderr
