"Several processes and small pieces: the same gradients, the same run. Processes talk over gloo, on processors."
import json, os, socket, subprocess, sys, time

import psutil, pytest, torch
from safetensors.torch import load_file
from vfr_lib.core import VfrError
from vfr_lib.encoders.dual import toy_encoder
from vfr_lib.encoders.load import save_encoder
from vfr_lib.train.datasets import tiny_flickr8k
from vfr_lib.train.loop import BothHalves, ProcessGroup, TrainConfig, batch_loss, launched_group, seed_from
from vfr_lib.train.loop import temperature_of

from forks import forked, popen
from helpers import bin, command, narrow, root
from together import apart, batch, gradients, smooth, words

pytest.importorskip("accelerate")
quiet = ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]   # the defaults: named, nothing is said about them
launcher = [bin / "accelerate", "launch", "--multi_gpu", "--num_processes", "2", "--main_process_port", "0", *quiet, "--no_python"]   # on processors with ACCELERATE_USE_CPU
environment = {**{k: v for k, v in os.environ.items() if k not in ("RANK", "WORLD_SIZE")}, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1",
               "PYTHONPATH": os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")]), "PATH": f"{bin}{os.pathsep}{os.environ['PATH']}"}


slender = {"PYTHONPATH": os.pathsep.join([str(root / "tests/narrow"), environment["PYTHONPATH"]])}   # for what is trained: a fifth of the weights


def run(*args, **more): return command(*args, env={**environment, **more})


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def places(count):
    "The environment of each of `count` processes, as the launcher sets it; the launcher itself takes seconds to start."
    shared = dict(WORLD_SIZE=str(count), LOCAL_WORLD_SIZE=str(count), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(free_port()))
    return [{**environment, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(count)]


@pytest.fixture
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def errors(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gradients")
    pair = [popen([root / "tests/together.py", folder], env={**env, **slender}, stderr=subprocess.PIPE) for env in places(2)]
    for p in pair: said = p.communicate(timeout=300)[1]; assert p.returncode == 0, said[-3000:]
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in (0, 1)]


@pytest.mark.parametrize("pieces", [False, True], ids=["at once", "in pieces"])
@pytest.mark.parametrize("n", [4, 5], ids=["even", "uneven"])
@pytest.mark.parametrize("temperature", [None, 0.2], ids=["learned", "fixed"])
@pytest.mark.parametrize("loss", ["infonce", "soft"])
def test_two_processes_have_the_gradients_of_one(errors, loss, temperature, n, pieces):
    for rank in (0, 1):
        error = errors[rank][f"{loss} {temperature} {n} {pieces}"]
        assert error["gradients"] < 1e-4 and error["loss"] < 1e-5
        assert ("log_temperature" in error["names"]) == (temperature is None) and ("image.net.conv1.weight" in error["names"]) == (temperature is not None)


def test_pieces_have_the_gradients_of_their_chunked_forward_pass_with_dropout(one_thread):
    torch.manual_seed(0)
    model, config = smooth(toy_encoder(words, image_dropout=0.3, text_dropout=0.3)).train(), TrainConfig(micro_batch=2, token_dropout=0.3, bf16=False)
    both, (pixels, texts) = BothHalves(model, config), batch(5)
    found = gradients(model, both, config, 5, ProcessGroup())
    model.zero_grad()
    seed_from(config.seed, "step", 3)
    rows = torch.cat([both(pixels[i:i + 2], texts[i:i + 2])[0] for i in (0, 2, 4)])
    loss = batch_loss(rows[:, 0], rows[:, 1:].unbind(1), temperature_of(model, config), config)
    loss.backward()
    assert apart(found, dict(loss=loss.detach()) | {k: p.grad for k, p in model.named_parameters()}) < 1e-4
    other = gradients(model, both, config, 5, ProcessGroup(), step=4)
    assert apart(other, found) > 1e-2, "dropout did nothing"


settings = ["epochs=2", "batch_size=3", "head_epochs=1", "crop=48", "bf16=false", "save_minutes=0", "ema=0.5", "feature_dropout=0"]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes")
    tiny_flickr8k(folder / "tiny")
    torch.manual_seed(0)
    names = ("a", "wall", "everything", "is", "red", "green", "blue", "yellow", "white", "black", "pink", "brown")
    text = dict(vocab_size=len(names) + 4, dim=32, n_layers=2, n_heads=4, hidden_dim=64, max_position_embeddings=64, dropout=0., attention_dropout=0.)
    with narrow(): save_encoder(toy_encoder(names, text=text, image_dropout=0., text_dropout=0.), folder / "toy")
    assert ended(train(folder, "one", 1)) == 0
    return folder


def ended(run, seconds=120):
    "The exit status of a run, not 0 if that of one of its processes is not; one that hangs is ended with its children."
    try: return next((status for status in [p.wait(seconds) for p in run] if status), 0)
    except subprocess.TimeoutExpired: kill(run); raise


def kill(run):
    family = [f for p in run if p.poll() is None for f in (*psutil.Process(p.pid).children(recursive=True), psutil.Process(p.pid))]   # the launcher gives each process a session of its own
    for f in family: f.kill()
    for p in run: p.wait(30)
    psutil.wait_procs(family, 30)


def train(world, out, count, *more, given=settings, data="tiny", launch=()):
    "Start a run, as the list of its processes (with `launch` that of the launcher alone); each has a folder of its own for what it writes and says."
    for rank in range(count): (world / out / str(rank)).mkdir(parents=True, exist_ok=True)
    words = ["vfr", "train", "flickr8k", world / data, "--start", world / "toy", "--out", "run", *(a for s in given for a in ("--set", s)), *more]
    if launch:
        script = f"cd {world / out}/$RANK && XDG_CACHE_HOME=$PWD exec {' '.join(map(str, words))} > said 2>&1"
        return [subprocess.Popen([*map(str, launch), "sh", "-c", script], env={**environment, **slender})]
    def start(rank, env):
        with open((here := world / out / str(rank)) / "said", "w") as said:
            return popen([bin / "vfr", *words[1:]], env={**env, **slender, "XDG_CACHE_HOME": str(here)}, cwd=here, stdout=said, stderr=said)
    return [start(rank, env) for rank, env in enumerate([environment] if count == 1 else places(count))]


def distance(world, out, start="toy"):
    "How far the weights of a run are from those of the run by one process, against how far that one went."
    a, b, s = (load_file(world / f / "model.safetensors") for f in (f"{out}/0/run/last", "one/0/run/last", start))
    a, b, s = (torch.cat([d[k].flatten().float() for k in sorted(s)]) for d in (a, b, s))
    return ((a - b).norm() / (b - s).norm()).item()


def only_the_first_wrote(world, out):
    assert sorted(f.name for f in (world / out / "1").iterdir()) == ["said"] and not (world / out / "1/said").read_text()
    return {f.name for f in (world / out / "0/run").iterdir()} == {f.name for f in (world / "one/0/run").iterdir()} and "dev, text to image" in (world / out / "0/said").read_text()


def test_two_processes_train_as_one(world):
    assert ended(train(world, "two", 2, "--set", "micro_batch=1", launch=launcher)) == 0
    assert distance(world, "two") < 0.03
    assert only_the_first_wrote(world, "two")
    told = [json.loads((world / out / "0/run/history.json").read_text()) for out in ("one", "two")]
    assert [[h["stage"], h["epoch"], round(h["loss"], 2)] for h in told[0]] == [[h["stage"], h["epoch"], round(h["loss"], 2)] for h in told[1]]


@pytest.mark.parametrize("before, then", [(2, 1), (1, 2)])
def test_killed_and_resumed_by_another_number_of_processes(world, before, then):
    out, state = f"{before} then {then}".replace(" ", "-"), world / f"{before}-then-{then}/0/run/state.pt"
    p = train(world, out, before)
    for _ in range(2400):
        if state.exists() or p[0].poll() is not None: break
        time.sleep(0.05)
    assert p[0].poll() is None, "the run ended before it could be killed"
    kill(p)
    assert torch.load(state)["step"] == 1, "this state is of the end already"
    assert ended(train(world, out, then, "--resume")) == 0
    assert distance(world, out) < 0.03
    if then == 2: assert only_the_first_wrote(world, out)


def test_what_only_the_second_process_meets_is_said_by_the_first(world):
    tiny_flickr8k(world / "bad")
    list_ = next((world / "bad").glob("*trainImages*")).read_text().split()
    (world / "bad/images" / list_[-1]).write_bytes(b"no picture")
    assert ended(train(world, "bad-run", 2, data="bad", launch=launcher)) == 1   # which ends the second before it says the same
    said = [(world / f"bad-run/{r}/said").read_text() for r in (0, 1)]
    assert said[0].count("\n") == 1 and said[0].startswith("vfr: ") and "cannot be read as a picture" in said[0] and not said[1], said


notebook = """
import sys, torch
from accelerate import debug_launcher, notebook_launcher
from vfr_lib.encoders.dual import reconfigured
from vfr_lib.encoders.load import read_encoder
from vfr_lib.train.datasets import flickr8k
from vfr_lib.train.loop import TrainConfig, fit
world, out, port = sys.argv[1:]
def together():
    config = TrainConfig(epochs=2, batch_size=3, head_epochs=1, crop=48, bf16=False, save_minutes=0., ema=0.5, feature_dropout=0.)
    fit(reconfigured(read_encoder(f"{world}/toy")), *(flickr8k(f"{world}/tiny", s) for s in ("train", "dev")), config, f"{out}/0/run", progress=False)
notebook_launcher(together, num_processes=2, use_port=port) if port != "0" else debug_launcher(together)
"""


def test_notebook_launcher(world):
    r = run(sys.executable, "-c", notebook, world, world / "notebook", free_port(), **slender)
    assert r.returncode == 0, r.stderr[-3000:]
    assert distance(world, "notebook") < 0.03


@pytest.mark.parametrize("kind", ["FSDP", "DEEPSPEED"])
def test_other_kinds_of_launch_are_refused(monkeypatch, kind):
    monkeypatch.setenv("WORLD_SIZE", "2"); monkeypatch.setenv(f"ACCELERATE_USE_{kind}", "true")
    with pytest.raises(VfrError, match="--multi_gpu"): launched_group()


def test_without_accelerate_the_way_out_is_named(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2"); monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(VfrError, match="vfr_lib\\[scale\\]"): launched_group()


def test_one_process_imports_nothing_of_it():
    r = run(sys.executable, "-c", "import sys; from vfr_lib.train.loop import launched_group; assert launched_group().count == 1; print('accelerate' in sys.modules)")
    assert r.stdout == "False\n", r.stderr


def test_more_processes_than_pictures_are_refused(world):
    from vfr_lib.train.datasets import flickr8k
    from vfr_lib.train.loop import check_fit
    group, split = ProcessGroup(), flickr8k(world / "tiny", "train")
    group.count = 3
    with pytest.raises(VfrError, match="3 processes cannot share 2 pictures"): check_fit(toy_encoder(), split, split, TrainConfig(batch_size=2), None, False, group)
