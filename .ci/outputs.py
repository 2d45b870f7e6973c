"Take machine's paths out of the stored outputs of notebooks: where a warning was raised, temporary folders; `--check` only names them."
import json, re, sys
from pathlib import Path

root = Path(__file__).parent.parent
PLACES = [(re.compile(r"^\S+:\d+: (?=\w*Warning: )", re.M), ""), (re.compile(r"(?:file://)?/(?:tmp|var/folders)/[\w./-]*?tmp\w+"), "..."),
          (re.compile(rf"{re.escape(str(root))}|/home/\w+|/Users/\w+"), "...")]


def cleaned(lines):
    text = "".join(lines)
    for pattern, instead in PLACES: text = pattern.sub(instead, text)
    return re.sub(r"(Warning: [^\n]*\n)  (?!\.\.\.)[^\n]*\n", r"\1", text) if "Warning: " in text else text   # the line of code below a warning


def texts(output):
    "(dict, key) of every text of an output."
    if "text" in output: yield output, "text"
    for kind in output.get("data", {}):
        if kind.startswith("text/"): yield output["data"], kind


stale = []
for path in sorted((root / "nbs").rglob("*.ipynb")):
    if ".ipynb_checkpoints" in path.parts: continue
    before = path.read_text("utf-8")
    notebook = json.loads(before)
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            for holder, key in texts(output):
                new = cleaned(holder[key])
                if new != "".join(holder[key]): holder[key] = new.splitlines(True)
    after = json.dumps(notebook, sort_keys=True, indent=1, ensure_ascii=False) + "\n"
    if json.loads(after) == json.loads(before): continue
    stale.append(path.relative_to(root).as_posix())
    if "--check" not in sys.argv: path.write_text(after, "utf-8")
if "--check" in sys.argv and stale: sys.exit(f"outputs show paths: {', '.join(stale)}; run python .ci/outputs.py")
