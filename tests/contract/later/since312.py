"""Syntax of Python 3.12"""

import dataclasses
import typing

from tests.contract.asking import gives, returns

TABLE = {"a": 1, "b": [2, 3]}


# fmt: off
def nested_quotes(name):
    return f"{TABLE["b"][0]} {f"{name}"} {"\n".join(["x", "y"])}"


def over_lines(x):
    return f"{
        x  # a comment
        + 1
    }"
# fmt: on


returns("2 me x\ny", "me", since=(3, 12), name="nested quotes")(nested_quotes)
returns("3", 2, since=(3, 12), name="an f-string over several lines")(over_lines)


@returns("2 a")
def an_f_string_of_old():
    return f"{TABLE['b'][0]} {'a'}"


def first[T](values: list[T]) -> T:
    return values[0]


@returns((1, "T"), since=(3, 12))
def a_generic_function():
    return first([1, 2]), first.__type_params__[0].__name__


def several[T: int, *Ts, **P](fn: typing.Callable[P, T], *args: *Ts) -> T:
    def inner(x: T) -> T:
        return x

    return inner(fn(*args))


returns(3, lambda a, b: a + b, 1, 2, since=(3, 12), name="all kinds of parameters")(several)


class Stack[T]:
    def __init__(self, *items: T) -> None:
        self.items = list(items)

    def push(self, item: T) -> "Stack[T]":
        self.items.append(item)
        return self

    def map[U](self, fn: typing.Callable[[T], U]) -> "Stack[U]":
        return Stack(*map(fn, self.items))


@returns(([2, 4], ("T",), True), since=(3, 12))
def a_generic_class():
    stack = Stack(1).push(2).map(lambda x: x * 2)
    names = tuple(p.__name__ for p in Stack.__type_params__)
    return stack.items, names, typing.get_origin(Stack[int]) is Stack


class Ints(Stack[int]):
    def total(self) -> int:
        return sum(self.items)


@returns(6, since=(3, 12))
def derived_from_it():
    return Ints(1, 2, 3).total()


@gives(lambda stack: type(stack) is Stack and stack.items == [5], since=(3, 12))
def one_that_comes_home():
    return Stack(5)


@dataclasses.dataclass
class Pair[A, B]:
    a: A
    b: B

    def swapped(self) -> "Pair[B, A]":
        return Pair(self.b, self.a)


@returns((2, 1))
def a_generic_dataclass():
    swapped = Pair(1, 2).swapped()
    return swapped.a, swapped.b


type Numbers = list[int | float]
type Tree[T] = T | list[T]


def total(numbers: Numbers) -> int:
    return sum(numbers)


@returns((3, ["Numbers", "Tree"]))
def type_aliases():
    """Where there are none, what they stand for is in their place."""
    names = [x.__name__ for x in (Numbers, Tree) if type(x).__name__ == "TypeAliasType"]
    return total([1, 2]), names or ["Numbers", "Tree"]


@returns(3)
def functions_that_are_made_over_there_of_old():
    def plain(x):
        return x + 1

    return plain(2)


@gives(lambda fn: fn([4]) == 4, since=(3, 12))
def a_generic_function_made_over_there():
    def made[T](values: list[T]) -> T:
        return values[0]

    return made


@returns([[1, 2], [1, 2]])
def comprehensions_that_are_inlined():
    values = [1, 2]
    fns = [lambda: [v for v in values] for _ in range(2)]
    return [fn() for fn in fns]
