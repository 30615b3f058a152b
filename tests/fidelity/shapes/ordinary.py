"""Exceptions as people write them."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, NoReturn, TypeVar

from ..support import refuse

_Content = TypeVar("_Content")


def plain() -> NoReturn:
    """`ValueError` with arguments"""
    refuse(ValueError("no such value", 3))


def key_error() -> object:
    """`KeyError` of a dict"""
    table: dict[str, int] = {"here": 1}
    return table["not here"]


def other_arguments() -> NoReturn:
    """arguments that are no strings"""
    raise ValueError([1, 2.5], {"a": (1, None)}, b"bytes", {3}, 1j, True)


def no_arguments() -> NoReturn:
    """no arguments"""
    raise LookupError()


class PlainError(Exception):
    pass


def only_its_class() -> NoReturn:
    """`raise E`, the class"""
    raise PlainError


def own_class() -> NoReturn:
    """a class of one's own"""
    raise PlainError("of our own", 1)


def attributes_later() -> NoReturn:
    """attributes set after construction"""
    error: Any = PlainError("with more")
    error.code = 17
    error.details = {"lines": [1, 2], "name": "x"}
    raise error


class TwoRequiredError(Exception):
    def __init__(self, row: int, column: int) -> None:
        super().__init__(f"at {row}:{column}")
        self.row = row
        self.column = column


def two_required() -> NoReturn:
    """two required arguments that `super` is not given"""
    raise TwoRequiredError(3, 4)


class NothingToSuperError(Exception):
    def __init__(self, row: int, column: int) -> None:
        self.place = (row, column)


def nothing_to_super() -> NoReturn:
    """`__init__` that does not call `super`'s"""
    raise NothingToSuperError(3, 4)


class KeywordsError(Exception):
    def __init__(self, message: str, *, code: int, hint: str = "none") -> None:
        super().__init__(message)
        self.code = code
        self.hint = hint


def keywords() -> NoReturn:
    """keyword-only arguments"""
    raise KeywordsError("by keywords", code=3, hint="look")


class SlotsError(Exception):
    __slots__ = ("code", "never_set")

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def slots() -> NoReturn:
    """`__slots__`, one of them empty"""
    raise SlotsError("with slots", 5)


class MoreSlotsError(SlotsError):
    __slots__ = ("more",)


def slots_and_attributes() -> NoReturn:
    """`__slots__`, inherited ones too, and more attributes"""
    error: Any = MoreSlotsError("with both", 6)
    error.more = [1]
    error.other = "in its dict"
    raise error


class BothError(ValueError, KeyError):
    pass


def several_bases() -> NoReturn:
    """`class E(ValueError, KeyError)`"""
    raise BothError("both of them")


class _Mixin:
    hint = "of the class"

    def __init__(self, *args: object) -> None:
        super().__init__(*args)
        self.seen = len(args)


class MixedError(_Mixin, ConnectionError, ValueError):
    pass


def os_error_and_mixin() -> NoReturn:
    """bases: a mixin, an `OSError`, `ValueError`"""
    raise MixedError(104, "mixed", "a file")


class NewError(Exception):
    def __new__(cls, code: int, *args: object) -> "NewError":
        self = super().__new__(cls, code, *args)
        self.code = code
        return self

    def __init__(self, code: int, unit: str) -> None:
        super().__init__(f"{code} {unit}")

    code: int


def required_by_new() -> NoReturn:
    """`__new__` with required arguments"""
    raise NewError(8, "bytes")


class PropertyError(Exception):
    def __init__(self, code: int) -> None:
        super().__init__()
        self._code = code

    @property
    def code(self) -> int:
        return self._code + 1

    def __str__(self) -> str:
        return f"code {self.code}"


def properties() -> NoReturn:
    """a property, and a `__str__` of its own"""
    raise PropertyError(40)


class _Meta(type):
    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        made = super().__call__(*args, **kwargs)
        made.made_by = "its metaclass"
        return made


class MetaError(Exception, metaclass=_Meta):
    pass


def metaclass() -> NoReturn:
    """a metaclass"""
    raise MetaError("made by another class")


def local_class() -> NoReturn:
    """a class in the function that raises it"""

    class LocalError(Exception):
        def __init__(self, code: int) -> None:
            super().__init__("local")
            self.code = code

    raise LocalError(9)


class GenericError(Exception, Generic[_Content]):
    def __init__(self, content: _Content) -> None:
        super().__init__("generic")
        self.content = content


def generic() -> NoReturn:
    """a generic class"""
    raise GenericError[Sequence[int]]([1, 2])


@dataclass
class DataError(Exception):
    row: int
    name: str = "none"


def data() -> NoReturn:
    """a dataclass"""
    raise DataError(1, "data")


@dataclass(frozen=True)
class FrozenError(Exception):
    row: int
    name: str = "none"


def frozen_data() -> NoReturn:
    """a frozen dataclass"""
    raise FrozenError(2)


class OnlyBaseError(BaseException):
    pass


def only_base() -> NoReturn:
    """a `BaseException` of one's own"""
    raise OnlyBaseError("not an Exception")


def warning() -> NoReturn:
    """a warning that is an error"""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.warn("not like this", DeprecationWarning, stacklevel=1)
    raise AssertionError


def very_long() -> NoReturn:
    """a message of 1 MB"""
    raise ValueError("0123456789" * 100_000)


def in_given_text() -> None:
    """raised in text given to `exec`"""
    exec("def inner():\n    raise ValueError('in text')\n\ninner()\n", {})


def on_several_lines() -> object:
    """in an expression of several lines"""
    numbers: list[Any] = [1, 2, 0]
    return sum(
        numbers[0] / number
        for number in numbers
        if number < 3
    )  # fmt: skip
