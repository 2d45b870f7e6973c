"""What people carry away: tables, chapters, timelines, clips, a page.
A new exporter is a function in one of these rooms, or a room beside them."""
import sys

_rooms = {
    "base": "link_at one_line moment_name write_text files_of",
    "tables": "to_csv to_json",
    "chapters": "to_chapters auto_chapters label_scores",
    "ffmpeg": "ffmpeg_input run_ffmpeg",
    "timelines": "to_edl to_fcp7 edit_rate start_timecode timecode_text timecode_at",
    "clips": "cut_clips Clip",
    "page": "to_html",
}
_where = {name: room for room, names in _rooms.items() for name in names.split()}
__all__ = list(_where)

def __getattr__(name: str):
    if name not in _where: raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module
    return getattr(import_module(f"{__name__}.{_where[name]}"), name)

def __dir__(): return sorted([*globals(), *_where])

# All lay in one module before: `vfr_lib.export.formats` has the same names.
formats = sys.modules[f"{__name__}.formats"] = sys.modules[__name__]
