"Every kind of model that is let in gives vectors of pictures and texts of one length, and alone or in a batch the same."
import numpy as np
import pytest
import transformers as T
from vfr_lib.encoders.base import toy_tokenizer
from vfr_lib.encoders.checks import SHARED
from vfr_lib.encoders.load import load_encoder

BOTH = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2)
TEXT = dict(**BOTH, vocab_size=32, max_position_embeddings=20, bos_token_id=2, eos_token_id=3, pad_token_id=0)
IMAGE = dict(**BOTH, image_size=32, patch_size=8)


def tiny(kind):
    "An untrained model of a kind, as small as it gets."
    text, image = dict(TEXT), dict(IMAGE)
    if kind == "vision-text-dual-encoder":
        return T.VisionTextDualEncoderModel(T.VisionTextDualEncoderConfig.from_vision_text_configs(T.CLIPVisionConfig(**IMAGE), T.BertConfig(**TEXT), projection_dim=24))
    if kind == "altclip": text |= dict(project_dim=32)
    if kind == "align": image = dict(image_size=32, hidden_dim=32, in_channels=[8], out_channels=[32], kernel_sizes=[3], strides=[1], depthwise_padding=[], num_block_repeats=[1], expand_ratios=[1], width_coefficient=0.1, depth_coefficient=0.1)
    if kind == "groupvit": image |= dict(depths=[1, 1, 1], num_group_tokens=[8, 4, 0], num_output_groups=[8, 4, 0])
    if kind == "siglip2": image = dict(**BOTH, patch_size=8, num_patches=16)
    config = T.AutoConfig.for_model(kind, text_config=text, vision_config=image, **({} if kind.startswith("siglip") else dict(projection_dim=8 if kind == "align" else 24)))
    return T.AutoModel.from_config(config)


def save_tiny(folder, kind):
    "Write one with its processors, as the hub has it."
    size = dict(height=32, width=32)
    processor = T.Siglip2ImageProcessor(patch_size=8, max_num_patches=16) if kind == "siglip2" else T.CLIPImageProcessor(size=dict(shortest_edge=32), crop_size=size)
    tokenizer = T.PreTrainedTokenizerFast(tokenizer_object=toy_tokenizer(["a", "red", "wall"]), pad_token="[PAD]", unk_token="[UNK]")
    for part in (tiny(kind), processor, tokenizer): part.save_pretrained(folder)


@pytest.mark.parametrize("kind", SHARED)
def test_pictures_and_texts_share_a_space(kind, tmp_path):
    save_tiny(tmp_path, kind)
    encoder = load_encoder(tmp_path, "cpu")
    texts = encoder.encode_texts(["a red wall", "a wall", "red " * 40])
    assert texts.shape == (3, encoder.dim) == (3, encoder.encode_images([np.full((40, 50, 3), 90, np.uint8)]).shape[1])
    assert np.allclose(texts[1], encoder.encode_texts("a wall")[0], atol=1e-5)
