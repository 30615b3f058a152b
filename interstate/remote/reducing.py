"""What we pickle otherwise than cloudpickle does.

Code takes along its source, so that it can cross to another Python.
Exceptions and tracebacks go whole; a ContextVar is the same one wherever it arrives.
"""

from __future__ import annotations

from contextvars import ContextVar
from types import CellType, CodeType, FunctionType, TracebackType
from weakref import WeakSet

import cloudpickle  # type: ignore[import-untyped]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_OURS = (BaseException, CodeType, ContextVar, TracebackType)


class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """A pickler of ours."""

    def reducer_override(self, obj: Any) -> Any:
        if not isinstance(obj, _OURS):
            return _keep_ours(obj, super().reducer_override(obj))
        if isinstance(obj, CodeType):
            return self._reduce_code(obj)
        if isinstance(obj, ContextVar):
            from .context import reduce_variable

            return reduce_variable(obj)
        if isinstance(obj, TracebackType):
            from .rebuilding import reduce_traceback

            return reduce_traceback(obj)
        from .rebuilding import reduce_exception

        return reduce_exception(obj)

    def _reduce_code(self, code: CodeType) -> Any:
        from .crossing import reduce_code

        try:
            return reduce_code(code)
        except ValueError:  # somebody has made it, with constants that no compiler makes
            return cloudpickle.cloudpickle._code_reduce(code)

    def _dynamic_function_reduce(self, fn: FunctionType) -> Any:
        """Functions that share a variable go on to share it; one goes as it was written."""
        from .crossing import without_rewriting

        plain = without_rewriting(fn)
        make, arguments, (attributes, state), *rest = super()._dynamic_function_reduce(plain)
        if fn.__closure__:
            shared = self.__dict__.setdefault("_cells", {})
            cells = tuple(shared.setdefault(id(cell), _Cell(cell)) for cell in fn.__closure__)
            arguments = (*arguments[:-1], cells)
        if getattr(fn, "__type_params__", ()):
            state["__type_params__"] = fn.__type_params__
        return make, arguments, (attributes, state), *rest


class _Cell:
    """Stands for a cell of a closure; a pickle has each but once.  Functions fill it."""

    def __init__(self, cell: CellType) -> None:
        self._cell = cell  # kept, since it is known by its id

    def __reduce__(self) -> Any:
        return CellType, ()


# -------------------------------------------------------------------- classes by value

_set_state = cloudpickle.cloudpickle._class_setstate
_ours: WeakSet[type] = WeakSet()  # classes that were made here, and have gone elsewhere by value
_came: WeakSet[type] = WeakSet()  # the others


def _keep_ours(obj: Any, reduced: Any) -> Any:
    """A class takes its whole name along; one that comes back home stays as it is."""
    if not isinstance(obj, type) or type(reduced) is not tuple or reduced[-1] is not _set_state:
        return reduced
    if obj not in _came:
        _ours.add(obj)
    make, arguments, state, *rest, _ = reduced
    if "__slots__" in vars(obj):  # which cloudpickle does not make
        given = arguments[3] | {"__slots__": vars(obj)["__slots__"]}
        arguments = (*arguments[:3], given, *arguments[4:])
    attributes = {**state[0], "__qualname__": obj.__qualname__}  # nor this
    return make, arguments, (attributes, *state[1:]), *rest, set_class_state


def set_class_state(kind: type, state: Any) -> Any:
    """Complete a class that came by value, unless it is our own that has come back."""
    if kind in _ours:
        return kind
    _came.add(kind)
    return _set_state(kind, state)
