"""What we pickle otherwise than cloudpickle does.

Code takes along the name of its file, which cloudpickle 3.1.3 leaves out, and its source lines.
Exceptions and tracebacks go whole; a ContextVar is the same one wherever it arrives.
"""

from __future__ import annotations

from contextvars import ContextVar
from types import CodeType, TracebackType
from weakref import WeakSet

import cloudpickle  # type: ignore[import-untyped]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_NO_NAME = "<dynamic-code>"
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
        """Lines go with the outermost code that they are in."""
        from .sources import lines_of, rebuild_code

        _, arguments = cloudpickle.cloudpickle._code_reduce(code)
        name = "".join(code.co_filename)  # of its own, so that equal functions pickle equally
        arguments = tuple(name if part == _NO_NAME else part for part in arguments)
        within: set[int] = self.__dict__.setdefault("_within", set())
        segment = None if id(code) in within else lines_of(code)
        within.update(id(part) for part in code.co_consts if isinstance(part, CodeType))
        return rebuild_code, (segment, *arguments)


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
