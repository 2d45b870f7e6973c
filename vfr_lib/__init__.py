"Type a sentence, see the moment. Names are fetched when they are first used, so that `import vfr_lib` stays light."
__version__ = "0.1.0"

_where = {"find": "moments", "find_anytime": "moments", "find_moments": "moments", "Query": "query", "serve": "serving", "embed_frames": "embedding", "load_encoder": "encoders", "save_encoder": "encoders", "fit": "training", "evaluate": "evaluation",
          "iter_frames": "frames", "frame_at": "frames", "probe": "frames", "to_html": "export", "to_csv": "export", "to_json": "export",
          "to_chapters": "export", "auto_chapters": "export", "cut_clips": "export", "to_edl": "export", "to_fcp7": "export",
          "Library": "library", "Cluster": "cluster", "demo": "demo", "Player": "player", "Monitor": "monitor",
          "make_clip": "clips", "sample_clip": "clips", "Frame": "core", "Moment": "core", "Moments": "core", "VfrError": "core", "VfrWarning": "core"}
__all__ = sorted(_where)

def __getattr__(name):
    from importlib import import_module
    if name not in _where: raise AttributeError(f"module 'vfr_lib' has no attribute {name!r}")
    value = getattr(import_module(f"vfr_lib.{_where[name]}"), name)
    globals()[name] = value
    return value

def __dir__(): return sorted([*globals(), *_where])
