"""How a call says what is to come of it.

    @returns(42)
    def sum_of_all():
        return sum([40, 2])

The function is what runs over there; it stays as it is, and what is expected stays here.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

_Fn = TypeVar("_Fn", bound=Callable[..., Any])
_OLDEST = (3, 9)


class Call(NamedTuple):
    """A call.

    Attributes:
        name: Of its function.
        fn, args: What is called, with what.
        wrong: Says what is wrong with what it returned or raised; "" if nothing is.
        since: The first Python that knows what it is made of; one that is older must say so.
        top: Whether it works only where names are a module's: within a function, none are found.
    """

    name: str
    fn: Callable[..., Any]
    args: tuple[Any, ...]
    wrong: Callable[[Any, BaseException | None], str]
    since: tuple[int, int]
    top: bool


_collected: list[Call] = []


def collected() -> list[Call]:
    """Return the calls that were made known since this was last asked."""
    calls = _collected[:]
    _collected.clear()
    assert len({call.name for call in calls}) == len(calls), "two calls of one name"
    return calls


def returns(
    expected: Any,
    *args: Any,
    since: tuple[int, int] = _OLDEST,
    name: str | None = None,
    top: bool = False,
) -> Callable[[_Fn], _Fn]:
    """Called with `args` over there, a function returns what equals `expected`."""

    def wrong(value: Any, error: BaseException | None) -> str:
        if error is not None:
            return _told(error)
        if type(value) is not type(expected) or value != expected:
            return f"returned {value!r}, not {expected!r}"
        return ""

    return _collecting(wrong, args, since, name, top)


def gives(
    right: Callable[[Any], object],
    *args: Any,
    since: tuple[int, int] = _OLDEST,
    name: str | None = None,
    top: bool = False,
) -> Callable[[_Fn], _Fn]:
    """Called with `args` over there, a function returns what is `right`, as is found out here."""

    def wrong(value: Any, error: BaseException | None) -> str:
        if error is not None:
            return _told(error)
        try:
            found = right(value)
        except Exception as trouble:
            return f"what it returned cannot be used here: {_told(trouble)}"
        return "" if found is True else f"what it returned is not right: {found!r}, of {value!r}"

    return _collecting(wrong, args, since, name, top)


def raises(
    kind: type[BaseException],
    *expected: Any,
    lines: Sequence[str] = (),
    also: Callable[[Any], object] = lambda error: True,
    since: tuple[int, int] = _OLDEST,
) -> Callable[[_Fn], _Fn]:
    """Called over there, a function raises an exception that arrives as itself.

    Args:
        kind: Its type.
        expected: Its args.
        lines: What its traceback shows, in this order.
        also: What else is to be true of it.
    """

    def wrong(value: Any, error: BaseException | None) -> str:
        if error is None:
            return f"returned {value!r}"
        if type(error) is not kind or error.args != expected:
            return _told(error)
        text = "".join(traceback.format_exception(error))
        rest = text
        for line in lines:
            _, found, rest = rest.partition(line)
            if not found:
                return f"no {line!r} in its traceback:\n{text}"
        return "" if also(error) is True else f"{error!r} is not as it was: {also(error)!r}"

    return _collecting(wrong, (), since, None, False)


def _collecting(
    wrong: Callable[[Any, BaseException | None], str],
    args: tuple[Any, ...],
    since: tuple[int, int],
    name: str | None,
    top: bool,
) -> Callable[[_Fn], _Fn]:
    def collect(fn: _Fn) -> _Fn:
        _collected.append(Call(name or fn.__name__, fn, args, wrong, since, top))
        return fn

    return collect


def _told(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)).rstrip()
