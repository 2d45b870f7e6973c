"What several kinds of evidence answer in one video."
import pytest
from vfr_lib import VfrError, VfrWarning, find, sample_clip
from vfr_lib.search.evidence import Evidence, Hit, register, unregister

CAPTIONS = """1
00:00:20,000 --> 00:00:40,000
a purple elephant speaks

2
00:01:20,000 --> 00:01:30,000
a zebra behind the end
"""


@pytest.fixture
def clip(tmp_path):
    path = sample_clip(str(tmp_path / "clip.mp4"))
    (tmp_path / "clip.srt").write_text(CAPTIONS)
    return str(path)


def test_nothing_is_said_after_the_end(clip):
    with pytest.warns(VfrWarning, match="begin after its end"):
        (moment,) = find(clip, "purple elephant", evidence="said")
        assert (moment.start, moment.end) == (20, 25)
        assert not find(clip, "zebra", evidence="said")


@pytest.mark.parametrize("wrong", [(), [], 5, True, "smell", [None]])
def test_evidence_that_does_not_exist_is_refused(clip, wrong):
    with pytest.raises(VfrError, match="kind of evidence"): find(clip, "a cat", evidence=wrong)


@pytest.mark.parametrize("wrong", [2.5, 0])
def test_top_is_a_whole_number(wrong):
    with pytest.raises(VfrError, match="top must be"): find("sample", "a cat", top=wrong)


def test_a_whole_number_may_be_written_as_a_float(): assert len(find("sample", "a cat", top=2.0)) == 2


def test_hits_are_named_after_their_kind():
    class Light(Evidence):
        name = "light"
        def extract(self, source, settings): return [dict(start=1.0, end=3.0)]
        def rank(self, query, corpus, top): return [Hit(r["video"], r["start"], r["end"], 1.0) for r in corpus.rows(self)]
    register(Light())
    try: assert [m.evidence for m in find("sample", "a cat", evidence="light")] == [("light",)]
    finally: unregister("light")
