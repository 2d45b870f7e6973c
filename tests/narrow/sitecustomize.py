"""With this folder on PYTHONPATH a ResNet-50 is a sixteenth as wide inside: the same layers under the same names, and
2048 features, but checkpoints of 80 MB for 400. For tests that train, are killed and go on."""
import sys
from functools import partial


def narrow(models): models.resnet50 = partial(models.resnet50, width_per_group=4)


class Finder:
    @staticmethod
    def find_spec(name, path, target=None):
        if name != "torchvision.models": return None
        from importlib.machinery import PathFinder
        spec = PathFinder.find_spec(name, path)
        execute = spec.loader.exec_module
        def exec_module(module): execute(module); narrow(module)
        spec.loader.exec_module = exec_module
        return spec


if "torchvision.models" in sys.modules: narrow(sys.modules["torchvision.models"])
else: sys.meta_path.insert(0, Finder)
