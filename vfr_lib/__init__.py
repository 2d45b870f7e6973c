"Type a sentence, see the moment. Names are fetched when they are first used, so that `import vfr_lib` stays light."
import sys
from importlib import import_module

__version__ = "0.1.0"

def names_when_used(package: str, # its name
                    rooms: dict[str, str] # {module of the package: the names that it gives, with spaces between}
                   ) -> tuple:
    "`__getattr__`, `__dir__` and `__all__` of a package whose names are fetched when they are first used."
    where, module = {name: room for room, names in rooms.items() for name in names.split()}, sys.modules[package]
    def get(name: str) -> object:
        if name not in where: raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(f"{package}.{where[name]}"), name)
        setattr(module, name, value)
        return value
    return get, lambda: sorted([*vars(module), *where]), list(where)

_get, __dir__, __all__ = names_when_used(__name__, {
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
    "export.interchange": "to_otio to_fcpxml",
    "export.mlt": "to_mlt",
    "export.markers": "to_resolve_markers to_premiere_markers",
    "export.chapter_files": "to_ffmetadata to_vtt to_matroska_xml to_kodi to_matroska",
    "export.notes": "to_notes",
    "export.clips": "cut_clips",
    "export.page": "to_html",
    "library.library": "Library",
    "library.cluster": "Cluster",
    "ui.monitor": "Monitor",
    "ui.player": "Player",
    "ui.demo": "demo",
})
__all__ = sorted(__all__)

_renamed = {"serve": "load_for_inference"}   # what was called otherwise before

def __getattr__(name: str) -> object:
    if name not in _renamed: return _get(name)
    import warnings
    warnings.warn(f"vfr_lib.{name} is called {_renamed[name]} now", DeprecationWarning, stacklevel=2)
    return _get(_renamed[name])

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
        module = import_module(f"{__name__}.{_before[spec.name.rpartition('.')[2]]}")
        spec.loader_state = module.__spec__
        return module

    @staticmethod
    def exec_module(module: "ModuleType"): module.__spec__ = module.__spec__.loader_state   # it keeps its new name

sys.meta_path.insert(0, _Before)
