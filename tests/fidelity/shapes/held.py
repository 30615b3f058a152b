"""Exceptions with things in them, some of which cannot be pickled."""

import datetime
import enum
import pathlib
import threading
from collections import namedtuple
from dataclasses import dataclass
from typing import Any, NoReturn

_Point = namedtuple("_Point", "x y")


class _Color(enum.Enum):
    RED = 1


@dataclass
class _Record:
    name: str
    number: int = 1


class ThingsError(Exception):
    thing: Any

    def __init__(self, thing: object) -> None:
        super().__init__("with a thing")
        self.thing = thing


def held_enum() -> NoReturn:
    """an enum's member as attribute"""
    raise ThingsError(_Color.RED)


def held_dataclass() -> NoReturn:
    """a dataclass as attribute"""
    raise ThingsError([_Record("one"), _Record("two", 2)])


def held_namedtuple() -> NoReturn:
    """a namedtuple as attribute"""
    raise ThingsError(_Point(1, 2))


def held_array() -> NoReturn:
    """a numpy array as attribute"""
    import numpy as np

    raise ThingsError(np.arange(4, dtype="int16"))


def held_path() -> NoReturn:
    """a `Path` and a date as attributes"""
    error: Any = ThingsError(pathlib.Path("/some/file"))
    error.date = datetime.date(2025, 1, 2)
    raise error


def held_ring() -> NoReturn:
    """a list that contains itself, and the exception"""
    error = ThingsError([1])
    error.thing += [error.thing, error]
    raise error


def held_lock() -> NoReturn:
    """a lock as attribute"""
    error: Any = ThingsError(threading.Lock())
    error.name = "the others stay"
    raise error


def lock_in_arguments() -> NoReturn:
    """a lock in `args`"""
    raise ValueError("locked by", threading.Lock())


def generator_in_arguments() -> NoReturn:
    """a generator in `args`"""
    raise ValueError((number for number in range(3)), 3)


def held_deep_lock() -> NoReturn:
    """a lock deep in a dict as attribute"""
    raise ThingsError({"plain": 1, "deep": [("x", {"lock": threading.Lock()})]})


def lock_of_a_cause() -> NoReturn:
    """a lock as attribute of the cause"""
    try:
        held_lock()
    except ThingsError as error:
        raise ValueError("because of that") from error


class StateError(Exception):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name
        self.lock = threading.Lock()

    def __getstate__(self) -> Any:
        return {"name": self.name}

    def __setstate__(self, state: Any) -> None:
        self.name = state["name"]
        self.lock = threading.Lock()


def state_without_lock() -> NoReturn:
    """`__getstate__` leaves out a lock that `__setstate__` makes"""
    raise StateError("the state")


class SlotLockError(Exception):
    __slots__ = ("lock", "name")


def lock_in_slot() -> NoReturn:
    """a lock in a slot"""
    error: Any = SlotLockError("in a slot")
    error.lock, error.name = threading.Lock(), "the others stay"
    raise error


class _Unpicklable:
    def __reduce__(self) -> Any:
        raise TypeError("not this one")

    def __repr__(self) -> str:
        return "<not to be pickled>"


def held_unwilling() -> NoReturn:
    """an attribute whose `__reduce__` raises"""
    raise ThingsError(_Unpicklable())


class _Unbuildable:
    def __reduce__(self) -> Any:
        return _Unbuildable._build, ()

    @staticmethod
    def _build() -> NoReturn:
        raise ValueError("cannot be made again")

    def __repr__(self) -> str:
        return "<not to be made again>"


def held_unbuildable() -> NoReturn:
    """an attribute that cannot be unpickled"""
    raise ThingsError(_Unbuildable())
