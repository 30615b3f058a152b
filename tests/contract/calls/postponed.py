"""Postponed annotations"""
# Ways: script, module, function.

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple, Protocol

from tests.contract.asking import gives, returns


def union(a: int | None, b: list[int | str] | None = None) -> dict[str, Unknown] | None:
    return a


@returns((1, "int | None", "dict[str, Unknown] | None"))
def unions():
    return union(1), union.__annotations__["a"], union.__annotations__["return"]


@dataclass
class Point:
    x: int | None
    y: list[int] = field(default_factory=list)
    origin: ClassVar[int | None] = 0

    def moved(self, by: int) -> Point:
        return Point(self.x + by, self.y)


@returns((3, ["x", "y"], 0), top=True)
def a_dataclass():
    return Point(1).moved(2).x, [f.name for f in dataclasses.fields(Point)], Point.origin


@gives(lambda point: point == Point(1, [2]))
def a_dataclass_that_comes_home():
    return Point(1, [2])


@dataclass
class Initial:
    x: int
    scale: dataclasses.InitVar[int] = 2

    def __post_init__(self, scale: int) -> None:
        self.x *= scale


@returns((6, ["x"]), top=True)
def initvar():
    return Initial(3).x, [f.name for f in dataclasses.fields(Initial)]


class Row(NamedTuple):
    a: int | None
    b: str = "b"


@returns((1, "b"))
def a_named_tuple():
    return tuple(Row(1))


class HasName(Protocol):
    name: str | None


class Linked:
    next: Linked | None = None

    def follow(self) -> Linked | None:
        return self.next


@returns((True, ["next"]))
def a_class():
    return Linked().follow() is None, list(Linked.__annotations__)


def wrapper(fn):
    @functools.wraps(fn)
    def call(x: int | None) -> Anything | None:
        def inner(y: Whatever | int) -> int:
            return y + 1

        return fn(inner(x))

    return call


@wrapper
def decorated(x: float | int) -> float | int:
    return x * 2


@returns(4)
def nested_functions():
    return decorated(1)


@returns({"x": "int | None", "return": "str"})
def a_function_made_over_there():
    def made(x: int | None) -> str: ...

    return made.__annotations__


local = lambda x: [y for y in (x,)]


@returns([1])
def a_lambda():
    return local(1)
