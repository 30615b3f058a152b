"""Exceptions that have others with them: causes, contexts, groups, notes."""

from collections.abc import Sequence
from types import TracebackType
from typing import Any, NoReturn, TypeVar

from ..support import refuse

_Error = TypeVar("_Error", bound=BaseException)


class LinkError(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(f"link {code}")
        self.code = code


def _caught(error: _Error) -> _Error:
    try:
        refuse(error)
    except BaseException:
        return error


def cause() -> NoReturn:
    """`__cause__`"""
    try:
        refuse(LinkError(1))
    except LinkError as error:
        raise ValueError("for a reason") from error


def context() -> NoReturn:
    """`__context__`"""
    try:
        refuse(LinkError(2))
    except LinkError:
        raise ValueError("while another was handled")  # noqa: B904


def from_none() -> NoReturn:
    """`raise … from None`"""
    try:
        refuse(LinkError(3))
    except LinkError:
        raise ValueError("without the other") from None


def cause_and_context() -> NoReturn:
    """a cause and another context"""
    try:
        refuse(LinkError(4))
    except LinkError:
        raise ValueError("both") from _caught(LinkError(5))


def notes() -> NoReturn:
    """`__notes__`"""
    error = LinkError(6)
    error.add_note("the first note")
    error.add_note("the second,\nof two lines")
    raise error


def odd_notes() -> NoReturn:
    """`__notes__` that are no list of strings"""
    error: Any = LinkError(7)
    error.__notes__ = ("in a tuple", 3)
    raise error


def _linked(depth: int) -> NoReturn:
    if depth == 0:
        refuse(LinkError(0))
    try:
        _linked(depth - 1)
    except LinkError as error:
        raise LinkError(depth) from error


def fifty_causes() -> NoReturn:
    """50 causes in a row"""
    _linked(50)


def ring() -> NoReturn:
    """a ring of causes"""
    first, second = LinkError(8), LinkError(9)
    first.__cause__, second.__cause__ = second, first
    raise first


def its_own_cause() -> NoReturn:
    """its own cause"""
    error = LinkError(10)
    error.__cause__ = error
    raise error


def in_its_own_arguments() -> NoReturn:
    """in its own `args`"""
    error = ValueError("again")
    error.args = ("again", [error])
    raise error


def group() -> NoReturn:
    """`ExceptionGroup`"""
    raise ExceptionGroup("two", [_caught(ValueError(1)), LinkError(11)])


def nested_group() -> NoReturn:
    """a group in a group"""
    inner = ExceptionGroup("inner", [LinkError(12), OSError(2, "No such file", "f")])
    inner.add_note("of the inner one")
    raise ExceptionGroup("outer", [_caught(inner), ValueError(2)]) from _caught(inner)


def base_group() -> NoReturn:
    """`BaseExceptionGroup` with a `KeyboardInterrupt`"""
    raise BaseExceptionGroup("base", [_caught(KeyboardInterrupt("inside")), ValueError(3)])


class OwnGroup(ExceptionGroup[Exception]):
    code: int

    def __new__(cls, message: str, members: Sequence[Exception], code: int) -> "OwnGroup":
        self = super().__new__(cls, message, members)
        self.code = code
        return self

    def __init__(self, message: str, members: Sequence[Exception], code: int) -> None:
        super().__init__(message, members)

    def derive(self, members: Sequence[Exception]) -> "OwnGroup":  # type: ignore[override]
        return OwnGroup(self.message, members, self.code)


def own_group() -> NoReturn:
    """a group class with `derive` and an attribute"""
    raise OwnGroup("own", [LinkError(13), LinkError(14)], 15)


def member_twice() -> NoReturn:
    """one exception twice: in a group, and as its cause"""
    error = _caught(LinkError(16))
    raise BaseExceptionGroup("twice", [error, error]) from error


class HolderError(Exception):
    def __init__(self, held: object) -> None:
        super().__init__("it holds something")
        self.held = held


def held_exception() -> NoReturn:
    """an exception as attribute of another"""
    raise HolderError({"first": _caught(LinkError(17))})


def held_traceback() -> NoReturn:
    """a traceback as attribute"""
    held: TracebackType | None = _caught(LinkError(18)).__traceback__
    raise HolderError(held)


def held_class() -> NoReturn:
    """its own class as attribute"""
    raise HolderError([HolderError, ValueError])
