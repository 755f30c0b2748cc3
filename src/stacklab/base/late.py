"""Something to do once another package is imported, without importing it."""

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType


def after_import(watched: str, module: str, function: str) -> None:
    """Call `function` of `module` with no arguments once the module `watched` has been imported; at once if it has."""
    if watched in sys.modules:
        getattr(import_module(module), function)()
    else:
        sys.meta_path.insert(0, _Watch(watched, module, function))


class _Watch(MetaPathFinder):
    """Finds the one module it watches, as Python would, with a loader that calls afterwards."""

    def __init__(self, watched: str, module: str, function: str) -> None:
        self.watched, self.module, self.function = watched, module, function

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != self.watched:
            return None
        sys.meta_path.remove(self)
        found = find_spec(name)
        if found is not None and found.loader is not None:
            found.loader = _Calling(found.loader, self)
        return found


class _Calling(Loader):
    def __init__(self, loader: Loader, watch: _Watch) -> None:
        self.loader, self.watch = loader, watch

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        assert module.__spec__ is not None
        module.__spec__.loader = module.__loader__ = self.loader
        self.loader.exec_module(module)
        getattr(import_module(self.watch.module), self.watch.function)()
