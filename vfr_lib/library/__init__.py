"Many videos, kept on disk and searched at once; many machines that fill it."

def __getattr__(name: str) -> object:   # a module had this name before there were folders
    if name.startswith("__"): raise AttributeError(name)
    from importlib import import_module
    return getattr(import_module("vfr_lib.library.library"), name)
