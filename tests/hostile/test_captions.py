"Captions and labels of others, odd or damaged: read as they are meant, or one line that says what is wrong; never a figure of something else."
import json

import pytest
from helpers import in_process

from vfr_lib.core import VfrError
from vfr_lib.media.synthetic import make_clip
from vfr_lib.media.transcript import read_transcript
from vfr_lib.train.datasets import flickr8k, msrvtt, read_caption_table, read_karpathy, tiny_flickr8k, tiny_msrvtt
from vfr_lib.train.localisation import footage_labels

pytestmark = pytest.mark.quick
LABEL = dict(video="a.mp4", query="a dog", spans=[[1, 2]])


def written(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def refusal(read, *args):
    with pytest.raises(VfrError) as e: read(*args)
    assert "\n" not in str(e.value) and len(str(e.value)) < 600, e.value
    return str(e.value)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_labels_in_any_encoding_of_unicode(tmp_path, encoding):
    place = written(tmp_path / "labels.json", json.dumps([LABEL | dict(query="ein Hündchen")], ensure_ascii=False).replace(", ", ",\r\n"), encoding)
    assert footage_labels(place)[0]["query"] == "ein Hündchen"


@pytest.mark.parametrize("change, said", [
    (dict(query=None), "the query of"), (dict(query=" "), "the query of"), (dict(video=None), "the video of"), (dict(maybe_also="aa.mp4"), "no list of videos"),
    (dict(absent="false", spans=[]), "neither true nor false"), (dict(spans=["12"]), "no pair of seconds"), (dict(spans=[[0, 10 ** 400]]), "no pair of seconds"),
    (dict(spans=[[0, float("inf")]]), "no pair of seconds"), (dict(clip=[5, 2]), "no pair of seconds"), (dict(clip="abc"), "no pair of seconds")], ids=lambda v: str(v)[:30])
def test_labels_that_do_not_mean_what_they_say(tmp_path, change, said):
    assert said in refusal(footage_labels, written(tmp_path / "labels.json", json.dumps([LABEL | change])))


def test_labels_too_deep(tmp_path): assert "RecursionError" in refusal(footage_labels, written(tmp_path / "labels.json", "[" * 10 ** 5))


def test_one_video_under_two_names_is_one(tmp_path):
    rows = [LABEL | dict(video=v, maybe_also=[f"./{v}"]) for v in ("a.mp4", "./a.mp4", "b/../a.mp4")]
    assert {(l["video"], *l["maybe_also"]) for l in footage_labels(written(tmp_path / "labels.json", json.dumps(rows)))} == {("a.mp4", "a.mp4")}


def test_a_label_behind_the_end(tmp_path):
    make_clip(tmp_path / "a.mp4", [("red", 2)], size=(64, 36))
    written(tmp_path / "labels.json", json.dumps([LABEL | dict(spans=[[70, 75]])]))
    r = in_process("evaluate", "footage", tmp_path)
    assert r.returncode == 2 and "at 70 s" in r.stderr and "ends at 2.00 s" in r.stderr and r.stderr.count("\n") == 1, r.stderr


def test_a_list_with_windows_endings_and_names_with_spaces(tmp_path):
    root = tiny_flickr8k(tmp_path)
    (root / "images/train_red.jpg").rename(root / "images/train red.jpg")
    for f in root.glob("*.txt"): written(f, f.read_text().replace("train_red.jpg", "train red.jpg").replace("\n", "\r\n"), "utf-8-sig")
    assert [i.path.name for i in flickr8k(root).items][0] == "train red.jpg" and flickr8k(root)[0].captions == ("A red wall .", "Everything is red .")


def test_captions_that_are_there_twice(tmp_path):
    tokens = tiny_flickr8k(tmp_path) / "Flickr8k.token.txt"
    written(tokens, tokens.read_text() * 2)
    assert "line 49: train_red.jpg#0 is there twice" in refusal(flickr8k, tmp_path)


def test_quotes_in_captions(tmp_path):
    table = written(tmp_path / "captions.txt", 'image,caption\r\n1.jpg,"a ""red"" wall, wet"\r\n1.jpg,"Stop" says the sign, in red\r\n1.jpg,' + '"' + "a" * 200_000 + "\r\n")
    assert read_caption_table(table)["1.jpg"][:2] == ['a "red" wall, wet', '"Stop" says the sign, in red']
    tiny_msrvtt(tmp_path)
    list_ = tmp_path / "MSRVTT_JSFUSION_test.csv"
    written(list_, list_.read_text().replace("a white wall", '"a ""white"" wall, wet"').replace("a pink wall", 'he says "hi"'))
    captions = [i.captions[0] for i in msrvtt(tmp_path).items]
    assert captions[0] == 'a "white" wall, wet' and captions[2] == 'he says "hi"'
    written(list_, list_.read_text().replace("a black wall", ""))
    assert "line 3: no sentence in" in refusal(msrvtt, tmp_path)


@pytest.mark.parametrize("images", [5, "abc", {"a": 1}, [5], [{"filename": 5, "split": "train", "sentences": []}], [{"filename": "a", "split": [], "sentences": []}],
                                    [{"filename": "a", "split": "train", "sentences": [{"raw": None}]}]], ids=str)
def test_karpathys_file_of_others(tmp_path, images): refusal(read_karpathy, written(tmp_path / "dataset.json", json.dumps(dict(images=images))))


def test_karpathys_file_too_deep(tmp_path): refusal(read_karpathy, written(tmp_path / "dataset.json", '{"images":' + "[" * 10 ** 5))


def test_line_endings_that_were_converted_twice(tmp_path):
    "`\\r\\r\\n`: the number of a cue is no part of the one before."
    cues = "1\n00:00:01,000 --> 00:00:02,000\na dog\n\n2\n00:00:03,000 --> 00:00:04,000\na cat\nsleeps\n"
    assert [l.text for l in read_transcript(written(tmp_path / "a.srt", cues.replace("\n", "\r\r\n")))] == ["a dog", "a cat sleeps"]


def test_captions_of_television(tmp_path):
    assert "turn it into an .srt file" in refusal(read_transcript, written(tmp_path / "a.scc", "Scenarist_SCC V1.0\n\n00:00:01:00\t9420 9420 94ae 94ae\n"))
