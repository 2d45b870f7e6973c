"Type a sentence, see the moment. Names are fetched when they are first used, so that `import vfr_lib` stays light."
import sys

__version__ = "0.1.0"

_rooms = {
    "core": "Frame Moment Moments VfrError VfrWarning",
    "media.synthetic": "make_clip sample_clip",
    "media.frames": "iter_frames frame_at probe",
    "encoders.load": "load_encoder save_encoder",
    "encoders.inference": "load_for_inference",
    "train.loop": "fit",
    "train.evaluation": "evaluate",
    "search.embedding": "embed_frames",
    "search.moments": "find_moments",
    "search.evidence": "Evidence Hit register",
    "search.fusion": "RRF",
    "search.find": "find find_anytime SearchConfig",
    "search.query": "Query",
    "export.tables": "to_csv to_json",
    "export.chapters": "to_chapters auto_chapters",
    "export.timelines": "to_edl to_fcp7",
    "export.clips": "cut_clips",
    "export.page": "to_html",
    "library.library": "Library",
    "library.cluster": "Cluster",
    "ui.monitor": "Monitor",
    "ui.player": "Player",
    "ui.demo": "demo",
}
_where = {name: room for room, names in _rooms.items() for name in names.split()}
__all__ = sorted(_where)

_renamed = {"serve": "load_for_inference"}   # what was called otherwise before

def __getattr__(name: str):
    from importlib import import_module
    if name in _renamed:
        import warnings
        warnings.warn(f"vfr_lib.{name} is called {_renamed[name]} now", DeprecationWarning, stacklevel=2)
        name = _renamed[name]
    if name not in _where: raise AttributeError(f"module 'vfr_lib' has no attribute {name!r}")
    value = getattr(import_module(f"vfr_lib.{_where[name]}"), name)
    globals()[name] = value
    return value

def __dir__(): return sorted([*globals(), *_where])

# Modules as they were called when all lay in one folder: `vfr_lib.frames` is `vfr_lib.media.frames`,
# and nothing is loaded before it is asked for.
_before = {"clips": "media.synthetic", "download": "media.download", "frames": "media.frames",
           "transcript": "media.transcript", "foreign": "encoders.checks", "vectors": "encoders.base",
           "serving": "encoders.inference", "datasets": "train.datasets", "loss": "train.loss",
           "metrics": "train.metrics", "training": "train.loop", "evaluation": "train.evaluation",
           "words": "search.words", "embedding": "search.embedding", "calibration": "search.calibration",
           "moments": "search.find", "query": "search.query", "localisation": "train.localisation",
           "cluster": "library.cluster", "jobs": "ui.jobs", "monitor": "ui.monitor", "player": "ui.player",
           "demo": "ui.demo", "search_bench": "bench.search", "scale_bench": "bench.scale"}

class _Before:
    "Finds a module by the name that it had before."
    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None):
        from importlib.util import spec_from_loader
        front, _, old = name.rpartition(".")
        return spec_from_loader(name, _Before) if front == __name__ and old in _before else None

    @staticmethod
    def create_module(spec: "ModuleSpec"):
        from importlib import import_module
        module = import_module(f"{__name__}.{_before[spec.name.rpartition('.')[2]]}")
        spec.loader_state = module.__spec__
        return module

    @staticmethod
    def exec_module(module: "ModuleType"): module.__spec__ = module.__spec__.loader_state   # it keeps its new name

sys.meta_path.insert(0, _Before)
