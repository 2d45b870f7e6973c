"Nothing outside of the cache is removed: every place that removes is known, and what is planted in the cache leads nowhere."
import ast, hashlib, json, os

import pytest
from helpers import root

# who removes, and what at most; whoever is new here says why, or calls `remove_inside`
KNOWN = {
    "cache": {"unfinished": "its own new file", "sweep": "NAME-xxxxxxxx.part in a folder of the cache, whose maker has ended",
              "turn_of": "its own lock", "remove_inside": "what lies in the folder that it is given, links as themselves"},
    "cluster": {"_folder": "the temporary folder that it has made", "_remove_left": "such a folder of a killed process, by the mark in it", "check_machines": "its own mark"},
    "converted": {"convert": "its own new folder"}, "notes": {"to_notes": "pictures that it has made, and the folder for them"},
    "core": {"write_whole": "its own new file"},
    "download": {"anew": "parts of a download, by its downloader's own names", "whole": "a part of another size than the server says", "_tidy": "the empty folder of a download"},
    "load": {"_swap": "the encoder that was just replaced", "save_encoder": "its own new folder"},
    "clips": {"_unmake": "empty folders that it has made"},
    "query": {"delete_query": "a saved query, by its name"},
    "scale": {"scale_clips": "clips that it has made"},
    "checkpoint": {"clear_unfinished": "what a killed run left in the folder of the run, by its pattern"},
}


def removals(tree):
    "(innermost function, line) of every call that removes something."
    functions = [f for f in ast.walk(tree) if isinstance(f, ast.FunctionDef)]
    for call in ast.walk(tree):
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)): continue
        name, of = call.func.attr, getattr(call.func.value, "id", "")
        if name in ("unlink", "rmtree", "rmdir", "removedirs") or (of, name) == ("os", "remove"):
            around = [f for f in functions if f.lineno <= call.lineno <= f.end_lineno]
            yield max(around, key=lambda f: f.lineno).name if around else "", call.lineno


@pytest.mark.quick
def test_every_place_that_removes_is_known():
    found = {}
    for path in (root / "vfr_lib").rglob("*.py"):
        for function, line in removals(ast.parse(path.read_text())): found.setdefault(path.stem, {}).setdefault(function, []).append(line)
    assert {room: set(names) for room, names in found.items()} == {room: set(names) for room, names in KNOWN.items()}


@pytest.fixture
def victim(tmp_path, monkeypatch):
    "A folder beside the cache with something dear in it."
    monkeypatch.setenv("VFR_CACHE", str(tmp_path / "cache"))
    (folder := tmp_path / "thesis").mkdir()
    (folder / "film.mp4").write_text("not a video"); (folder / "thesis.txt").write_text("years of work")
    return folder


def planted(victim, link, path):
    "What somebody else might write into a cache that is shared."
    home = victim.parent / "cache/videos" / hashlib.sha256(f"{link} 480".encode()).hexdigest()[:16]
    home.mkdir(parents=True, exist_ok=True)
    (home / "video.json").write_text(json.dumps(dict(path=path, url=link)))
    return home


@pytest.mark.parametrize("path", ["../../../thesis/film.mp4", "{}/film.mp4", "away/film.mp4", "..", ".", "", None, 7, ["film.mp4"], "film.mp4\0"])
def test_a_planted_download_leads_nowhere(victim, path):
    from vfr_lib.cache import clear_cache
    from vfr_lib.core import VfrError
    from vfr_lib.media.download import forget
    from vfr_lib.media.source import open_video
    link = "http://127.0.0.1:1/film.mp4"
    home = planted(victim, link, path.format(victim) if isinstance(path, str) else path)
    (home / "away").symlink_to(victim)
    with pytest.raises(VfrError): open_video(link)
    for given in (victim / "film.mp4", home / "away/film.mp4", victim):
        try: forget(str(given))
        except VfrError: pass
    clear_cache()
    assert (victim / "thesis.txt").is_file() and (victim / "film.mp4").is_file()


@pytest.mark.parametrize("kind", ["vectors", "videos", "digests", "copies", "text", "converted"])
def test_a_cache_that_leads_elsewhere_is_not_followed(victim, kind):
    from vfr_lib.cache import clear_cache, delete, put, sweep
    import numpy as np
    (victim / f"{'a' * 32}.npz").write_text("dear"); (victim / f"{'a' * 24}").write_text("dear"); (victim / f"{'a' * 32}.mp4").write_text("dear")
    before = sorted(p.name for p in victim.iterdir())
    cache = victim.parent / "cache"
    cache.mkdir()
    (cache / kind).symlink_to(victim)
    os.environ["VFR_CACHE_LIMIT"] = "1"
    try:
        put(("one",), a=np.zeros(9)); delete(("one",)); clear_cache()
        sweep(cache / kind)
    finally: del os.environ["VFR_CACHE_LIMIT"]
    assert set(before) <= {p.name for p in victim.iterdir()}
