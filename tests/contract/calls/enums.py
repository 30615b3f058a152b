"""Enums"""
# Ways: script, module, function.

import dataclasses
import enum
import functools
from enum import Enum, Flag, IntEnum, IntFlag, auto, unique

from tests.contract.asking import gives, returns


class Color(Enum):
    """A color."""

    RED = 1
    GREEN = 2
    ALSO_RED = 1

    def shout(self):
        return self.name + "!"

    @property
    def next(self):
        return Color(self.value % 2 + 1)

    @classmethod
    def first(cls):
        return cls.RED

    @staticmethod
    def wheel():
        return [Color.RED, Color.GREEN]


@returns(("RED", 1, "RED!", True))
def members():
    return Color.RED.name, Color(1).value, Color["RED"].shout(), Color.ALSO_RED is Color.RED


@returns((["RED", "GREEN"], 2, True))
def iteration():
    return [color.name for color in Color], len(Color), Color.RED in Color


@returns(("GREEN", "RED", 2, "A color."))
def methods_and_properties():
    return Color.RED.next.name, Color.first().name, len(Color.wheel()), Color.__doc__


returns((True, "GREEN"), Color.GREEN, name="a member as an argument")(
    lambda color: (color is Color.GREEN, color.name)
)


@gives(lambda color: color is Color.GREEN)
def a_member_that_comes_home():
    return Color.GREEN


@gives(lambda table: table == {Color.RED: [Color.GREEN]})
def members_in_a_dict():
    return {Color.RED: [Color.GREEN]}


@gives(lambda kind: kind is Color)
def an_enum_that_comes_home():
    return Color


@returns(("<Color.RED: 1>", "Color.RED"))
def repr_and_str():
    return repr(Color.RED), str(Color.RED)


@returns("ValueError")
def no_such_value():
    try:
        Color(7)
    except ValueError as error:
        return type(error).__name__


@returns("AttributeError")
def members_cannot_be_set():
    try:
        Color.RED = 5
    except AttributeError as error:
        return type(error).__name__


class Level(IntEnum):
    LOW = 1
    HIGH = 10


@returns((True, 11, [1, 10], "HIGH"))
def int_enum():
    return Level.LOW < Level.HIGH, Level.LOW + 10, sorted(Level), Level(10).name


@gives(lambda level: level is Level.HIGH and level == 10)
def an_int_enum_that_comes_home():
    return max(Level)


class Weekday(str, Enum):
    MONDAY = "mon"
    TUESDAY = "tue"


@returns((True, "MON", "TUESDAY"))
def a_str_and_enum():
    return Weekday.MONDAY == "mon", Weekday.MONDAY.upper(), Weekday("tue").name


class Permission(Flag):
    READ = auto()
    WRITE = auto()
    RUN = auto()
    ALL = READ | WRITE | RUN


@returns((True, False, 3, True, 7))
def flags():
    both = Permission.READ | Permission.WRITE
    return (
        Permission.READ in both,
        Permission.RUN in both,
        both.value,
        both & Permission.READ is Permission.READ,
        (~Permission.READ | Permission.READ).value,
    )


returns(3, Permission.READ | Permission.WRITE, name="flags as an argument")(lambda p: p.value)


@gives(lambda both: both == Permission.READ | Permission.RUN and type(both) is Permission)
def flags_that_come_home():
    return Permission.READ | Permission.RUN


class Bits(IntFlag):
    A = 1
    B = 2


@returns((3, True))
def int_flags():
    return int(Bits.A | Bits.B), (Bits.A | 2) == 3


class Planet(Enum):
    EARTH = (6, 2)
    MARS = (3, 1)

    def __init__(self, mass, radius):
        self.mass = mass
        self.radius = radius

    @property
    def density(self):
        return self.mass / self.radius


@returns((3.0, 3, (6, 2)))
def members_with_attributes():
    return Planet.EARTH.density, Planet.MARS.mass, Planet.EARTH.value


class Coordinate(bytes, Enum):
    def __new__(cls, value, label, unit):
        self = bytes.__new__(cls, [value])
        self._value_ = value
        self.label = label
        self.unit = unit
        return self

    PX = (0, "P.X", "km")
    VY = (1, "V.Y", "km/s")


@returns(("P.X", 1, "km/s", "VY"))
def members_with_new():
    return Coordinate.PX.label, Coordinate.VY.value, Coordinate.VY.unit, Coordinate(1).name


@gives(lambda it: it is Coordinate.VY)
def a_member_with_new_that_comes_home():
    return Coordinate.VY


class Loose(Enum):
    YES = "yes"
    NO = "no"

    @classmethod
    def _missing_(cls, value):
        return cls.YES if str(value).lower() in ("y", "true") else None


@returns(("YES", "NO"))
def a_missing_method():
    return Loose("Y").name, Loose("no").name


class Ordinal(Enum):
    def _generate_next_value_(name, start, count, last_values):
        return f"{name.lower()}-{count}"

    NORTH = auto()
    SOUTH = auto()


@returns(["north-0", "south-1"])
def auto_with_ones_own_values():
    return [member.value for member in Ordinal]


class Counted(Enum):
    A = auto()
    B = auto()
    C = 10
    D = auto()


@returns([1, 2, 10, 11])
def auto_values():
    return [member.value for member in Counted]


@unique
class Unique(Enum):
    ONE = 1
    TWO = 2


@returns([1, 2])
def decorated_with_unique():
    return [member.value for member in Unique]


class Operation(Enum):
    ADD = "+"
    SUB = "-"

    def __call__(self, a, b):
        return OPERATIONS[self](a, b)


OPERATIONS = {Operation.ADD: lambda a, b: a + b, Operation.SUB: lambda a, b: a - b}


@returns((5, 1))
def members_as_keys_of_functions():
    return Operation.ADD(3, 2), Operation.SUB(3, 2)


class Handler(Enum):
    def double(x):
        return x * 2

    ONE = 1

    def apply(self, x):
        return Handler.double(x) + self.value


@returns(7)
def functions_in_an_enum():
    return Handler.ONE.apply(3)


Animal = Enum("Animal", "CAT DOG", module=__name__, qualname="Animal")


@returns(["CAT", "DOG"])
def the_functional_api():
    return [animal.name for animal in Animal]


@gives(lambda animal: animal is Animal.DOG)
def a_functional_member_that_comes_home():
    return Animal.DOG


class Mixin:
    def hello(self):
        return f"hello {self.name}"


class Base(Enum):
    def base(self):
        return "base", self.value


class Mixed(Mixin, Base):
    X = 1


@returns(("hello X", ("base", 1)))
def with_bases():
    return Mixed.X.hello(), Mixed.X.base()


class Formatted(Enum):
    A = 1

    def __str__(self):
        return "formatted a"

    def __repr__(self):
        return "<a>"

    def __format__(self, spec):
        return f"format {spec}"

    def __hash__(self):
        return 1

    def __eq__(self, other):
        return self is other


@returns(("formatted a", "<a>", "format x"))
def special_methods():
    return str(Formatted.A), repr(Formatted.A), f"{Formatted.A:x}"


@returns((["A", "B"], 2))
def one_made_over_there():
    class Local(Enum):
        A = 1
        B = 2

    return [member.name for member in Local], Local.B.value


@gives(lambda it: (it.name, it.value, it.twice(), type(it)(1).name) == ("B", 2, 4, "A"))
def one_made_over_there_and_used_here():
    class Local(Enum):
        A = 1
        B = 2

        def twice(self):
            return self.value * 2

    return Local.B


def make_local():
    class Local(Enum):
        A = 1
        B = 2

        def other(self):
            return Local.B if self is Local.A else Local.A

    return Local


MadeHere = make_local()


@returns("B")
def one_made_by_a_function():
    return MadeHere.A.other().name


class Ignoring(Enum):
    _ignore_ = ["i"]
    for i in range(3):
        locals()[f"N{i}"] = i


@returns(["N0", "N1", "N2"])
def members_made_in_a_loop():
    return [member.name for member in Ignoring]


@returns((True, "SIGTERM", True))
def enums_of_the_standard_library():
    import http
    import re
    import signal

    return http.HTTPStatus(404) is http.HTTPStatus.NOT_FOUND, signal.SIGTERM.name, bool(re.I)


def _standard():
    import http
    import re
    import signal
    import socket

    return [http.HTTPStatus.OK, signal.SIGTERM, re.I | re.M, socket.AF_INET, re.A]


returns(_standard(), _standard(), name="their members both ways")(lambda them: them)


@returns(True, enum.EnumMeta)
def the_type_of_enums(kind):
    return type(Color) is kind


class Shape(Enum):
    ROUND = {"sides": 0}
    SQUARE = {"sides": 4}

    @functools.cached_property
    def sides(self):
        return self.value["sides"]

    @classmethod
    def by_sides(cls, n):
        return next(shape for shape in cls if shape.sides == n)


@returns((4, "ROUND"))
def members_of_dicts():
    return Shape.SQUARE.sides, Shape.by_sides(0).name


class Holder:
    class Kind(Enum):
        A = "a"
        B = "b"

    def __init__(self, kind=Kind.B):
        self.kind = kind

    def is_b(self):
        return self.kind is Holder.Kind.B


@returns((True, False))
def an_enum_in_a_class():
    return Holder().is_b(), Holder(Holder.Kind.A).is_b()


returns(True, Holder(), name="a member of an enum in a class")(lambda it: it.is_b())


def by_default(color=Color.RED, *, level=Level.HIGH):
    return color is Color.RED, level is Level.HIGH


@returns((True, True))
def members_that_are_defaults():
    return by_default()


@returns({"RED": 1, "GREEN": 2, "ALSO_RED": 1})
def aliases():
    return {name: member.value for name, member in Color.__members__.items()}


@dataclasses.dataclass(frozen=True)
class Size:
    width: int
    height: int = 2

    def area(self):
        return self.width * self.height


class Sizes(Size, Enum):
    SMALL = 1
    LARGE = 5, 6


@returns((2, 30, True))
def with_a_dataclass():
    return Sizes.SMALL.area(), Sizes.LARGE.area(), isinstance(Sizes.SMALL, Size)


@gives(lambda it: it is Sizes.LARGE)
def with_a_dataclass_that_comes_home():
    return Sizes.LARGE


class Empty(Enum):
    def twice(self):
        return self.value * 2


class Filled(Empty):
    A = 4


@returns(8)
def derived_from_one_without_members():
    return Filled.A.twice()


class Tracking(enum.EnumMeta):
    def __getitem__(cls, name):
        return super().__getitem__(name.upper())

    def names(cls):
        return [member.name for member in cls]


class Tracked(Enum, metaclass=Tracking):
    ONE = 1
    TWO = 2


@returns((1, ["ONE", "TWO"]))
def with_a_metaclass():
    return Tracked["one"].value, Tracked.names()


@returns(3)
def flags_of_no_name():
    return (Permission.READ | Permission.WRITE).value


@gives(lambda pair: pair[0] is pair[1] and pair[0].name == "A")
def a_member_and_its_enum_made_over_there():
    class Local(IntEnum):
        A = 1
        B = 2

    return Local.A, Local["A"]


@gives(lambda both: (both.value, type(both)(1) in both) == (3, True))
def flags_made_over_there_and_used_here():
    class Local(Flag):
        A = auto()
        B = auto()

    return Local.A | Local.B
