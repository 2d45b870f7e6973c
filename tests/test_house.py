"Notebooks, package and README agree, every notebook runs, and nothing heavy is imported too early."
import ast, os, shutil, subprocess, sys
from fnmatch import fnmatch

import pytest
from forks import IMPORTS, forked
from helpers import FULL, bin, command, root

ALONE = ("bench/*", "benchmarks/*", "ui/*_monitor*") if FULL else ()   # these measure: for figures nothing else should run; what they assert is of processor time, and holds beside others
LONG = ("benchmarks/embedding*", "benchmarks/pipeline*", "library/4[89]_*", "train/7[78]_*", "tutorials/*", "90_*", "ui/*_demo*", "search/*_embedding*", "search/*_find*")   # these begin first
QUICK = ("0*", "media/*", "encoders/*_base*", "search/3[02-8]_*", "library/4[0-3]_*", "export/*", "ui/*_jobs*", "ui/*_server*", "ui/*_player*", "ui/*_session*", "train/7[0-2]_*", "demo*", "index*")
notebooks = sorted(p.relative_to(root) for p in (root / "nbs").rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts)
is_one_of = lambda p, patterns: any(fnmatch(p.relative_to("nbs").as_posix(), pattern) for pattern in patterns)
marked = [pytest.param(p, marks=[m for m, patterns in ((pytest.mark.alone, ALONE), (pytest.mark.quick, QUICK)) if is_one_of(p, patterns)]) for p in sorted(notebooks, key=lambda p: not is_one_of(p, LONG))]


@pytest.mark.parametrize("notebook", marked, ids=str)
def test_notebook_runs(notebook):
    test = [bin / "nbdev_test", "--path", notebook, "--n_workers", "0"]
    r = command(*test, cwd=root, timeout=3600) if is_one_of(notebook, ALONE) else forked(*test, cwd=root, timeout=900, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert r.returncode == 0, r.stdout[-4000:] + r.stderr[-4000:]


def test_export_and_cleaning_change_nothing(tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(root, copy, ignore=shutil.ignore_patterns(".git", ".venv", "embedded", "__pycache__", "*.egg-info", "build"))
    for name in ("nbdev_clean", "nbdev_export"):
        r = command(name, cwd=copy)
        assert r.returncode == 0, r.stderr[-3000:]
    for folder, pattern in (("nbs", "*.ipynb"), ("vfr_lib", "*.py")):
        before = {p.relative_to(root): p.read_bytes() for p in (root / folder).rglob(pattern) if ".ipynb_checkpoints" not in p.parts}
        after = {p.relative_to(copy): p.read_bytes() for p in (copy / folder).rglob(pattern)}
        assert before.keys() == after.keys()
        assert [str(p) for p in before if before[p] != after[p]] == []


@pytest.mark.quick
def test_readme_is_the_index_notebook():
    r = command(sys.executable, root / ".ci/readme.py", "--check")
    assert r.returncode == 0, r.stderr


@pytest.mark.quick
def test_outputs_show_no_paths():
    r = command(sys.executable, root / ".ci/outputs.py", "--check")
    assert r.returncode == 0, r.stderr


@pytest.mark.quick
@pytest.mark.parametrize("what", [[sys.executable, "-c", "import vfr_lib; vfr_lib.VfrError"], ["vfr", "--help"]], ids=["import", "help"])
def test_starts_light(what):
    code = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL); u = resource.getrusage(resource.RUSAGE_CHILDREN); print(u.ru_utime + u.ru_stime)"
    seconds = min(float(subprocess.check_output([sys.executable, "-c", code, *what], text=True)) for _ in range(3))
    assert seconds < 1


@pytest.mark.quick
def test_import_leaves_the_heavy_ones_out():
    r = command(sys.executable, "-c", "import sys, vfr_lib, vfr_lib.cli; print([m for m in ('torch', 'transformers', 'torchvision', 'cv2', 'av', 'yt_dlp', 'matplotlib') if m in sys.modules])")
    assert r.stdout.strip() == "[]", r.stderr


def chains(path, packages):
    "What a module uses of a package that it imports whole, as in `torch.nn.utils.rnn`."
    tree, out = ast.parse(path.read_text()), set()
    names = {a.asname or a.name: a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names if a.name in packages}
    for n in ast.walk(tree):
        parts = []
        while isinstance(n, ast.Attribute): parts.append(n.attr); n = n.value
        if parts and isinstance(n, ast.Name) and n.id in names: out.add(".".join([names[n.id], *parts[::-1]]))
    return out


LACKING = """
import importlib.util, sys
for chain in sys.argv[1:]:
    first, *rest = chain.split(".")
    at, here = __import__(first), first
    for name in rest:
        if not hasattr(at, name):
            if hasattr(at, "__path__") and importlib.util.find_spec(f"{here}.{name}"): print(chain)
            break
        at, here = getattr(at, name), f"{here}.{name}"
"""


@pytest.mark.parametrize("package", sorted({name.partition(".")[0] for name in IMPORTS}))
def test_parts_of_a_package_that_are_used_are_imported(package):
    "Forks would not notice: theirs are imported already."
    used = sorted(set().union(*(chains(p, {package}) for p in (root / "vfr_lib").rglob("*.py"))))
    if not used: return
    r = command(sys.executable, "-c", LACKING, *used)
    assert r.returncode == 0 and r.stdout == "", r


@pytest.mark.quick
def test_package_uses_no_development_tools():
    text = "\n".join(p.read_text() for p in (root / "vfr_lib").rglob("*.py"))
    assert not any(f"import {m}" in text or f"from {m}" in text for m in ("fastcore", "nbdev", "execnb"))
