"How fast it is, against the usual ways."

def __getattr__(name: str):   # a module had this name before there were folders
    if name.startswith("__"): raise AttributeError(name)
    from importlib import import_module
    return getattr(import_module("vfr_lib.bench.speed"), name)
