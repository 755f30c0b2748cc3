"""stacklab: controlled experiments on transformer stacks.

>>> import stacklab
>>> result = stacklab.load_study("depth", scale="smoke").run()  # doctest: +SKIP
>>> result.table  # doctest: +SKIP
"""

from typing import TYPE_CHECKING, Any

from stacklab.base.version import VERSION

if TYPE_CHECKING:
    from stacklab.api import (
        Study,
        evaluate,
        export_model,
        generate,
        import_model,
        load_study,
        open_results,
        register_with_transformers,
        stream,
    )

__version__ = VERSION
__all__ = [
    "Study",
    "evaluate",
    "export_model",
    "generate",
    "import_model",
    "load_study",
    "open_results",
    "register_with_transformers",
    "stream",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'stacklab' has no attribute {name!r}")
    from stacklab import api

    return getattr(api, name)
