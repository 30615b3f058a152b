"""cloudpickle, with what we need otherwise: a function that travels keeps the name of its file.

cloudpickle 3.1.3 leaves it out, and a traceback would not know where its lines come from.
"""

from __future__ import annotations

import io
from types import CodeType

from . import wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_NO_NAME = "<dynamic-code>"
_pickler: Any = None


def pickler() -> Any:
    """Return the class of our picklers; it is made, and cloudpickle imported, when first needed."""
    global _pickler
    if _pickler is None:
        from collections import ChainMap

        import cloudpickle  # type: ignore[import-untyped]

        base = cloudpickle.Pickler
        table = ChainMap({CodeType: _reduce_code}, base.dispatch_table)
        _pickler = type("Pickler", (base,), {"dispatch_table": table})
    return _pickler


def dumps(value: Any, **options: Any) -> bytes:
    """Return the pickle of anything that cloudpickle takes."""
    file = io.BytesIO()
    pickler()(file, protocol=wire.PICKLE, **options).dump(value)
    return file.getvalue()


def _reduce_code(code: CodeType) -> Any:
    import cloudpickle

    kind, arguments = cloudpickle.cloudpickle._code_reduce(code)
    name = "".join(code.co_filename)  # a string of its own, so that equal functions pickle equally
    return kind, tuple(name if part == _NO_NAME else part for part in arguments)
