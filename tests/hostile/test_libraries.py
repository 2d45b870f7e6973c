"Libraries of others, and damaged ones: an answer, or one line that says what is wrong; never a traceback, never all of the memory, and repair leaves a library that works."
import io, math, os, shutil, struct

import lance, lancedb
import numpy as np
import pyarrow as pa
import pytest
from helpers import FULL
from hypothesis import HealthCheck, Phase, given, settings, strategies as st
from PIL import Image
from skimage import data

from vfr_lib.cli import main
from vfr_lib.core import VfrError
from vfr_lib.export.page import to_html
from vfr_lib.library.library import FORMAT, Library
from vfr_lib.media.synthetic import make_clip

QUOTE = "x' OR '1'='1"
TEXTS = [None, "", QUOTE, '"; --', "\x1b[31m<script>alert(1)</script>", "../../../etc/passwd", "/dev/zero", "FIFO", "\0", "javascript:alert(1)", "x" * 3_000_000, "\u202egnp.exe"]
NUMBERS = [None, math.nan, math.inf, -math.inf, -1.0, 0.0, 1e-300, 1e300]
WHOLE = [None, -1, 0, 7, 2 ** 40, -2 ** 63, 2 ** 63 - 1]


def jpeg(size=(4, 4)):
    Image.new("RGB", size).save(out := io.BytesIO(), "JPEG")
    return out.getvalue()


def bomb():
    "A JPEG file that says that it has four thousand million pixels."
    small = jpeg()
    at = small.index(b"\xff\xc0")
    return small[:at + 5] + struct.pack(">HH", 65000, 65000) + small[at + 9:]


def png(side):
    Image.new("1", (side, side)).save(out := io.BytesIO(), "PNG")
    return out.getvalue()


PICTURES = [None, b"", b"no picture", jpeg()[:150], bomb(), png(20_000), b"<svg/>"]
COLUMNS = {"about": ["format", "encoder", "identity", "dim", "every"], "frames": ["video", "time", "end", "usual", "vector", "thumb"],
           "lines": ["video", "start", "end", "text", "around"], "videos": ["id", "title", "link", "path", "duration", "frames", "lines", "said", "added", "background", "null", "poster", "key"]}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shelf")
    for name, picture in (("cat", data.chelsea()), ("coffee", data.coffee())): make_clip(folder / f"{name}.mp4", [(Image.fromarray(picture), 3)], fps=4, size=(160, 96))
    (folder / "coffee.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nGrind the beans.\n")
    return folder


@pytest.fixture(scope="module")
def good(shelf, tmp_path_factory):
    library = Library(tmp_path_factory.mktemp("good") / "library")
    library.add(shelf)
    os.mkfifo(shelf / "FIFO")
    return library.path


def values_of(column, length):
    "What somebody else may have put there."
    if column == "vector": return st.sampled_from(["nan", "zero", "short", "inf", "none"])
    if column == "null": return st.sampled_from([None, [], [0.1], [math.nan] * length])
    if column in ("thumb", "poster"): return st.sampled_from(PICTURES)
    if column in ("time", "end", "start", "usual", "duration", "every"): return st.sampled_from(NUMBERS)
    return st.sampled_from(WHOLE if column in ("format", "dim", "frames", "lines") else TEXTS)


def column_of(table, name, value, rows):
    "The column with a value in the first `rows` rows."
    old = table.column(name)
    if name == "vector":
        if value == "short": return pa.FixedSizeListArray.from_arrays(pa.array(np.full(7 * len(table), 0.5, np.float16)), 7)
        new = {"nan": [math.nan] * 512, "zero": [0.0] * 512, "inf": [math.inf] * 512, "none": None}[value]
        return pa.array([(None if new is None else np.array(new, np.float16)) if k < rows else np.array(v.as_py(), np.float16) for k, v in enumerate(old)], old.type)
    return pa.array([value if k < rows else v.as_py() for k, v in enumerate(old)], old.type)


def damage(path, kind, name, column, value, rows, fifo):
    db = lancedb.connect(path)
    table = db.open_table(name).to_arrow()
    if value == "FIFO": value = str(fifo)
    if kind == "value": table = table.set_column(table.schema.get_field_index(column), column, column_of(table, column, value, rows))
    if kind == "no column": table = table.drop_columns([column])
    if kind == "text": table = table.set_column(table.schema.get_field_index(column), column, pa.array(["?"] * len(table)))
    if kind == "twice": table = pa.concat_tables([table, table])
    if kind == "fewer": table = table.slice(rows)
    if kind == "backwards": table = table.take(pa.array(range(len(table))[::-1]))
    if kind == "no table": return db.drop_table(name)
    if kind in ("cut", "gone"):
        for p in (path / f"{name}.lance" / "data").glob("*"): p.write_bytes(p.read_bytes()[:100]) if kind == "cut" else p.unlink()
        return
    if name == "frames": return lance.write_dataset(table, path / "frames.lance", mode="overwrite")   # LanceDB would refuse some of it
    made = db.create_table(name, table, mode="overwrite")
    if name == "lines" and len(table) and "around" in table.schema.names and kind != "text": made.create_fts_index("around")


def plainly(act, *args):
    "What was answered, or None where one line said why not."
    try: return act(*args)
    except VfrError as e: assert "\n" not in str(e) and 10 < len(str(e)) < 2500, e


def visit(path, capsys):
    "All that one does with a library."
    for args in (["search", path, "a cat"], ["videos", path]):
        status, said = main([str(a) for a in args]), capsys.readouterr()
        assert status in (0, 2) and "Traceback" not in said.err and "\x1b" not in said.out + said.err, said.err
    library = plainly(lambda: Library(path, create=False))
    if library is None: return
    found = plainly(library.search, "grind the beans")
    if found: to_html(found, path.parent / "page.html", "q")
    page = plainly(library._repr_html_)
    assert "<script" not in (page or "") and 'href="javascript:' not in ((path.parent / "page.html").read_text() if found else "")
    plainly(library.add, path.parent / "nothing.mp4")


@st.composite
def damages(draw):
    kind = draw(st.sampled_from(["value"] * 8 + ["no column", "text", "twice", "fewer", "backwards", "no table", "cut", "gone"]))
    name = draw(st.sampled_from(list(COLUMNS)))
    column = draw(st.sampled_from(COLUMNS[name]))
    return kind, name, column, draw(values_of(column, 2000)), draw(st.sampled_from([1, 10 ** 9]))


@settings(max_examples=250 if FULL else 100, derandomize=True, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(damages())
def test_damaged_and_foreign_libraries(good, shelf, tmp_path_factory, capsys, case):
    path = tmp_path_factory.getbasetemp() / "fuzz" / "library"
    shutil.rmtree(path.parent, ignore_errors=True)
    shutil.copytree(good, path)
    damage(path, *case, shelf / "FIFO")
    visit(path, capsys)
    report = plainly(lambda: Library(path, create=False).check())
    if report is None or not report.mendable: return
    Library(path, create=False).check(repair=True)
    library = Library(path, create=False)
    assert not library.check().faults, library.check()
    if case[1] == "about": plainly(library.search, "a cat")   # it may name another encoder
    elif len(library): library.search("a cat")
    if len(library): library.remove(library.videos[0])
