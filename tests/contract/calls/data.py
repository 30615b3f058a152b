"""Dataclasses"""
# Ways: script, module, function.

import dataclasses
from dataclasses import InitVar, dataclass, field
from typing import Any, ClassVar

from tests.contract.asking import gives, raises, returns


@dataclass
class Point:
    """A point."""

    x: int
    y: int = 2

    def total(self):
        return self.x + self.y


@returns((3, "Point(x=1, y=2)", True))
def defaults():
    return Point(1).total(), repr(Point(1)).rpartition(".")[2], Point(1) == Point(1, 2)


returns(7, Point(3, 4), name="an instance as an argument")(lambda point: point.total())


@gives(lambda point: type(point) is Point and point == Point(1, 5))
def an_instance_that_comes_home():
    return Point(1, 5)


@returns(("TypeError", "(x: int, y: int = 2) -> None"))
def its_signature():
    import inspect

    try:
        Point()
    except TypeError as error:
        return type(error).__name__, str(inspect.signature(Point.__init__)).replace("self, ", "")


@dataclass
class Basket:
    owner: str
    items: list = field(default_factory=list)
    tags: dict = field(default_factory=lambda: {"new": True}, repr=False, compare=False)
    number: int = field(default=1, metadata={"unit": "pieces"})
    hidden: int = field(init=False, default=9)


@returns((["apple"], [], {"new": True}, 9))
def default_factories():
    one, other = Basket("me"), Basket("you")
    one.items.append("apple")
    return one.items, other.items, other.tags, one.hidden


@returns(({"unit": "pieces"}, [True, True, False, True, True]))
def fields_over_there():
    fields = dataclasses.fields(Basket)
    return dict(fields[3].metadata), [f.repr for f in fields]


@returns(({"x": 1, "y": 2}, (1, 2), True, ["x", "y"]))
def asdict_and_astuple():
    point = Point(1)
    names = [f.name for f in dataclasses.fields(point)]
    return (
        dataclasses.asdict(point),
        dataclasses.astuple(point),
        dataclasses.is_dataclass(Point),
        names,
    )


@returns((8, 2))
def replace_over_there():
    other = dataclasses.replace(Point(1), x=8)
    return other.x, other.y


@dataclass(frozen=True, order=True)
class Version:
    major: int
    minor: int = 0


@returns(("FrozenInstanceError", True, [1, 2, 3], 1))
def frozen_and_ordered():
    versions = sorted([Version(3), Version(1, 5), Version(2)])
    try:
        versions[0].major = 4
    except dataclasses.FrozenInstanceError as error:
        name = type(error).__name__
    return name, Version(1) < Version(1, 1), [v.major for v in versions], len({Version(1)})


@dataclass(eq=False, repr=False)
class Bare:
    x: int


@returns((False, True))
def without_eq_and_repr():
    return Bare(1) == Bare(1), repr(Bare(1)).startswith("<")


@dataclass(unsafe_hash=True)
class Hashed:
    x: int
    y: int = field(hash=False, default=0)


@returns(True)
def hashed():
    return hash(Hashed(1, 2)) == hash(Hashed(1, 3))


@dataclass
class Circle:
    registry: ClassVar[list] = []
    radius: float
    scale: InitVar[float] = 1.0
    area: float = field(init=False)

    def __post_init__(self, scale):
        self.area = 3 * (self.radius * scale) ** 2
        self.registry.append(self.area)


@returns((12.0, [12.0], ["radius", "area"], False))
def initvar_classvar_and_post_init():
    Circle.registry.clear()
    circle = Circle(1.0, 2.0)
    names = [f.name for f in dataclasses.fields(Circle)]
    return circle.area, Circle.registry, names, "scale" in vars(circle)


@dataclass
class Base:
    a: int = 1
    b: int = 2


@dataclass
class Derived(Base):
    b: int = 20
    c: int = 3

    def total(self):
        return super().__init__ and self.a + self.b + self.c


class Plain(Base):
    def __init__(self):
        super().__init__(a=5)


@returns((24, ["a", "b", "c"], True, "Derived(a=1, b=20, c=3)"))
def inheritance():
    derived = Derived()
    names = [f.name for f in dataclasses.fields(derived)]
    text = repr(derived).rpartition(".")[2]
    return derived.total(), names, isinstance(derived, Base), text


@returns((5, 2, True))
def a_plain_class_derived_from_one():
    return Plain().a, Plain().b, dataclasses.is_dataclass(Plain)


@gives(lambda it: type(it) is Derived and it == Derived(4, 5, 6))
def a_derived_one_that_comes_home():
    return Derived(4, 5, 6)


@dataclass
class Tree:
    value: int
    children: "list[Tree]" = field(default_factory=list)

    def total(self):
        return self.value + sum(child.total() for child in self.children)


returns(6, Tree(1, [Tree(2), Tree(3)]), name="a tree as an argument")(lambda tree: tree.total())


@returns({"value": 1, "children": [{"value": 2, "children": []}]})
def asdict_of_a_tree():
    return dataclasses.asdict(Tree(1, [Tree(2)]))


@dataclass
class Custom:
    x: int

    def __repr__(self):
        return f"<custom {self.x}>"

    def __eq__(self, other):
        return True

    def __hash__(self):
        return 5


@returns(("<custom 1>", True, 5))
def methods_of_its_own():
    return repr(Custom(1)), Custom(1) == 3, hash(Custom(1))


@dataclass
class Anything:
    value: Any = None
    call: Any = lambda x: x + 1


@returns(2)
def a_default_that_is_a_function():
    return Anything.call(1)


Made = dataclasses.make_dataclass(
    "Made", [("x", int), ("y", int, field(default=5))], namespace={"sum": lambda s: s.x + s.y}
)


@returns((6, "Made(x=1, y=5)", ["x", "y"]))
def make_dataclass():
    return Made(1).sum(), repr(Made(1)), [f.name for f in dataclasses.fields(Made)]


@returns((3, "Local"))
def one_made_over_there():
    @dataclass
    class Local:
        x: int
        y: int = 2

    return Local(1).x + Local(1).y, Local.__name__


@gives(lambda it: (it.x, it.y, dataclasses.asdict(it)) == (1, 2, {"x": 1, "y": 2}))
def one_made_over_there_and_used_here():
    @dataclass
    class Local:
        x: int
        y: int = 2

    return Local(1)


@gives(lambda kind: (kind(3) == kind(3), dataclasses.replace(kind(3), x=4).x) == (True, 4))
def its_class_made_over_there_and_used_here():
    @dataclass(frozen=True)
    class Local:
        x: int

    return Local


def make_local():
    @dataclass
    class Local:
        x: int
        seen: list = field(default_factory=list)

        def twice(self):
            return Local(self.x * 2, [*self.seen, self.x])

    return Local


MadeHere = make_local()


@returns((8, [2, 4]))
def one_made_by_a_function():
    made = MadeHere(2).twice().twice()
    return made.x, made.seen


@dataclass
class Private:
    __x: int = 3

    def x(self):
        return self.__x


@returns(3)
def private_names():
    return Private().x()


@dataclass
class Weighted:
    __slots__ = ("weight",)
    weight: float


@returns((1.5, False))
def slots_by_hand():
    return Weighted(1.5).weight, hasattr(Weighted(1.5), "__dict__")


@dataclass(init=False)
class NoInit:
    x: int = 4


@returns(4)
def without_init():
    return NoInit().x


class Meta(type):
    def __call__(cls, *args):
        return super().__call__(*args), cls.__name__


@dataclass
class WithMeta(metaclass=Meta):
    x: int


@returns((3, "WithMeta"))
def with_a_metaclass():
    made, name = WithMeta(3)
    return made.x, name


@dataclass
class Keyed:
    x: int
    table: dict = field(default_factory=lambda: dict(base=Point(1)))


@returns(3)
def a_default_factory_with_globals():
    return Keyed(0).table["base"].total()


@dataclass
class Failure(Exception):
    code: int
    text: str = "failed"

    def __str__(self):
        return f"{self.code}: {self.text}"


@raises(Failure, 3, also=lambda error: (error.code, str(error)) == (3, "3: failed"))
def one_that_is_an_exception():
    raise Failure(3)


@dataclass(frozen=True)
class Nested:
    first: Version = Version(1)
    versions: tuple = (Version(1), Version(2))
    kind: type = Point

    @classmethod
    def make(cls, x):
        return cls(first=Version(x))

    @property
    def total(self):
        return self.first.major + len(self.versions)


@returns((3, 4, True))
def defaults_that_are_dataclasses():
    return Nested().total, Nested.make(2).total, Nested().kind is Point


@dataclass
class Slots:
    __slots__ = ("a", "b")
    a: int
    b: int


@dataclass(frozen=True)
class FrozenSlots:
    __slots__ = ("a",)
    a: int

    def __getstate__(self):
        return {"a": self.a}

    def __setstate__(self, state):
        object.__setattr__(self, "a", state["a"])


returns(3, Slots(1, 2), name="slots as an argument")(lambda it: it.a + it.b)
returns(4, FrozenSlots(4), name="frozen slots as an argument")(lambda it: it.a)


@dataclass(order=True)
class Ordered:
    sort_index: int = field(init=False, repr=False)
    name: str = "x"

    def __post_init__(self):
        self.sort_index = len(self.name)


@returns(["b", "aa", "ccc"])
def ordered_by_what_is_made():
    return [it.name for it in sorted(Ordered(name=n) for n in ("aa", "ccc", "b"))]


@dataclass
class Named:
    type: str = "t"
    self_: int = 1
    list: int = 2
    _private: int = 3


@returns(("t", 1, 2, 3))
def fields_of_odd_names():
    it = Named()
    return it.type, it.self_, it.list, it._private


@dataclass
class Mixin:
    def shout(self):
        return f"{self.name}!"


@dataclass
class Child(Mixin, Ordered):
    age: int = 7


@returns(("x!", 7, ["sort_index", "name", "age"]))
def two_that_are_bases():
    it = Child()
    return it.shout(), it.age, [f.name for f in dataclasses.fields(it)]


@returns((True, 2))
def copies():
    import copy

    point = Point(1)
    return copy.deepcopy(point) == point, copy.copy(point).y


@gives(lambda it: (it, hash(it)) == (Version(2, 3), hash(Version(2, 3))))
def a_frozen_one_that_comes_home():
    return Version(2, 3)


@returns({Version(1): "one"}, {Version(1): "one"})
def as_keys(table):
    return {version: name for version, name in table.items() if version in table}


@returns(([], 4, ["x", "point", "kind"]))
def a_class_body_over_there_with_names_from_here():
    @dataclass(order=True)
    class Local:
        x: list = field(default_factory=list)
        point: Version = Version(4)
        kind: ClassVar[Any] = Point

        def first(self, of: Version = Version(1)) -> Point:
            return self.point.major

    return Local().x, Local().first(), list(Local.__annotations__)
