"""Named tuples, typed dicts, protocols"""
# Ways: script, module, function.

import collections
from collections import namedtuple
from typing import Dict, List, NamedTuple, Optional, Protocol, Tuple, TypedDict, runtime_checkable

from tests.contract.asking import gives, returns

Point = namedtuple("Point", "x y")
Weighted = namedtuple("Weighted", ["x", "weight"], defaults=[1.5])
Renamed = collections.namedtuple("Renamed", "a class b a", rename=True)


@returns(((1, 2), 3, ("x", "y"), "Point(x=1, y=2)"))
def a_namedtuple():
    point = Point(1, y=2)
    return tuple(point), point.x + point.y, Point._fields, repr(point)


@returns(({"x": 1, "y": 2}, (5, 2), (3, 4)))
def its_methods():
    point = Point(1, 2)
    return point._asdict(), tuple(point._replace(x=5)), tuple(Point._make([3, 4]))


@returns(((1, 1.5), {"weight": 1.5}))
def defaults():
    return tuple(Weighted(1)), Weighted._field_defaults


@returns(("a", "_1", "b", "_3"))
def renamed_fields():
    return Renamed._fields


returns(7, Point(3, 4), name="one as an argument")(lambda point: point.x + point.y)


@gives(lambda point: type(point) is Point and point == Point(1, 2))
def one_that_comes_home():
    return Point(1, 2)


@returns("TypeError")
def too_few_arguments():
    try:
        Point(1)
    except TypeError as error:
        return type(error).__name__


class Vector(namedtuple("VectorBase", "x y")):
    __slots__ = ()

    def length(self):
        return (self.x**2 + self.y**2) ** 0.5

    def __add__(self, other):
        return Vector(self.x + other.x, self.y + other.y)


@returns((5.0, (4, 6), True))
def derived_from_a_namedtuple():
    vector = Vector(3, 4)
    return vector.length(), tuple(vector + Vector(1, 2)), isinstance(vector, tuple)


@gives(lambda vector: type(vector) is Vector and vector.length() == 5.0)
def a_derived_one_that_comes_home():
    return Vector(3, 4)


class Row(NamedTuple):
    """A row."""

    name: str
    count: int = 3
    tags: List[str] = []

    @property
    def loud(self):
        return self.name.upper()

    def times(self, n):
        return self._replace(count=self.count * n)

    @classmethod
    def empty(cls):
        return cls("")


@returns((("a", 3, []), "A", 6, "", "A row."))
def a_typed_one():
    row = Row("a")
    return tuple(row), row.loud, row.times(2).count, Row.empty().name, Row.__doc__


@returns((["name", "count", "tags"], {"count": 3, "tags": []}, int))
def its_annotations_and_defaults():
    return list(Row.__annotations__), Row._field_defaults, Row.__annotations__["count"]


@gives(lambda row: type(row) is Row and row.loud == "B")
def a_typed_one_that_comes_home():
    return Row("b")


Functional = NamedTuple("Functional", [("a", int), ("b", Optional[str])])


@returns((1, "x"))
def the_functional_api():
    return tuple(Functional(1, b="x"))


@returns(((1, 2), "Local"))
def one_made_over_there():
    Local = namedtuple("Local", "a b")
    return tuple(Local(1, b=2)), Local.__name__


@gives(lambda it: (it.a, it._replace(b=5).b, type(it)._fields) == (1, 5, ("a", "b")))
def one_made_over_there_and_used_here():
    return namedtuple("Local", "a b")(1, 2)


@gives(lambda it: (it.a, it.b, it.sum(), it._asdict()) == (1, 2, 3, {"a": 1, "b": 2}))
def a_typed_one_made_over_there_and_used_here():
    class Local(NamedTuple):
        a: int
        b: int = 2

        def sum(self):
            return self.a + self.b

    return Local(1)


def make_local():
    class Local(NamedTuple):
        a: int
        next: Optional["Local"] = None

        def grow(self):
            return Local(self.a + 1, self)

    return Local


LocalRow = make_local()


@returns((2, 1))
def one_made_by_a_function():
    grown = LocalRow(1).grow()
    return grown.a, grown.next.a


class Movie(TypedDict):
    title: str
    year: int


class Rated(Movie, total=False):
    stars: int


@returns(({"title": "x", "year": 1}, ["title", "year", "stars"], False))
def typed_dicts():
    movie: Movie = {"title": "x", "year": 1}
    assert Movie(title="x", year=1) == movie
    return movie, list(Rated.__annotations__), Rated.__total__


@returns((["title", "year"], ["stars"]))
def keys_of_typed_dicts():
    return sorted(Rated.__required_keys__), sorted(Rated.__optional_keys__)


Options = TypedDict("Options", {"a b": int})


@returns({"a b": 1})
def a_typed_dict_by_a_call():
    return Options(**{"a b": 1})


@gives(lambda kind: kind(a=1) == {"a": 1} and list(kind.__annotations__) == ["a"])
def a_typed_dict_made_over_there():
    class Local(TypedDict):
        a: int

    return Local


@runtime_checkable
class Sized(Protocol):
    def size(self) -> int: ...


class Unchecked(Protocol):
    def size(self) -> int: ...


class Named(Protocol):
    name: str


class Box:
    name = "box"

    def size(self) -> int:
        return 3


class Explicit(Named, Sized):
    name = "explicit"

    def size(self):
        return 4


@returns((True, False, True, 4))
def protocols():
    explicit = Explicit()
    return isinstance(Box(), Sized), isinstance(3, Sized), isinstance(explicit, Sized), 4


@returns(("TypeError", "explicit"))
def a_protocol_is_not_made():
    try:
        Named()
    except TypeError as error:
        return type(error).__name__, Explicit().name


@returns(("TypeError", True))
def a_protocol_is_not_checked():
    try:
        isinstance(Box(), Unchecked)
    except TypeError as error:
        return type(error).__name__, Named in Explicit.__mro__


@gives(lambda kind: isinstance(Box(), kind) and not isinstance(3, kind))
def a_protocol_made_over_there():
    @runtime_checkable
    class Local(Protocol):
        def size(self): ...

    return Local


def total(rows: List[Row], by: Dict[str, Tuple[Point, ...]], has: Named) -> Sized:
    return sum(row.count for row in rows)


@returns(6)
def functions_with_such_annotations():
    return total([Row("a"), Row("b")], {}, Box())
