"Pictures and sentences become vectors of one space."

def __getattr__(name):   # a module had this name before there were folders
    if name.startswith("__"): raise AttributeError(name)
    from importlib import import_module
    return getattr(import_module("vfr_lib.encoders.dual"), name)
