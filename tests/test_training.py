"Training as a user meets it: killed and resumed, a full disk, bad input, one line each."
import json, os, resource, shutil, signal, subprocess, time

import pytest
from forks import forked, popen
from helpers import NARROW, bin, command, in_process, narrow
from vfr_lib.encoders.dual import toy_encoder
from vfr_lib.encoders.load import save_encoder
from vfr_lib.train.datasets import tiny_flickr8k

settings = ["epochs=3", "batch_size=4", "head_epochs=2", "crop=48", "bf16=false", "save_minutes=0", "ema=0.5"]
words = ("a", "wall", "everything", "is", "red", "green", "blue", "yellow", "white", "black", "pink", "brown")


environment = {**os.environ, "PYTHONPATH": NARROW, "OMP_NUM_THREADS": "1"}


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


def test_pictures_on_the_device_an_ensemble_and_rare_looks_at_dev(world):
    given = [*settings, "epochs=4", "head_epochs=0", "resident=true", "dev_every=3",
             f'ensemble=["{world / "toy"}"]', "ensemble_weight=0.5"]
    result = run(*arguments(world, world / "followed", given=given))
    assert result.returncode == 0, result.stderr
    history = json.loads((world / "followed/history.json").read_text())
    assert [h["epoch"] for h in history] == [3, 4] and all(0 < h["loss"] < 10 for h in history)
    card = json.loads((world / "followed/last/config.json").read_text())["training"]
    assert card["ensemble"] == ["toy"] and card["resident"]
    result = run(*arguments(world, world / "nobody", given=[*settings, 'ensemble=["/nowhere"]']))
    assert result.returncode and "nowhere" in result.stderr and "Traceback" not in result.stderr


def test_bf16_false_is_float32_in_dev_scores_too(world, monkeypatch):
    from vfr_lib.encoders import base, dual
    from vfr_lib.train import loop
    from vfr_lib.train.datasets import flickr8k
    monkeypatch.setattr(dual, "gains_by_bf16", lambda device: True)   # whatever a noisy measure says
    model, dev = toy_encoder(words), flickr8k(world / "tiny", "dev")
    pictures = [base.open_image(i.path) for i in dev.items]
    exact, rounded = (loop._dev_vectors(model, dev, loop.TrainConfig(bf16=b), loop.ProcessGroup())[0] for b in (False, True))
    by_itself = model.encode_images(pictures)
    assert model.bf16 is None and (by_itself == rounded).all() and (exact != rounded).any()
    model.bf16 = False
    assert (model.encode_images(pictures) == exact).all()


def test_bf16_false_is_float32_in_the_ensemble_too(world, monkeypatch):
    import torch
    from vfr_lib.encoders import dual
    from vfr_lib.train.config import TrainConfig
    from vfr_lib.train.ensemble import Ensemble
    monkeypatch.setattr(dual, "gains_by_bf16", lambda device: True)
    pixels = torch.randint(256, (4, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    exact, rounded, measured = (Ensemble([world / "toy"], "cpu", TrainConfig(captions=1, bf16=b)).opinion(pixels, [["red"]] * 4)[0] for b in (False, True, None))
    assert (measured == rounded).all() and (exact != rounded).any()


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


@pytest.fixture(scope="module")
def teacher(world):
    "A classifier with random weights, in torchvision's layout."
    import torch
    from torchvision.models import resnet50
    torch.manual_seed(0)
    torch.save(resnet50().state_dict(), world / "teacher.pth")
    return world / "teacher.pth"


@pytest.fixture(scope="module")
def coco(world):
    "The tiny world in the layout of COCO's folder, one caption a picture."
    from vfr_lib.train.datasets import flickr8k
    folder, lines = world / "coco", []
    shutil.copytree(world / "tiny/images", folder / "images")
    for split in ("train", "dev", "test"):
        items = flickr8k(world / "tiny", split).items
        (folder / f"{split}.txt").write_text("\n".join(it.path.name for it in items))
        lines += [f"{it.path.name}\t{it.captions[0]}\n" for it in items]
    (folder / "captions.tsv").write_text("".join(lines))
    return folder


def test_two_sets_and_a_teacher(world, coco, teacher):
    out = world / "taught"
    given = ["epochs=1", "batch_size=8", "head_epochs=0", "crop=48", "bf16=false", "distil=0.5", f"teacher={teacher}",
             "crop_ratio=[0.6, 1.6]", "image_stages=1"]
    r = in_process(*arguments(world, out, "--also", f"coco={coco}", given=given)[1:])
    assert r.returncode == 0, r.stderr
    row = json.loads((out / "history.json").read_text())[0]
    assert row["beside"]["coco"]["R@10"] == 100 and 0 < row["loss"] < 20
    card = json.loads((out / "encoder/config.json").read_text())
    assert card["training"]["teacher"] == "teacher.pth" and card["data"].startswith("flickr8k+coco train: 16 pictures")


def test_the_teacher_is_part_of_the_loss(world, teacher):
    import torch
    from vfr_lib.train.datasets import flickr8k
    from vfr_lib.train.loop import BothHalves, TrainConfig, batch_gradients
    from vfr_lib.train.teacher import Teacher, teacher_logits
    train, model = flickr8k(world / "tiny"), toy_encoder(words)
    taught = Teacher(teacher_logits(teacher, train, progress=False), TrainConfig(distil=0.5, teacher=str(teacher)))
    pixels = torch.randint(256, (8, 3, 48, 48), dtype=torch.uint8)
    texts = [list(it.captions) for it in train.items]
    config = TrainConfig(bf16=False)
    both = BothHalves(model, config)
    def more(rows, temperature): return taught.loss(model, list(range(8)), 0, rows[:, 0])
    plain = batch_gradients(both, pixels, texts, config).item()
    both.more = more
    with_teacher = batch_gradients(both, pixels, texts, config).item()
    assert with_teacher > plain + 0.1
    assert abs(batch_gradients(both, pixels, texts, TrainConfig(bf16=False, micro_batch=3)).item() - with_teacher) < 1e-3


def test_a_run_by_the_clock_ends_when_the_time_is_up(world):
    out = world / "clock"
    given = ["epochs=500", "minutes=0.02", "batch_size=8", "head_epochs=0", "crop=48", "bf16=false"]
    r = in_process(*arguments(world, out, given=given)[1:])
    assert r.returncode == 0, r.stderr
    assert 1 <= len(json.loads((out / "history.json").read_text())) < 100
    longer = in_process(*arguments(world, out, "--resume", given=[*given, "minutes=0.04"])[1:])   # there is more time after all
    assert longer.returncode == 0, longer.stderr


@pytest.mark.parametrize("also, said", [("coco", "must be a set and its folder"), ("msrvtt=x", "must be a set and its folder"),
                                        ("coco=/nowhere", "is not a folder")])
def test_other_sets_that_cannot_be_read_are_one_line(world, also, said):
    r = in_process(*arguments(world, world / "also", "--also", also)[1:])
    assert r.returncode == 2 and said in r.stderr and len(r.stderr.strip().splitlines()) == 1
