"What people carry away: tables, chapters, clips, timelines, pages."

def __getattr__(name):   # a module had this name before there were folders
    if name.startswith("__"): raise AttributeError(name)
    from importlib import import_module
    return getattr(import_module("vfr_lib.export.formats"), name)
