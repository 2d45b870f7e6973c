"Run notebooks as `nbdev_test` does and store what their cells showed: python .ci/notebooks.py nbs/00_core.ipynb ..."
import sys
from pathlib import Path

from execnb.nbio import read_nb, write_nb
from execnb.shell import CaptureShell
from fastcore.xtras import working_directory
from nbdev.clean import nbdev_clean
from nbdev.config import get_config
from nbdev.process import NBProcessor


def run(path):
    path, config = Path(path).absolute(), get_config()
    sys.path.insert(0, str(config.config_path))
    flags = set(config.tst_flags.split())
    processed, stored = NBProcessor(path, process=True).nb, read_nb(path)

    def skip(cell):
        directives = getattr(cell, "directives_", None) or {}
        return cell.cell_type != "code" or "nbdev_export" + "(" in cell.source or directives.get("eval:", [""])[0] == "false" or bool(flags & directives.keys())

    skipped = [skip(c) for c in processed.cells]
    with working_directory(path.parent):
        CaptureShell(path, mpl_format="png").run_all(processed, exc_stop=True, preproc=skip)
    for keep, ran, left in zip(stored.cells, processed.cells, skipped):
        if left: continue
        forget = "forget" in (getattr(ran, "directives_", None) or {})   # pictures that are not ours to keep
        keep["outputs"] = [] if forget else [o for o in ran.outputs if o.get("name") != "stderr"]   # progress bars hold timings
    write_nb(stored, path)
    nbdev_clean.__wrapped__(str(path))


for name in sys.argv[1:]: run(name)
