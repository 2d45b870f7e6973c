"Models of the hub answer like ours: converted once, right, without PyTorch, and one line where something is wrong."
import json, os, pickle, shutil, sys, warnings
from pathlib import Path

import numpy as np
import pytest
from helpers import command
from test_kinds import save_tiny
from vfr_lib.core import VfrError
from vfr_lib.encoders.converted import ConvertedEncoder, photographs
from vfr_lib.encoders.hub import save_toy_clip
from vfr_lib.encoders.inference import load_for_inference
from vfr_lib.encoders.load import load_encoder
from vfr_lib.encoders.register import local_folder
from vfr_lib.media.synthetic import brick_wall, make_clip

SENTENCES = ["a red wall", "A Wall", "red " * 40]
HEAVY = "print([m for m in ('torch', 'transformers', 'torchvision') if m in sys.modules], file=sys.stderr)"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    "A cache of its own, a clip of two walls, and a toy of each class."
    folder, was = tmp_path_factory.mktemp("hub"), dict(os.environ)
    os.environ |= dict(VFR_CACHE=str(folder / "cache"), HF_HUB_OFFLINE="1", HF_HUB_CACHE=str(folder / "hub"), OMP_NUM_THREADS="1")
    make_clip(folder / "walls.mp4", [(brick_wall("red"), 2), (brick_wall("blue"), 2)], camera=False)
    for kind in ("clip", "siglip"): save_toy_clip(folder / kind, kind)
    for kind in ("siglip2", "metaclip_2"): save_tiny(folder / kind, kind)
    yield folder
    os.environ.clear(); os.environ.update(was)


def cosines(one, other):
    "The least cosine of what two encoders make of photographs and sentences."
    pictures = photographs(6, 5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")   # one is cut
        return min(float((a * b).sum(1).min()) for a, b in ((one.encode_images(pictures), other.encode_images(pictures)), (one.encode_texts(SENTENCES), other.encode_texts(SENTENCES))))


@pytest.mark.parametrize("kind", ["clip", "siglip", "siglip2", "metaclip_2"])
def test_converted_is_the_original(home, kind):
    original, copy = load_encoder(home / kind, "cpu"), load_for_inference(home / kind)
    assert type(copy) is ConvertedEncoder and copy.space() == original.identity() != copy.identity()
    for engine in copy.about["engines"]: assert cosines(load_for_inference(home / kind, engine=engine), original) > 0.99
    assert type(load_for_inference(home / kind, engine="torch")) is type(original)
    assert cosines(pickle.loads(pickle.dumps(copy)), original) > 0.99


def ask(home, *args):
    "What `vfr` says in a process of its own, and which heavy libraries it has loaded."
    code = f"import sys; from vfr_lib.cli import main; s = main(sys.argv[1:]); {HEAVY}; sys.exit(s)"
    r = command(sys.executable, "-c", code, *args)
    assert r.returncode == 0, r.stderr
    return json.loads(r.stdout), r.stderr.strip()


def test_known_video_needs_no_framework(home):
    query = "find", home / "walls.mp4", "--encoder", home / "clip", "--json"
    first, _ = ask(home, *query, "a red wall")
    again, heavy = ask(home, *query, "a wall")
    assert first and again and heavy == "[]"


def test_library_in_a_second_process(home):
    ask(home, "add", home / "library", home / "walls.mp4", "--encoder", home / "siglip", "--json")
    found, heavy = ask(home, "search", home / "library", "a red wall", "--json")
    assert found and heavy == "[]"


def test_library_of_before_opens(home, monkeypatch):
    "One that was made through PyTorch is searched with the converted encoder."
    import vfr_lib as vfr
    vfr.Library(home / "old", load_encoder(home / "clip", "cpu")).add(str(home / "walls.mp4"))
    library = vfr.Library(home / "old", str(home / "clip"))
    assert library.search("a red wall") and type(library.encoder) is ConvertedEncoder


def test_damaged_copy_is_made_again(home):
    place = load_for_inference(home / "clip").place
    for name in ("text.bin", "about.json"):
        raw = (place / name).read_bytes()
        (place / name).write_bytes(raw[:len(raw) // 2] + b"\0" * 9)
        assert cosines(load_for_inference(home / "clip"), load_encoder(home / "clip", "cpu")) > 0.99
        assert type(load_for_inference(home / "clip")) is ConvertedEncoder


def test_cleared_with_the_cache(home):
    from vfr_lib.cache import cache_usage, clear_cache
    place = load_for_inference(home / "clip").place
    part = place.with_name(place.name + "-01234567.part"); part.mkdir(); (part / "text.xml").touch()
    assert cache_usage()["converted"][0] >= 7
    opened = load_for_inference(home / "clip")
    clear_cache(["converted"])
    assert not place.exists() and not part.exists() and "converted" not in cache_usage()
    with pytest.raises(VfrError, match="load it again"): opened.encode_texts("a wall")


def test_in_bytes(home, tmp_path):
    pytest.importorskip("nncf", reason="the extra int8 is not installed")
    folder = tmp_path / "clip"; shutil.copytree(home / "clip", folder)
    (folder / "config.json").write_text((folder / "config.json").read_text() + "   ")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")   # so small a one may be too far off
        copy = load_for_inference(folder)
    assert "openvino-int8" in copy.about["cosines"] and cosines(copy, load_encoder(folder, "cpu")) > 0.97


def snapshot(home, name, kind, files=None):
    "A model as the hub's cache holds it; returns the folder of the files."
    folder = home / "hub" / f"models--{name.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True); (folder / "refs/main").write_text("1234")
    shutil.copytree(home / kind, folder / "snapshots/1234", ignore=lambda _, names: [n for n in names if files and n not in files])
    return folder / "snapshots/1234"


def test_short_name_finds_what_was_fetched(home, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(home / "hub"))
    name = "google/siglip2-base-patch16-224"
    snapshot(home, name, "siglip")
    assert local_folder(name).name == "1234" and local_folder("nobody/toy") is None and local_folder("../toy") is None
    query = "find", home / "walls.mp4", "a red wall", "--json", "--encoder"
    first, _ = ask(home, *query, "siglip2-base")
    again, heavy = ask(home, *query, name)
    assert first == again and heavy == "[]"
    assert "google/siglip2-large-patch16-256" in one_line("siglip2-large") and "clip-b32" in one_line("clip-b33")


def one_line(*args):
    with pytest.raises(VfrError) as e: load_for_inference(*args)
    assert "\n" not in str(e.value)
    return str(e.value)


def test_half_downloaded_snapshot(home, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(home / "hub"))
    snapshot(home, "somebody/half", "clip", ["config.json", "tokenizer.json"])
    assert "somebody/half" in one_line("somebody/half")


def test_damaged_original(home, tmp_path):
    for name, change in (("model.safetensors", b"xx"), ("config.json", b'{"model_type": "flava"}'), ("tokenizer.json", b"{}")):
        folder = tmp_path / name; shutil.copytree(home / "clip", folder)
        (folder / name).write_bytes(change)
        one_line(folder)
    assert "steam" in one_line(home / "clip", None, "steam")


def test_what_cannot_be_converted_runs_as_it_is(home, tmp_path):
    "A processor with a whim of its own: one warning, once."
    folder = tmp_path / "odd"; shutil.copytree(home / "clip", folder)
    path = next(p for p in folder.iterdir() if "crop_size" in p.read_text(errors="ignore"))
    path.write_text(json.dumps(json.loads(path.read_text()) | {"do_pad": True, "pad_size": {"height": 32, "width": 32}}))
    with pytest.warns(match="is not converted"): encoder = load_for_inference(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert type(load_for_inference(folder)) is type(encoder) is not ConvertedEncoder
    assert encoder.encode_texts("a wall").shape == (1, encoder.dim)


def test_full_disk_costs_only_speed(home, tmp_path, monkeypatch):
    folder = tmp_path / "clip"; shutil.copytree(home / "clip", folder)
    (folder / "config.json").write_text((folder / "config.json").read_text() + " ")
    monkeypatch.setattr("vfr_lib.encoders.converted.os.replace", lambda *a: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.warns(match="cannot be kept"): encoder = load_for_inference(folder)
    assert encoder.encode_texts("a wall").shape == (1, encoder.dim)


def test_wrong_conversion_is_noticed(home, tmp_path, monkeypatch):
    from vfr_lib.encoders import converted
    folder = tmp_path / "clip"; shutil.copytree(home / "clip", folder)
    (folder / "config.json").write_text((folder / "config.json").read_text() + "  ")
    monkeypatch.setattr(converted, "LEAST", {n: 2.0 for n in converted.LEAST})
    with pytest.warns(match="come out otherwise"): assert type(load_for_inference(folder)) is not ConvertedEncoder


@pytest.mark.quick
def test_short_names(vfr):
    from vfr_lib.encoders.register import KNOWN, source_of
    listed = json.loads(vfr("encoders", "--json").stdout)
    assert [e["name"] for e in listed] == list(KNOWN) and all(bool(e["recall"]) == bool(e["published"]) for e in listed)
    assert vfr("encoders").stdout.count("\n") == len(KNOWN) + 1 and source_of("siglip2-base") == "google/siglip2-base-patch16-224"
    r = vfr("encoders", "--measure", "siglip2-bass")
    assert r.returncode == 2 and "siglip2-base" in r.stderr and r.stderr.count("\n") == 1


def test_sizes_in_the_register():
    import torch, transformers as T
    from vfr_lib.encoders.register import KNOWN
    for e in KNOWN.values():
        if e.kind == "open_clip" or e.parameters > 600: continue
        with torch.device("meta"): n = sum(p.numel() for p in T.AutoModel.from_config(T.AutoConfig.for_model(e.kind, **e.shape)).parameters())
        assert abs(n / 1e6 - e.parameters) < 1, (e.name, n)


def save_tiny_open_clip(folder):
    "A tiny model as open_clip writes it."
    open_clip = pytest.importorskip("open_clip", reason="the extra open_clip is not installed")
    from safetensors.torch import save_file
    settings = dict(embed_dim=24, vision_cfg=dict(image_size=32, layers=1, width=64, patch_size=8, head_width=32), text_cfg=dict(context_length=20, width=32, heads=2, layers=1))
    folder.mkdir()
    save_file(open_clip.model.CLIP(**settings).state_dict(), folder / "open_clip_model.safetensors")
    (folder / "open_clip_config.json").write_text(json.dumps(dict(model_cfg=settings, preprocess_cfg=dict(interpolation="bicubic", resize_mode="squash"))))
    return folder


def test_open_clip(home, tmp_path):
    original, copy = load_encoder(save_tiny_open_clip(tmp_path / "tiny"), "cpu"), load_for_inference(tmp_path / "tiny")
    assert type(original).__name__ == "OpenClipEncoder" and type(copy) is ConvertedEncoder and copy.space() == original.identity()
    assert cosines(copy, original) > 0.99
    about = json.loads((tmp_path / "tiny/open_clip_config.json").read_text())
    for change in (dict(text_cfg=dict(hf_model_name="somebody/else")), dict(vision_cfg=dict(timm_model_name="hf_hub:somebody/else")), dict(embed_dim=25), dict(text_cfg=5), dict(embed_dim="x"), dict(floors=1)):
        (tmp_path / "tiny/open_clip_config.json").write_text(json.dumps(dict(about, model_cfg=dict(about["model_cfg"], **change))))
        one_line(tmp_path / "tiny")
    (tmp_path / "tiny/open_clip_model.safetensors").unlink()
    one_line(tmp_path / "tiny")


@pytest.mark.quick
def test_open_clip_is_an_extra(tmp_path, monkeypatch):
    (tmp_path / "open_clip_config.json").write_text("{}")
    monkeypatch.setitem(sys.modules, "open_clip", None)
    assert "vfr_lib[open_clip]" in one_line(tmp_path)
