"""A terminal that knows few letters, names that no terminal should be sent: nothing crashes, nothing is obeyed."""
import os

import pytest

from vfr_lib.media.synthetic import make_clip


@pytest.mark.parametrize("setting", [dict(LC_ALL="C", PYTHONCOERCECLOCALE="0", PYTHONUTF8="0"), dict(PYTHONIOENCODING="ascii"), dict(PYTHONIOENCODING="latin-1")], ids=str)
def test_odd_names_on_odd_terminals(vfr, tmp_path, setting):
    name = os.fsencode(tmp_path) + b"/\xe5\x90\x8d caf\xe9 \x1b]0;title\x07\x1b[2J\xe2\x80\xae.mp4"
    os.rename(make_clip(tmp_path / "a.mp4", [("red", 1)], size=(64, 36), fps=5), name)
    env = {k: v for k, v in os.environ.items() if not k.startswith(("LC_", "LANG"))} | setting
    there, gone = (vfr("frames", os.fsdecode(n), env=env) for n in (name, name + b"x"))
    assert there.returncode == 0 and there.stderr == ""
    assert gone.returncode == 2 and gone.stderr.count("\n") == 1 and not set(gone.stderr) & set("\x1b\x07\u202e")
