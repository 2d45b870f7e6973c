"What an older version has saved still opens: a library, a cache, a query that was taught."
import os, zipfile

import pytest
from helpers import root

# data/before.zip was made by version 0.1.0 as it was before there were folders of rooms: a clip of two brick walls (red to 2 s, blue to 4 s)
# with a caption, a library of it, the cache of its vectors at two frames a second, and a query that was taught that blue is right. It was made anew
# with that same version (46d8047~1) and the third edition's weights: what an encoder of before has encoded belongs to that encoder.


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    folder, was = tmp_path_factory.mktemp("before"), dict(os.environ)
    with zipfile.ZipFile(root / "tests/data/before.zip") as z: z.extractall(folder)
    os.environ |= dict(VFR_CACHE=str(folder / "cache"), VFR_HOME=str(folder / "home"))
    yield folder
    os.environ.clear(); os.environ.update(was)


@pytest.mark.quick
def test_cache(before):
    "The file of before under the name that a video has here: its key names the processor, too."
    import numpy as np
    from vfr_lib.search.embedding import embed_frames
    vectors = before / "cache/vectors"
    old = next(p for p in vectors.iterdir() if "times" in np.load(p))
    known = set(vectors.iterdir())
    embed_frames(before / "walls.mp4", every=0.5)
    new, = {p for p in vectors.iterdir() if "times" in np.load(p)} - known
    new.write_bytes(old.read_bytes())
    frames = embed_frames(before / "walls.mp4", every=0.5)
    assert frames.encoded == 0 and np.array_equal(frames.vectors, np.load(old)["vectors"])


@pytest.mark.quick
def test_taught_query(before):
    import vfr_lib as vfr
    best = vfr.find(str(before / "walls.mp4"), vfr.Query.load("blue wall"), every=0.5)[0]
    assert 2 <= best.start <= best.time < best.end == 4


@pytest.mark.quick
def test_library(before):
    import vfr_lib as vfr
    library = vfr.Library(before / "library", create=False)
    seen, said = library.search("a blue wall", top=1)[0], library.search("grind beans", top=1)[0]
    assert (seen.start, seen.end, seen.evidence) == (2, 4, ("seen",)) and (said.start, said.end, said.text) == (1, 3, "Grind the beans.")
    assert [(v.title, v.caption_source) for v in library.videos] == [("walls", "beside")]


def test_library_is_written_on(before):
    import vfr_lib as vfr
    library = vfr.Library(before / "library")
    report = library.add(str(before / "walls.mp4"), "sample")
    assert not report.encoded or [v.title for v in report.added] == ["sample"]
    assert library.search("grind beans", top=1)[0].text == "Grind the beans." and library.search("a cat", top=1)[0].title == "sample"
    assert "is whole: 2 videos" in str(library.check())


@pytest.mark.quick
def test_old_names():
    import vfr_lib
    from vfr_lib.clips import make_clip
    from vfr_lib.frames import iter_frames
    from vfr_lib.library import Library
    from vfr_lib.moments import find
    from vfr_lib.serving import serve
    from vfr_lib.training import TrainConfig
    import vfr_lib.frames
    assert (vfr_lib.make_clip, vfr_lib.iter_frames, vfr_lib.find, vfr_lib.Library) == (make_clip, iter_frames, find, Library)
    assert vfr_lib.frames.probe is vfr_lib.probe and TrainConfig().epochs and callable(serve)
