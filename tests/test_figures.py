"The figures that README and model card publish are what the command prints: VFR_DATA=folder pytest tests/test_figures.py"
import json, re

from conftest import root


def published(path):
    "The rows of the table of figures in a Markdown file, as {direction: [R@1, R@5, R@10, median rank]}."
    rows = re.findall(r"^\| (text to image|image to text) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", path.read_text(), re.M)
    return {name: [float(v) for v in values] for name, *values in rows}


def test_readme_and_card_agree():
    assert published(root / "README.md") == published(root / "vfr_lib/embedded/README.md") != {}


def test_figures_are_what_the_command_prints(vfr, data):
    r = vfr("evaluate", "flickr8k", data / "flickr8k", "--json", timeout=900)
    report = json.loads(r.stdout)
    assert (report["split"], report["gallery"], report["captions"]) == ("test", 1000, 5000)
    for name, key in (("text to image", "t2i"), ("image to text", "i2t")):
        measured = [report[key][k] for k in ("R@1", "R@5", "R@10", "median_rank")]
        assert all(abs(a - b) <= 0.1 for a, b in zip(published(root / "README.md")[name], measured)), (name, measured)
