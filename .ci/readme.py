"Render README.md from nbs/index.ipynb with its stored outputs; `--check` only says whether it has drifted."
import re, sys
from pathlib import Path

import nbformat
from nbconvert import MarkdownExporter

root = Path(__file__).parent.parent


def render():
    "(text of README.md, {path: bytes} of its pictures)"
    nb = nbformat.read(root / "nbs/index.ipynb", 4)
    nb.cells = [c for c in nb.cells if not re.match(r"#\|\s*hide\b", c.source)]
    for c in nb.cells:
        if c.cell_type == "code":
            c.source = "\n".join(line for line in c.source.splitlines() if not line.startswith("#|"))
            c.outputs = [o for o in c.outputs if o.output_type != "stream" or o.name != "stderr"]
    text, resources = MarkdownExporter().from_notebook_node(nb, {"output_files_dir": "nbs/images", "unique_key": "index"})
    text = re.sub(r"\]\((?![a-z]+:|nbs/|\.\./)([^)]+\.ipynb)\)", r"](nbs/\1)", text).replace("](../", "](").replace("](images/", "](nbs/images/")   # README lies one folder up
    return text.strip() + "\n", resources["outputs"]


text, pictures = render()
wanted = {"README.md": text.encode(), **pictures}
if "--check" in sys.argv:
    stale = [name for name, data in wanted.items() if not (root / name).is_file() or (root / name).read_bytes() != data]
    sys.exit(f"stale: {', '.join(stale)}; run python .ci/readme.py" if stale else 0)
for name, data in wanted.items():
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_bytes(data)
