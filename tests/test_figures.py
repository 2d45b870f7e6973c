"The figures that README and model card publish are what the command prints: VFR_DATA=folder pytest tests/test_figures.py"
import json, re

from helpers import root


def published(path):
    "The rows of the table of figures in a Markdown file, as {direction: [R@1, R@5, R@10, median rank]}."
    rows = re.findall(r"^\| (text to image|image to text) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", path.read_text(), re.M)
    return {name: [float(v) for v in values] for name, *values in rows}


def test_readme_and_card_agree():
    assert published(root / "README.md") == published(root / "vfr_lib/embedded/README.md") != {}


def test_results_are_of_this_model_and_say_what_readme_says():
    from vfr_lib.encoders.load import load_encoder
    from vfr_lib.encoders.inference import load_for_inference
    from vfr_lib.train.evaluation import weights_digest
    results = {p.stem: json.loads(p.read_text()) for p in (root / "nbs/benchmarks/results").glob("*.json")}
    whole, served = weights_digest(load_encoder()), load_for_inference().digest[:12]   # both speak of the same weights
    of = {n: r["weights"] for n, r in results.items() if "weights" in r}
    assert of.pop("coco_test_second_edition") not in (whole, served)
    assert set(of.values()) <= {whole, served} and {n for n, w in of.items() if w == whole} == {"flickr8k_test", "flickr8k_train_in_batch", "coco_test"} and len(of) == 9
    for name, key in (("text to image", "t2i"), ("image to text", "i2t")):
        measured = [results["flickr8k_test"][key][k] for k in ("R@1", "R@5", "R@10", "median_rank")]
        assert all(abs(a - b) <= 0.051 for a, b in zip(published(root / "README.md")[name], measured)), (name, measured)


def test_speed_table_is_of_the_runs():
    runs = json.loads((root / "nbs/benchmarks/results/bench.json").read_text())["runs"]
    text = (root / "README.md").read_text()
    for key, row in (("frames_360p_vs_opencv", "frames, 360 lines"), ("frames_720p_vs_opencv", "frames, 720 lines"), ("pipeline_vs_naive", "file to vectors, PyTorch"), ("pipeline_fast_vs_naive", "file to vectors, OpenVINO")):
        shown = float(re.search(rf"^\| {re.escape(row)}[^|]*\|[^|]*\| ([\d.]+)", text, re.M)[1])
        assert abs(shown - sorted(r[key] for r in runs)[1]) < 0.051, row


def test_figures_of_encoders_of_others_are_of_the_run():
    found = json.loads((root / "nbs/benchmarks/results/encoders.json").read_text())["clip-b32"]
    seen, second = found["pictures_per_second"], found["second_question"]
    text = next(line for line in (root / "README.md").read_text().splitlines() if line.startswith("Models of the hub are converted"))
    floats, bytes = (float(v) for v in re.findall(r"(\d+\.\d) times", text))
    assert abs(floats - seen["openvino-bf16"] / seen["torch"]) < 0.051 and abs(bytes - seen["openvino-int8"] / seen["torch"]) < 0.051
    assert f"a sentence in {found['query_ms']['openvino-bf16']:.0f} ms" in text and "in half of the time" in text and second["find"] < 0.51 * second["torch"]


def test_moments_table_is_of_the_run():
    m = json.loads((root / "nbs/benchmarks/results/moments.json").read_text())
    at = {p["level"]: p for p in m["presence"]}[0.05]
    expected = {"the best time lies": [m["found"]["Hit@1"]["0 s"], m["cosine"]["Hit@1"]["0 s"], m["chance"]["Hit@1"]["0 s"]],
                "the span overlaps": [m["spans"]["edges at the cuts"]["R1@0.5"], m["spans"]["edges at the cuts"]["R1@0.7"]],
                "asked for what is elsewhere": [at["absent"], *at["interval"]], "asked for what is there": [at["present"], at["present_flat"]]}
    text = (root / "README.md").read_text()
    for row, values in expected.items():
        cell = re.search(rf"^\| {row}[^|]*\| ([^|]*) \|$", text, re.M)[1].replace("95 %:", "")
        shown = [float(v) for v in re.findall(r"\d+\.\d+", cell)]
        assert len(shown) == len(values) and all(abs(a - b) < 0.051 for a, b in zip(shown, values)), (row, shown, values)


def test_footage_figures_are_of_the_run():
    f = json.loads((root / "nbs/benchmarks/results/footage.json").read_text())
    at = {p["level"]: p for p in f["presence"]}[0.05]
    text = (root / "README.md").read_text()
    row = lambda name: [float(v) for v in re.findall(r"\d+\.\d+", re.search(rf"^\| {name}[^|]*\| ([^|]*) \|$", text, re.M)[1].replace("95 %:", ""))]
    assert row("real footage: the best time") == [round(v, 1) for v in (f["hit"], *f["hit_interval"])]
    shot = f["located"]["clip"]
    assert row("real footage: in the right shot")[:2] == [round(shot["Hit@1"]["1 s"], 1), round(shot["Hit@1_interval"]["1 s"][0], 1)]
    assert row("real footage: asked for what is elsewhere") == [round(v, 1) for v in (at["absent"], *at["interval"])]
    assert row("real footage: asked for what is there") == [round(at["present"], 1)]


def test_search_figures_are_of_the_run():
    rows = {r["frames"]: r for r in json.loads((root / "nbs/benchmarks/results/search.json").read_text())}
    text = (root / "README.md").read_text()
    shown = re.search(r"the scan takes ([\d.]+) times, at a million ([\d.]+) times", text)
    assert [float(v) for v in shown.groups()] == [rows[100_000]["scan_ratio"], rows[1_000_000]["scan_ratio"]] and max(map(float, shown.groups())) <= 2


def test_scale_notebook_shows_the_run():
    run = json.loads((root / "nbs/benchmarks/results/scale.json").read_text())["run"]
    cells = json.loads((root / "nbs/benchmarks/scale.ipynb").read_text())["cells"]
    shown = "\n".join("".join(o.get("data", {}).get("text/markdown", [])) for c in cells for o in c.get("outputs", []))
    for r in run["hours"]: assert re.search(rf"^\| {r['codec']} \| {r['lines']} \| {r['megabytes']:,} \|.* {r['whole']:.0f}ᵐ \| \d+ᵐ \|$", shown, re.M), r
    for s in run["search"]:
        for i in s["indices"]: assert re.search(rf"^\| {s['frames']:,} \| {i['way']} \| {i['build_seconds']:,.0f}ᵐ \|.* {i['recall_at_10']:.3f}ᵐ", shown, re.M), i


def test_figures_are_what_the_command_prints(vfr, data):
    r = vfr("evaluate", "flickr8k", data / "flickr8k", "--json", timeout=900)
    report = json.loads(r.stdout)
    assert (report["split"], report["gallery"], report["captions"]) == ("test", 1000, 5000)
    for name, key in (("text to image", "t2i"), ("image to text", "i2t")):
        measured = [report[key][k] for k in ("R@1", "R@5", "R@10", "median_rank")]
        assert all(abs(a - b) <= 0.1 for a, b in zip(published(root / "README.md")[name], measured)), (name, measured)
