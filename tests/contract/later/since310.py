"""Syntax of Python 3.10"""

import contextlib
from dataclasses import dataclass

from tests.contract.asking import returns


@dataclass
class Point:
    x: int
    y: int


def describe(it):
    match it:
        case 0 | 1:
            return "a bit"
        case int(n) if n > 100:
            return f"large {n}"
        case str():
            return "text"
        case [first, *rest]:
            return f"list of {first} and {len(rest)}"
        case {"name": name, **more}:
            return f"{name} {sorted(more)}"
        case Point(x=0, y=y):
            return f"on the axis at {y}"
        case Point(x, y):
            return f"point {x} {y}"
        case None:
            return "nothing"
        case _:
            return "anything"


returns("a bit", 1, since=(3, 10), name="a match statement")(describe)
returns("large 200", 200, since=(3, 10), name="a guard")(describe)
returns("list of 1 and 2", [1, 2, 3], since=(3, 10), name="a sequence")(describe)
returns("me ['age']", {"name": "me", "age": 3}, since=(3, 10), name="a mapping")(describe)


@returns(["on the axis at 2", "point 1 2", "nothing", "anything"], since=(3, 10))
def match_on_classes():
    return [describe(it) for it in (Point(0, 2), Point(1, 2), None, 1.5)]


def make(wanted):
    def found(it):
        match it:
            case [x, y] if x == wanted:
                return y
        return None

    return found


returns(5, ["a", 5], since=(3, 10), name="a match in a closure")(make("a"))


class Machine:
    state = "idle"

    def step(self, event):
        match (self.state, event):
            case ("idle", "go"):
                self.state = "running"
            case ("running", "stop"):
                self.state = "idle"
        return self.state


@returns(["running", "idle"], since=(3, 10))
def a_match_in_a_method():
    machine = Machine()
    return [machine.step("go"), machine.step("stop")]


def beside(x):
    return x + 1


@returns(2)
def a_function_beside_them():
    return beside(1)


@returns(("a", "b"))
def parenthesized_context_managers():
    with (
        contextlib.nullcontext("a") as a,
        contextlib.nullcontext("b") as b,
    ):
        return a, b


def union(x: int | None, y: list[int | str] = ()) -> str | None:
    return x


returns(1, 1, name="a union in an annotation")(union)


@dataclass
class Holder:
    x: int | None = None
    y: "int | None" = 2


@returns((None, 2))
def a_union_in_a_dataclass():
    return Holder().x, Holder().y


@dataclass(slots=True)
class Slotted:
    x: int
    y: int = 2

    def total(self):
        return self.x + self.y


@dataclass(kw_only=True, frozen=True)
class Keyword:
    a: int = 1
    b: int


@returns((5, False))
def a_dataclass_with_slots():
    return Slotted(3).total(), hasattr(Slotted(3), "__dict__")


@returns((1, 2, "TypeError"))
def a_dataclass_of_keywords():
    try:
        Keyword(1, 2)
    except TypeError as error:
        return Keyword(b=2).a, Keyword(b=2).b, type(error).__name__
