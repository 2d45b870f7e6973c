"What the tests share."
import contextlib, io, os, shutil, subprocess, sys, warnings
from pathlib import Path

root, bin = Path(__file__).parent.parent, Path(sys.executable).parent
FULL = os.environ.get("VFR_FULL") == "1"   # by hand: as long as for the figures that are shown
ROUNDS = 20 if FULL else 10                # of killing and pausing
os.environ["PATH"] = f"{bin}{os.pathsep}{os.environ['PATH']}"


def command(*args, timeout=300, **kw):
    "Run a command and keep what it said."
    return subprocess.run([str(a) for a in args], capture_output=True, text=True, timeout=timeout, **kw)


@contextlib.contextmanager
def turn(folder, alone):
    "The machine together with others, or alone: two locks, the first so that whoever waits to be alone is the next."
    import fcntl
    with open(folder / "gate", "w") as gate, open(folder / "room", "w") as room:
        fcntl.flock(gate, fcntl.LOCK_EX)
        fcntl.flock(room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(gate, fcntl.LOCK_UN)
        try: yield
        finally: fcntl.flock(room, fcntl.LOCK_UN)   # also where a child that was forked has it open


NARROW = os.pathsep.join([str(root / "tests/narrow"), os.environ.get("PYTHONPATH", "")]).strip(os.pathsep)   # PYTHONPATH of programs with a slender ResNet


@contextlib.contextmanager
def narrow():
    "A slender ResNet in this process."
    import functools, pytest, torchvision.models
    with pytest.MonkeyPatch.context() as m:
        m.setattr(torchvision.models, "resnet50", functools.partial(torchvision.models.resnet50, width_per_group=4))
        yield


def within(seconds, act, tries=3):
    "Do what has these seconds, by the clock, and returns how many it took; again where it took more, for others may have had the processor."
    took = []
    while len(took) < tries and (not took or took[-1] >= seconds): took.append(act())
    assert took[-1] < seconds, took


def in_process(*args):
    "What `vfr` says, without a process of its own: for mistakes that are told before any work."
    from vfr_lib.cli import main
    out, err = io.StringIO(), io.StringIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main([str(a) for a in args])
    return subprocess.CompletedProcess(args, status, out.getvalue(), err.getvalue())


def four_films(folder):
    "Films of 20 to 50 seconds, every frame of its own, and captions beside one; returns the folder."
    from PIL import Image
    from skimage import data
    from vfr_lib.media.synthetic import make_clip
    for k, picture in enumerate((data.coffee(), data.chelsea(), data.rocket(), data.astronaut())):
        make_clip(folder / f"film {k}.mp4", [(Image.fromarray(picture), 20 + 10 * k)], fps=4, size=(320, 180), options={"g": "8", "preset": "veryfast"})
    (folder / "film 0.srt").write_text("1\n00:00:01,000 --> 00:00:03,000\nGrind the beans.\n")
    return folder


def fresh_cache(folder):
    "An empty cache folder, but for the choice of the fastest engine, which takes seconds to measure; returns it."
    from vfr_lib.cache import cache_folder
    from vfr_lib.encoders.inference import load_for_inference
    load_for_inference().engine
    folder.mkdir(parents=True)
    if (known := cache_folder() / "engines.json").is_file(): shutil.copy(known, folder)   # PyTorch alone: nothing to choose
    return folder
