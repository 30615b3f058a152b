"""What we pickle otherwise than cloudpickle does.

Code takes along its source, so that it can cross to another Python.
Exceptions and tracebacks go whole; a ContextVar is the same one wherever it arrives.
"""

from __future__ import annotations

import functools
import linecache
import types
import typing
from contextvars import ContextVar
from types import CellType, CodeType, FunctionType, MethodType, TracebackType

import cloudpickle  # type: ignore[import-untyped]

from .classes import reduce_class
from .files import File, reduce_file
from .remaking import (
    is_dispatcher,
    reduce_alias,
    reduce_cached,
    reduce_cached_property,
    reduce_dispatcher,
    reduce_dispatching_method,
    reduce_form,
    reduce_forward,
    reduce_method,
    reduce_new_type,
    reduce_type_variable,
    reduce_union,
)
from .sources import NEWLOCALS, codes_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """A pickler of ours."""

    takes_files = False  # whether buffers that go apart from the pickle are sent

    def reducer_override(self, obj: Any) -> Any:
        reduce = _REDUCERS.get(type(obj))
        if reduce is not None:
            return reduce(self, obj)
        if isinstance(obj, BaseException):
            from .rebuilding import reduce_exception

            return reduce_exception(obj)
        reduced = super().reducer_override(obj)
        return reduce_class(obj, reduced) if isinstance(obj, type) else reduced

    def _reduce_code(self, code: CodeType) -> Any:
        from .crossing import reduce_code

        try:
            return reduce_code(code)
        except ValueError:  # somebody has made it, with constants that no compiler makes
            return cloudpickle.cloudpickle._code_reduce(code)

    def _dynamic_function_reduce(self, fn: FunctionType) -> Any:
        """Functions that share a variable go on to share it; one goes as it was written."""
        from .crossing import without_rewriting

        if is_dispatcher(fn):
            return reduce_dispatcher(fn)
        if hasattr(fn, "__supertype__"):
            return reduce_new_type(self, fn)
        linecache.lazycache(fn.__code__.co_filename, fn.__globals__)  # its loader may know it
        plain = without_rewriting(fn)
        make, arguments, (attributes, state), *rest = super()._dynamic_function_reduce(plain)
        if fn.__closure__:
            shared = self.__dict__.setdefault("_cells", {})
            cells = tuple(shared.setdefault(id(cell), _Cell(cell)) for cell in fn.__closure__)
            arguments = (*arguments[:-1], cells)
        known, used = state["__globals__"], fn.__globals__
        known.update((n, used[n]) for n in _names_in_classes(fn.__code__) if n in used)
        if getattr(fn, "__type_params__", ()):
            state["__type_params__"] = fn.__type_params__
        return make, arguments, (attributes, state), *rest


def _names_in_classes(code: CodeType) -> Iterator[str]:
    """What the bodies of classes in a function name, which cloudpickle overlooks."""
    for part in codes_in(code):
        if not part.co_flags & NEWLOCALS:
            yield from part.co_names


class _Cell:
    """Stands for a cell of a closure; a pickle has each but once.  Functions fill it."""

    def __init__(self, cell: CellType) -> None:
        self._cell = cell  # kept, since it is known by its id

    def __reduce__(self) -> Any:
        return CellType, ()


def _reduce_variable(pickler: Pickler, variable: ContextVar[Any]) -> Any:
    from .context import reduce_variable

    return reduce_variable(variable)


def _reduce_traceback(pickler: Pickler, tb: TracebackType) -> Any:
    from .rebuilding import reduce_traceback

    return reduce_traceback(tb)


_REDUCERS: dict[type, Any] = {
    CodeType: Pickler._reduce_code,
    ContextVar: _reduce_variable,
    File: reduce_file,
    TracebackType: _reduce_traceback,
    MethodType: reduce_method,
    functools.cached_property: reduce_cached_property,
    functools.singledispatchmethod: reduce_dispatching_method,
    type(functools.lru_cache(len)): reduce_cached,
}
_SINCE = {  # types that not every version has
    "UnionType": (types, reduce_union),
    "ParamSpec": (typing, reduce_type_variable),
    "TypeVarTuple": (typing, reduce_type_variable),
    "TypeAliasType": (typing, reduce_alias),
    "_SpecialForm": (typing, reduce_form),
    "ForwardRef": (typing, reduce_forward),
}
if isinstance(typing.NewType, type):
    _SINCE["NewType"] = (typing, reduce_new_type)
_REDUCERS.update(
    (getattr(module, name), reduce)
    for name, (module, reduce) in _SINCE.items()
    if hasattr(module, name)
)
