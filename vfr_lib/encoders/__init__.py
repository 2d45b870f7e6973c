"Pictures and sentences become vectors of one space. A module had this name before there were folders: its names go on."

from vfr_lib import names_when_used

__getattr__, __dir__, __all__ = names_when_used(__name__, {
    "base": "EMBEDDED LONGEST Encoder encode_pairs encoder_name known_identity open_image to_rgb to_squares "
            "toy_tokenizer unit weights_digest",
    "checks": "FORMAT SHARED EncoderConfig card_of check_hub_folder check_model_type check_settings check_tokenizer "
              "config_of explosive is_number read_config read_json read_tokenizer",
    "dual": "DualEncoder ImageEncoder ProjectionHead TextEncoder activation_ranges as_input autocast calibrate "
            "gains_by_bf16 normalise pad_tokens reconfigured to_pixels toy_encoder",
    "hub": "HubEncoder distilbert_from_bert image_backbone save_toy_clip text_backbone",
    "load": "build_encoder load_encoder read_encoder save_encoder",
    "inference": "InferenceEncoder load_for_inference",
})
