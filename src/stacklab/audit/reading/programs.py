"""The formats of the folder `formats`, loaded by name: a new one is a new file there."""

import pkgutil
from functools import cache
from importlib import import_module

from stacklab.audit.reading import formats
from stacklab.audit.reading.entry import Format


@cache
def load_formats() -> tuple[Format, ...]:
    """The `FORMAT` of every file of the folder, in the order of the files' names."""
    names = sorted(module.name for module in pkgutil.iter_modules(formats.__path__))
    loaded = [import_module(f"{formats.__name__}.{name}").FORMAT for name in names]
    assert all(isinstance(each, Format) for each in loaded)
    return tuple(loaded)
