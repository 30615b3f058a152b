"""Context variables: the same at both ends, and their values with a call that asks for them."""

from __future__ import annotations

import contextvars
import os
import sys

from . import pickling
from .culprit import name_of
from .lean import pickle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

_by_id: dict[str, contextvars.ContextVar[Any]] = {}  # of those that no module has
_homes: dict[contextvars.ContextVar[Any], tuple[str, str]] = {}  # module and name; or "" and an id


class InContext:
    """A function, to be called with the context variables as they were here.

    Args:
        fn: The function.
        values: A pickle of each variable, and one of what it was.
    """

    def __init__(self, fn: Callable[..., Any], values: list[tuple[bytes, bytes]]) -> None:
        self._fn = fn
        self._values = values
        self.__qualname__ = name_of(fn)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        context = contextvars.copy_context()
        for dumped, value in self._values:
            try:
                variable = pickle.loads(dumped)
            except Exception:  # its module is not to be had here: nobody here asks for it  # noqa: S112
                continue
            context.run(variable.set, pickle.loads(value))
        return context.run(self._fn, *args, **kwargs)


def with_context(fn: Callable[..., Any]) -> InContext:
    """Return `fn` with the present values of all context variables that can travel."""
    return InContext(fn, list(_values()))


def _values() -> Iterator[tuple[bytes, bytes]]:
    for variable, value in contextvars.copy_context().items():
        try:
            yield pickling.dumps(variable), pickling.dumps(value)
        except Exception:  # what does not pickle stays here, as is promised  # noqa: S112
            continue


def reduce_variable(variable: contextvars.ContextVar[Any]) -> Any:
    """How a context variable is pickled: by where it is to be found, else by a name of ours."""
    home = _homes.get(variable)
    if home is None:
        home = _homes[variable] = _home_of(variable)
    if home[0]:
        return _in_module, home
    _by_id[home[1]] = variable
    try:
        return _by_name, (home[1], variable.name, contextvars.Context().run(variable.get))
    except LookupError:  # it has no default
        return _by_name, (home[1], variable.name)


def _home_of(variable: contextvars.ContextVar[Any]) -> tuple[str, str]:
    for module_name, module in list(sys.modules.items()):
        if module_name != "__main__":
            for name, value in list(getattr(module, "__dict__", {}).items()):
                if value is variable:
                    return module_name, name
    return "", os.urandom(16).hex()


def _in_module(module: str, name: str) -> Any:
    import importlib

    return getattr(importlib.import_module(module), name)


def _by_name(identity: str, name: str, *default: Any) -> contextvars.ContextVar[Any]:
    if identity not in _by_id:
        made: Any = contextvars.ContextVar(name, default=default[0]) if default else None
        _by_id[identity] = made or contextvars.ContextVar(name)
        _homes[_by_id[identity]] = "", identity
    return _by_id[identity]
