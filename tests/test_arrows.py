"Rooms import downwards only, and take no private name of another: the order of the folders is that of the house."
import ast

import pytest
from helpers import root

floors = ["core", "cache", "media", "encoders", "search", "library", "export", "ui", "train", "bench", "cli"]   # from the ground up
rooms = {p.relative_to(root / "vfr_lib").with_suffix("").parts: p for p in (root / "vfr_lib").rglob("*.py") if p.name not in ("__init__.py", "_modidx.py")}


def imports(room):
    "(other room, name) of everything that a room imports from the package, wherever in the file."
    for node in ast.walk(ast.parse(rooms[room].read_text())):
        if not isinstance(node, ast.ImportFrom): continue
        base = (*room[:len(room) - node.level],) if node.level else ()
        module = tuple((node.module or "").split(".")) if node.module else ()
        if not node.level and module[:1] != ("vfr_lib",): continue
        where = base + (module if node.level else module[1:])
        for alias in node.names:
            if where in rooms: yield where, alias.name
            elif (*where, alias.name) in rooms: yield (*where, alias.name), None


@pytest.mark.quick
@pytest.mark.parametrize("room", rooms, ids=".".join)
def test_imports_go_downwards(room):
    assert [f"{'.'.join(o)}" for o, _ in imports(room) if floors.index(o[0]) > floors.index(room[0])] == []
    assert [f"{'.'.join(o)}.{n}" for o, n in imports(room) if n and n.startswith("_") and o != room] == []


@pytest.mark.quick
def test_no_circles():
    graph, done = {r: {o for o, _ in imports(r) if o != r} for r in rooms}, set()
    while free := [r for r in graph if r not in done and graph[r] <= done]: done.update(free)
    assert sorted(".".join(r) for r in set(graph) - done) == []
