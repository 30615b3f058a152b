"""Generics and type variables"""

import typing
from typing import Dict, Generic, List, Tuple, TypeVar, Union

from tests.contract.asking import gives, returns

T = TypeVar("T")
Number = TypeVar("Number", int, float)
Bound = TypeVar("Bound", bound="Stack", covariant=True)


def first(values: List[T]) -> T:
    return values[0]


@returns((1, "T"))
def a_generic_function():
    return first([1, 2]), first.__annotations__["return"].__name__


@returns(("Number", (int, float), True))
def a_type_variable():
    return Number.__name__, Number.__constraints__, Bound.__covariant__


class Stack(Generic[T]):
    def __init__(self, items: Tuple[T, ...] = ()) -> None:
        self.items = list(items)

    def push(self, item: T) -> "Stack[T]":
        self.items.append(item)
        return self

    @classmethod
    def of(cls, *items: T) -> "Stack[T]":
        return cls(items)


@returns(([1, 2], [3]))
def a_generic_class():
    return Stack((1,)).push(2).items, Stack[int].of(3).items


@returns(((int,), True, ("T",)))
def its_parameters():
    alias = Stack[int]
    names = tuple(p.__name__ for p in Stack.__parameters__)
    return typing.get_args(alias), typing.get_origin(alias) is Stack, names


@returns(True)
def a_type_variable_stays_the_same():
    return Stack.__parameters__[0] is T and first.__annotations__["return"] is T


returns([5], Stack((5,)), name="an instance as an argument")(lambda stack: stack.items)


@gives(lambda stack: type(stack) is Stack and stack.items == [1])
def an_instance_that_comes_home():
    return Stack((1,))


class Numbers(Stack[int]):
    def total(self) -> int:
        return sum(self.items)


class Pair(Stack[T], Generic[T, Number]):
    weight: Number


@returns((6, ["Numbers", "Stack", "Generic", "object"]))
def derived_from_a_generic_class():
    return Numbers((1, 2, 3)).total(), [kind.__name__ for kind in Numbers.__mro__]


@returns((("T", "Number"), True))
def with_two_parameters():
    return tuple(p.__name__ for p in Pair.__parameters__), issubclass(Pair, Stack)


Alias = Dict[str, Union[List[int], None]]
Later = List["Stack"]


@returns((True, True))
def aliases():
    return Alias == Dict[str, Union[List[int], None]], typing.get_origin(Later) is list


returns(
    [List[int], Dict[str, int], Union[int, str], list[int], tuple[int, ...], typing.Any],
    [List[int], Dict[str, int], Union[int, str], list[int], tuple[int, ...], typing.Any],
    name="types both ways",
)(lambda them: them)


@gives(lambda them: them == [List[int], typing.Optional[str], list[int], dict[str, list[int]]])
def types_made_over_there():
    return [List[int], typing.Optional[str], list[int], dict[str, list[int]]]


@gives(lambda box: box.get() == 3 and type(box).__parameters__ == (T,))
def a_generic_class_made_over_there():
    class Box(Generic[T]):
        def __init__(self, value):
            self.value = value

        def get(self) -> T:
            return self.value

    return Box[int](3)


def make_generic():
    Local = TypeVar("Local")

    class Box(Generic[Local]):
        def __init__(self, value: Local) -> None:
            self.value = value

    return Box


LocalBox = make_generic()


@returns((4, "Local"))
def a_local_type_variable():
    return LocalBox[int](4).value, LocalBox.__parameters__[0].__name__


@returns(True)
def casts_and_final():
    x: typing.Final = typing.cast("List[int]", [1])
    return x == [1]


UserId = typing.NewType("UserId", int)


@returns((5, "UserId"))
def a_new_type():
    return UserId(5), UserId.__name__


@typing.overload
def overloaded(x: int) -> int: ...
@typing.overload
def overloaded(x: str) -> str: ...
def overloaded(x):
    return x * 2


@returns((4, "aa"))
def overloads():
    return overloaded(2), overloaded("a")


P = typing.ParamSpec("P")

Ts = typing.TypeVarTuple("Ts")


def spec(fn: typing.Callable[P, T], *more: typing.Any) -> typing.Callable[P, T]:
    return fn


def several(fn: typing.Callable[..., typing.Tuple[typing.Unpack[Ts]]]) -> None:
    return fn


@returns((1, 2))
def annotations_that_are_not_known_everywhere():
    return spec(lambda x: x)(1), several(lambda x: x)(2)


@returns(("P", P), since=(3, 10))
def a_param_spec():
    return P.__name__, P


@returns(("Ts", Ts), since=(3, 11))
def a_type_variable_tuple():
    return Ts.__name__, Ts
