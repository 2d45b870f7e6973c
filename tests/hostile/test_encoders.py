"Folders of encoders that somebody has damaged or made to hurt: one line says so, or a sane encoder comes out."
import json, os, pickle, shutil, warnings

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings, strategies as st
from vfr_lib.core import VfrError
from vfr_lib.encoders.dual import toy_encoder
from vfr_lib.encoders.hub import save_toy_clip
from vfr_lib.encoders.inference import load_for_inference
from vfr_lib.encoders.load import load_encoder, save_encoder

def seeded(examples): return settings(max_examples=examples, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
ODD = st.sampled_from([0, -1, 3, 10 ** 6, 10 ** 9, 10 ** 30, 1.5, "224", "x", None, True, [], [1], {}, {"a": 1}, float("nan"), float("inf"), 1e308, [0, 0, 0], [float("nan")] * 3, [[1] * 3] * 3, "\x1b[31m", "../..", "a" * 10_000])


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    "One encoder of ours, one as the hub has them, and a copy of each to be damaged; {kind: (whole, damaged)}."
    warnings.simplefilter("ignore")
    home = tmp_path_factory.mktemp("encoders")
    save_encoder(toy_encoder(image_size=32), home / "ours", "int8"); save_toy_clip(home / "hub")
    for kind in ("ours", "hub"): shutil.copytree(home / kind, home / f"damaged {kind}")
    return {kind: (home / kind, home / f"damaged {kind}") for kind in ("ours", "hub")}


def answers(folder, load=load_for_inference, pictures=True):
    "Load an encoder and use it: True, or the one line that says why not."
    try:
        encoder = load(folder, "cpu", "torch") if load is load_for_inference else load(folder, "cpu")
        v = encoder.encode_texts(["a red wall", "a" * 40 + "!"])
        if pictures: v = np.concatenate([v, encoder.encode_images([np.full((50, 60, 3), 80, np.uint8)])])
    except VfrError as e:
        assert "\n" not in str(e) and str(e).isprintable() and len(str(e)) < 700
        return str(e)
    assert np.isfinite(v).all() and np.allclose(np.linalg.norm(v, axis=1), 1, atol=1e-3) and str(encoder.name).isprintable() and isinstance(encoder.identity(), str)
    return True


def paths(value, here=()):
    "The place of every value in settings."
    yield here
    for k, v in value.items() if isinstance(value, dict) else (): yield from paths(v, (*here, k))


def changed(settings, place, value):
    "Settings with another value at one place."
    copy = json.loads(json.dumps(settings))
    if not place: return value
    at = copy
    for k in place[:-1]: at = at[k]
    at[place[-1]] = value
    return copy


def damaged_settings(kind, names, examples):
    @seeded(examples)
    @given(st.data())
    def check(folders, data):
        whole, damaged = folders[kind]
        name = data.draw(st.sampled_from(names))
        about = json.loads((whole / name).read_text())
        about = changed(about, data.draw(st.sampled_from(list(paths(about)))), data.draw(ODD))
        (damaged / name).write_text(json.dumps(about))
        try: answers(damaged, pictures=False)
        finally: shutil.copy(whole / name, damaged / name)
    return check


test_settings_of_ours = damaged_settings("ours", ["config.json", "tokenizer.json"], 120)
test_settings_of_the_hub = damaged_settings("hub", ["config.json", "tokenizer.json", "tokenizer_config.json", "preprocessor_config.json"], 60)


@pytest.mark.parametrize("kind, examples", [("ours", 50), ("hub", 20)])
def test_bytes_of_weights(folders, kind, examples):
    whole, damaged = folders[kind]
    good = (whole / "model.safetensors").read_bytes()
    header = int.from_bytes(good[:8], "little")

    @seeded(examples)
    @given(st.one_of(st.integers(0, header + 8), st.integers(0, len(good) - 1)), st.binary(min_size=1, max_size=8), st.booleans())
    def check(at, other, cut):
        (damaged / "model.safetensors").write_bytes(good[:at] if cut else good[:at] + other + good[at + len(other):])
        answers(damaged)
    try: check()
    finally: shutil.copy(whole / "model.safetensors", damaged / "model.safetensors")


BOMBS = {"config.json": ['{"architecture":' * 100_000, '{"format":' + "9" * 5000 + "}", "[]", "", b"\xff\xfe{}", " " * (2 << 20)],
         "tokenizer.json": ["[" * 100_000, "{}", "", b"\x00" * 100],
         "model.safetensors": [b"", (10 ** 15).to_bytes(8, "little") + b"{}", (2).to_bytes(8, "little") + b"{}"]}


@pytest.mark.parametrize("kind", ["ours", "hub"])
def test_bombs(folders, kind):
    whole, damaged = folders[kind]
    for name, bombs in BOMBS.items():
        for bomb in bombs:
            (damaged / name).write_bytes(bomb if isinstance(bomb, bytes) else bomb.encode())
            assert answers(damaged) is not True and answers(damaged, load_encoder) is not True, (name, bomb[:20])
        os.remove(damaged / name)
        assert answers(damaged) is not True
        shutil.copy(whole / name, damaged / name)
    assert "is a file" in answers(damaged / "config.json")


def explosive_tokenizers(tokenizer):
    "Tokenizers that make a million letters of one, think for years, or give numbers that no word has."
    grow = dict(type="Replace", pattern=dict(String="a"), content="aaaaaaaaaa")
    yield dict(normalizer=dict(type="Sequence", normalizers=[grow] * 9))
    yield dict(normalizer=dict(type="Prepend", prepend="a" * 10 ** 6))
    yield dict(pre_tokenizer=dict(type="Split", pattern=dict(Regex="(a+)+$"), behavior="Isolated", invert=False))
    yield dict(pre_tokenizer=dict(type="Split", pattern=dict(Regex="(?:a|aa)+!!"), behavior="Isolated", invert=False))
    yield dict(post_processor=dict(type="TemplateProcessing", single=[{"SpecialToken": {"id": "[CLS]", "type_id": 0}}] * 1000, pair=[], special_tokens=tokenizer["post_processor"]["special_tokens"]))
    for n in (4_000_000_000, -1, 99): yield dict(model={**tokenizer["model"], "vocab": {**tokenizer["model"]["vocab"], "[UNK]": n}})


@pytest.mark.parametrize("kind", ["ours", "hub"])
def test_explosive_tokenizers(folders, kind):
    whole, damaged = folders[kind]
    tokenizer = json.loads((whole / "tokenizer.json").read_text())
    for bad in explosive_tokenizers(tokenizer):
        (damaged / "tokenizer.json").write_text(json.dumps({**tokenizer, **bad}))
        assert answers(damaged, pictures=False) is not True, bad.keys()
    shutil.copy(whole / "tokenizer.json", damaged / "tokenizer.json")
    assert answers(damaged) is True


class Touch:
    def __init__(self, path): self.path = path
    def __reduce__(self): return os.system, (f"touch '{self.path}'",)


CODE = {"config.json": [dict(auto_map={"AutoConfig": "evil.EvilConfig", "AutoModel": "evil.EvilModel"}, model_type="evil"), dict(auto_map={"AutoModel": "evil.EvilModel"}), dict(attn_implementation="evil/kernel"),
                        dict(quantization_config=dict(quant_method="bitsandbytes", load_in_4bit=True)), dict(text_config=dict(auto_map={"AutoConfig": "evil.EvilConfig"}))],
        "tokenizer_config.json": [dict(auto_map={"AutoTokenizer": ["evil.T", "evil.T"]}, tokenizer_class="T")], "preprocessor_config.json": [dict(auto_map={"AutoImageProcessor": "evil.P"}, image_processor_type="P")],
        "adapter_config.json": [dict(peft_type="LORA", base_model_name_or_path="evil/x")]}


def test_no_code_runs_nothing_is_asked_and_nothing_is_fetched(folders, monkeypatch, tmp_path):
    whole, damaged = folders["hub"]
    def never(*a, **k): raise AssertionError("asked, or connected")
    for where in ("builtins.input", "socket.socket.connect", "socket.getaddrinfo"): monkeypatch.setattr(where, never)
    (damaged / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nfrom transformers import CLIPConfig as EvilConfig, CLIPModel as EvilModel\n")
    for name, changes in CODE.items():
        about = json.loads((whole / name).read_text()) if (whole / name).exists() else {}
        for change in changes:
            (damaged / name).write_text(json.dumps({**about, **change}))
            assert answers(damaged) is not True, change
        (shutil.copy(whole / name, damaged / name) if (whole / name).exists() else os.remove(damaged / name))
    assert answers(damaged) is True
    os.remove(damaged / "model.safetensors")
    for write in (lambda f: torch.save({"x": Touch(tmp_path / "ran")}, f), lambda f: f.write_bytes(pickle.dumps(Touch(tmp_path / "ran")))):
        write(damaged / "pytorch_model.bin")
        assert "if you trust it" in answers(damaged)
    os.remove(damaged / "pytorch_model.bin"); shutil.copy(whole / "model.safetensors", damaged / "model.safetensors")
    assert not (tmp_path / "ran").exists()


def test_the_way_out_of_old_weights_works(folders, tmp_path):
    from transformers import AutoModel
    folder = tmp_path / "old one"
    shutil.copytree(folders["hub"][0], folder)
    torch.save(AutoModel.from_pretrained(folder).state_dict(), folder / "pytorch_model.bin"); os.remove(folder / "model.safetensors")
    command = answers(folder).partition("python -c ")[2]
    exec(command.strip('"'))   # as a shell would hand it to Python
    assert answers(folder) is True


def test_weights_that_are_no_numbers(folders):
    from safetensors.torch import load_file, save_file
    for kind, (whole, damaged) in folders.items():
        weights = load_file(whole / "model.safetensors")
        for name in list(weights)[:: max(1, len(weights) // 12)]:
            if not weights[name].is_floating_point(): continue
            save_file({**weights, name: torch.full_like(weights[name], float("nan"))}, damaged / "model.safetensors", metadata=dict(format="pt"))
            assert answers(damaged) is not True, (kind, name)
        save_file({n: w for n, w in weights.items() if n != name}, damaged / "model.safetensors", metadata=dict(format="pt"))
        assert answers(damaged, load_encoder) is not True
        shutil.copy(whole / "model.safetensors", damaged / "model.safetensors")
