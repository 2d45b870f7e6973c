"A Whisper of random weights in the format of CTranslate2, made in a second: it hears words that nobody said."
from pathlib import Path

import numpy as np

LANGUAGES = """en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta no th ur hr bg lt la mi ml cy
sk te fa lv bn sr az sl kn et mk br eu is hy ne mn bs kk sq sw gl mr pa si km sn yo so af oc ka be tg sd gu am yi lo uz fo ht ps tk
nn mt sa lb my bo tl mg as tt haw ln ha ba jw su""".split()
LETTERS, WORDS, WIDTH, END = 256, 50257, 16, 1.5   # Whisper's vocabulary; one of many languages has an empty word


def tiny_whisper(folder, seed=0):
    "Write one into a folder; returns the folder."
    from ctranslate2.specs import whisper_spec
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = [*letters, *(f"Ġword{i}" for i in range(WORDS - LETTERS - 1)), ""]
    special = ["endoftext", "startoftranscript", *LANGUAGES, "translate", "transcribe", "startoflm", "startofprev", "nospeech", "notimestamps"]
    special = [f"<|{s}|>" for s in special]
    tokenizer = Tokenizer(models.BPE(vocab={w: i for i, w in enumerate(words)}, merges=[]))
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(s, special=True) for s in special])
    names = words + special + [f"<|{0.02 * i:.2f}|>" for i in range(1501)]

    spec, rng = whisper_spec.WhisperSpec(1, 2, 1, 2), np.random.default_rng(seed)
    fill = lambda *shape: rng.normal(0, 0.3, shape).astype(np.float32)
    def norm(layer): layer.gamma, layer.beta = np.ones(WIDTH, np.float32), np.zeros(WIDTH, np.float32)
    def linear(layer, rows, columns=WIDTH): layer.weight, layer.bias = fill(rows, columns), np.zeros(rows, np.float32)
    def attention(layer, *rows):
        norm(layer.layer_norm)
        for part, n in zip(layer.linear, rows): linear(part, n * WIDTH)
    for half in (spec.encoder, spec.decoder):
        norm(half.layer_norm)
        attention(half.layer[0].self_attention, 3, 1)
        norm(half.layer[0].ffn.layer_norm)
        linear(half.layer[0].ffn.linear_0, 4 * WIDTH)
        linear(half.layer[0].ffn.linear_1, WIDTH, 4 * WIDTH)
    attention(spec.decoder.layer[0].attention, 1, 2, 1)
    for conv, channels in ((spec.encoder.conv1, 80), (spec.encoder.conv2, WIDTH)):
        conv.weight, conv.bias = fill(WIDTH, channels, 3), np.zeros(WIDTH, np.float32)
    spec.decoder.embeddings.weight, spec.decoder.projection.weight = fill(len(names), WIDTH), 5 * fill(len(names), WIDTH)
    spec.decoder.layer_norm.beta = np.ones(WIDTH, np.float32)
    spec.decoder.projection.weight[WORDS] += END   # it stops talking after a few words
    spec.encoder.position_encodings.encodings, spec.decoder.position_encodings.encodings = fill(1500, WIDTH), fill(448, WIDTH)
    spec.config.alignment_heads, spec.config.suppress_ids, spec.config.suppress_ids_begin = [[0, 0], [0, 1]], [], [220, WORDS]
    spec.config.lang_ids = list(range(WORDS + 2, WORDS + 2 + len(LANGUAGES)))
    spec.register_vocabulary(names)
    spec.validate()
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    spec.save(str(folder))
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder
