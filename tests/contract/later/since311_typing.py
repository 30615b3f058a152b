"""Annotations and dataclasses of Python 3.10 and 3.11"""

import collections.abc
import dataclasses
import functools
import os
import re
import types
import typing
from dataclasses import KW_ONLY, dataclass, field
from typing import (
    Annotated,
    Any,
    Concatenate,
    Generic,
    Literal,
    LiteralString,
    NamedTuple,
    Never,
    NotRequired,
    ParamSpec,
    Protocol,
    Required,
    Self,
    TypeAlias,
    TypedDict,
    TypeGuard,
    TypeVar,
    TypeVarTuple,
    Unpack,
    assert_never,
    dataclass_transform,
)

from tests.contract.asking import gives, returns

T = TypeVar("T")
P = ParamSpec("P")
Ts = TypeVarTuple("Ts")
Number: TypeAlias = int | float
Tree: TypeAlias = "list[Tree] | None"


class Node:
    value: Annotated[int, "of the node"] = 1
    next: "Self | None" = None
    mode: Literal["r", "w"] = "r"

    def child(self: Self, value: Number = 2) -> Self:
        node = type(self)()
        node.value, node.next = value, self
        return node

    def never(self, *rest: Never) -> Never | None: ...

    def text(self, text: LiteralString = "x") -> LiteralString:
        return text * self.value


@returns((2, 1, "xx"))
def a_class_with_self():
    node = Node().child()
    return node.value, node.next.value, node.text()


@gives(lambda node: type(node) is Node and node.next.value == 1)
def one_that_comes_home():
    return Node().child()


def is_text(x: object) -> TypeGuard[str]:
    return isinstance(x, str)


def logged(fn: collections.abc.Callable[P, T]) -> collections.abc.Callable[Concatenate[str, P], T]:
    @functools.wraps(fn)
    def call(name, *args, **kwargs):
        return name, fn(*args, **kwargs)

    return call


@logged
def add(a: int | None, b: "int | None" = None, *more: Unpack[Ts], **named: Any) -> int | None:
    return a + (b or 0)


@returns((True, ("add", 3)))
def functions():
    return is_text("x"), add("add", 1, 2)


def many(
    a: list[Node] | None,
    b: dict[str, Node | int],
    c: tuple[int, ...] | Literal["none"],
    d: re.Pattern[str] | os.PathLike[str],
    e: type[Node] | type[None] | types.NoneType,
    f: types.EllipsisType | types.NotImplementedType,
    g: collections.abc.Callable[[int, "Node"], str | None],
    h: typing.Callable[..., None] | None,
    i: typing.Optional[Tree],
    *j: Unpack[tuple[int, str]],
) -> collections.abc.Iterator[tuple[Node, ...] | None]:
    yield a


@returns([None])
def annotations_of_all_kinds():
    return list(many(None, {}, (), None, None, None, None, None, None))


def starred(*args: *Ts) -> tuple[*Ts]:
    return args


@returns((1, "a"), since=(3, 11))
def a_star_in_an_annotation():
    return starred(1, "a")


class Movie(TypedDict, total=False):
    title: Required[str]
    year: NotRequired[int]
    tags: list[str] | None


class Box(TypedDict, Generic[T]):
    content: T


@returns(({"title": "x"}, ["title", "year", "tags"]))
def typed_dicts():
    return Movie(title="x"), list(Movie.__annotations__)


class Row(NamedTuple):
    key: int | str
    value: "Self | None" = None

    def has(self) -> TypeGuard[Self]:
        return self.value is not None


@returns(((1, None), True))
def a_named_tuple():
    return tuple(Row(1)), Row(1, Row(2)).has()


class Shape(Protocol):
    def area(self: Self, unit: Literal["m", "km"] = "m") -> Number: ...


class Square(Shape):
    def area(self, unit="m"):
        return 4, unit


class Pair(Generic[T, *Ts]):
    def __init__(self, *items):
        self.items = items

    def first(self) -> T:
        return self.items[0]


@returns(((4, "m"), 1))
def classes():
    return Square().area(), Pair(1, 2).first()


@dataclass
class Options:
    name: str | None
    _: KW_ONLY
    size: Number = 3
    flags: list[Literal["a", "b"]] = field(default_factory=list, kw_only=True)
    parent: "Options | None" = None


@returns((3, ["name", "size", "flags", "parent"], "TypeError"))
def keyword_only_fields():
    names = [f.name for f in dataclasses.fields(Options)]
    try:
        Options("x", 3)
    except TypeError as error:
        return Options("x").size, names, type(error).__name__


@gives(lambda it: it == Options("y", size=4, parent=Options(None)))
def keyword_only_fields_that_come_home():
    return Options("y", size=4, parent=Options(None))


@dataclass(slots=True, frozen=True)
class Frozen:
    x: int = 1

    def total(self):
        return self.x


@dataclass(slots=True, frozen=True)
class Below(Frozen):
    y: int | None = 2

    def total(self):
        return Frozen.total(self) + self.y


@dataclass(slots=True, weakref_slot=True, kw_only=True, match_args=False)
class Referred:
    z: int


returns((3, False), Below(), name="slots and inheritance")(
    lambda it: (it.total(), hasattr(it, "__dict__"))
)


@gives(lambda it: (type(it) is Below, it) == (True, Below(5, 6)))
def slots_that_come_home():
    return Below(5, 6)


@returns((3, True, False))
def a_slot_for_weak_references():
    import weakref

    it = Referred(z=3)
    return it.z, weakref.ref(it)() is it, hasattr(it, "__dict__")


@dataclasses.dataclass(slots=True)
class WithSuper:
    x: int = 1

    @property
    def twice(self):
        return self.x * 2

    @classmethod
    def make(cls):
        return cls(5)


@returns((10, "WithSuper"))
def methods_of_a_class_with_slots():
    return WithSuper.make().twice, WithSuper.__qualname__[-9:]


@dataclass_transform()
def transforming(kind):
    return dataclass(kind)


@transforming
class Transformed:
    x: int | None = 4


@returns(4)
def a_transformed_class():
    return Transformed().x


def closed(x: Literal[1]) -> Never:
    if x != 1:
        assert_never(x)
    return x


@returns(1, since=(3, 11))
def a_function_that_uses_the_newest():
    return closed(1)


@functools.singledispatch
def dispatch(x):
    return "object"


@dispatch.register
def _(x: int | str):
    return "int or str"


@returns(("int or str", "object"))
def dispatch_by_a_union():
    return dispatch(1), dispatch(1.5)
