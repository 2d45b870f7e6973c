"Pictures and sentences become vectors of one space. A module had this name before there were folders: its names go on."

_rooms = {
    "base": "EMBEDDED LONGEST Encoder encode_pairs encoder_name known_identity open_image to_rgb to_squares "
            "toy_tokenizer unit weights_digest",
    "checks": "FORMAT SHARED EncoderConfig card_of check_hub_folder check_model_type check_settings check_tokenizer "
              "config_of explosive is_number read_config read_json read_tokenizer",
    "dual": "DualEncoder ImageEncoder ProjectionHead TextEncoder activation_ranges as_input calibrate gains_by_bf16 "
            "normalise pad_tokens reconfigured to_pixels toy_encoder",
    "hub": "HubEncoder distilbert_from_bert image_backbone save_toy_clip text_backbone",
    "load": "build_encoder load_encoder read_encoder save_encoder",
    "inference": "InferenceEncoder load_for_inference",
}
_where = {name: room for room, names in _rooms.items() for name in names.split()}

def __getattr__(name: str):
    if name not in _where: raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module
    return getattr(import_module(f"{__name__}.{_where[name]}"), name)
