"""Which object it is that cannot be pickled, by its path."""

from __future__ import annotations

from . import pickling
from .lean import pickle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any


def parts_of_arguments(args: Sequence[Any], kwargs: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for number, value in enumerate(args, 1):
        yield from parts(f"argument {number}", value)
    for key, value in kwargs.items():
        yield from parts(f"argument {key!r}", value)


def parts(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """What `value` is made of, the inner things first, then itself."""
    code = getattr(value, "__code__", None)
    for variable, cell in zip(
        getattr(code, "co_freevars", ()), getattr(value, "__closure__", None) or ()
    ):
        try:
            yield f"{name}, its variable {variable!r}", cell.cell_contents
        except ValueError:  # a cell that is still empty
            continue
    for variable in getattr(code, "co_names", ()):
        if variable in getattr(value, "__globals__", {}):
            yield f"{name}, its global {variable!r}", value.__globals__[variable]
    if isinstance(value, dict):
        yield from ((f"{name}, its item {key!r}", item) for key, item in value.items())
    elif isinstance(value, (list, tuple)):
        yield from ((f"{name}, its item {index}", item) for index, item in enumerate(value))
    for attribute, item in getattr(value, "__dict__", {}).items() if code is None else ():
        yield f"{name}, its attribute {attribute!r}", item
    yield name, value


def cannot_be_pickled(
    where: Iterator[tuple[str, Any]], whole: str, error: Exception, why: str = ""
) -> pickle.PicklingError:
    """Return what to raise for an error of pickle's: which object it is that it means.

    Args:
        where: The parts to look among.
        whole: What it is, if it is none of them.
        error: What pickle says.
        why: What to begin with: what it was to be pickled for.
    """
    return pickle.PicklingError(
        f"{why}{_first_unpicklable(where) or whole} cannot be pickled: {error}"
    )


def _first_unpicklable(parts: Iterator[tuple[str, Any]]) -> str | None:
    for name, value in parts:
        try:
            pickling.dumps(value)
        except Exception:
            return f"{name} ({type(value).__module__}.{type(value).__qualname__})"
    return None


def name_of(fn: Any) -> str:
    return getattr(fn, "__qualname__", None) or repr(fn)
