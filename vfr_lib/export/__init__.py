"""What people carry away: tables, chapters, timelines, clips, a page.
A new exporter is a function in one of these rooms, or a room beside them."""
import sys

from vfr_lib import names_when_used

__getattr__, __dir__, __all__ = names_when_used(__name__, {
    "base": "link_at one_line moment_name write_text files_of",
    "tables": "to_csv to_json",
    "chapters": "to_chapters auto_chapters label_scores",
    "ffmpeg": "ffmpeg_input run_ffmpeg",
    "timelines": "to_edl to_fcp7 timeline_of rates_of is_found remark varies reel_of edit_rate start_timecode timecode_text "
                 "timecode_at",
    "clips": "cut_clips Clip",
    "page": "to_html",
    "interchange": "to_otio to_fcpxml",
    "mlt": "to_mlt",
    "markers": "to_resolve_markers to_premiere_markers Mark marks_of",
    "chapter_files": "to_ffmetadata to_vtt to_matroska_xml to_kodi to_matroska Chapter chapters_of",
    "notes": "to_notes jump_link",
    "by_suffix": "export_as check_target format_of",
})

# All lay in one module before: `vfr_lib.export.formats` has the same names.
formats = sys.modules[f"{__name__}.formats"] = sys.modules[__name__]
