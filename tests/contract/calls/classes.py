"""Classes"""

import abc

from tests.contract.asking import gives, returns

RATE = 2


class Account:
    """An account."""

    opened = 0
    __secret = "hidden"

    def __init__(self, owner, balance=0):
        self.owner = owner
        self.__balance = balance
        type(self).opened += 1

    @property
    def balance(self):
        """What is there."""
        return self.__balance

    @balance.setter
    def balance(self, value):
        self.__balance = value

    @balance.deleter
    def balance(self):
        self.__balance = 0

    @classmethod
    def of_nobody(cls):
        return cls("nobody")

    @staticmethod
    def rate():
        return RATE

    def grow(self):
        self.__balance *= self.rate()
        return self

    def peek(self):
        return self.__secret, [self.__balance for _ in range(1)]

    def __add__(self, other):
        return Account(self.owner, self.balance + other.balance)

    def __eq__(self, other):
        return isinstance(other, Account) and self.balance == other.balance

    def __hash__(self):
        return hash(self.balance)

    def __repr__(self):
        return f"Account({self.owner!r}, {self.balance})"


@returns("Account('me', 10)")
def an_instance():
    return repr(Account("me", 5).grow())


@returns((7, 0))
def a_property():
    account = Account("me")
    account.balance = 7
    found = account.balance
    del account.balance
    return found, account.balance


@returns(("nobody", 2))
def a_classmethod_and_a_staticmethod():
    return Account.of_nobody().owner, Account.rate()


@returns(("hidden", [3]))
def private_names():
    return Account("me", 3).peek()


@returns((True, {"_Account__balance": 4, "owner": "me"}))
def operators():
    both = Account("me", 1) + Account("you", 3)
    return both == Account("they", 4), dict(sorted(vars(both).items()))


@returns(("Account", "An account.", "What is there."))
def names_and_docstrings():
    return Account.__name__, Account.__doc__, Account.balance.__doc__


returns("me", Account("me"), name="an instance as an argument")(lambda account: account.owner)
returns(("hidden", [8]), name="a bound method of an instance")(Account("me", 8).peek)
returns(2, name="a static method of an instance")(Account("me").rate)


@gives(lambda account: type(account) is Account and account.balance == 12)
def an_instance_that_comes_home():
    return Account("me", 6).grow()


@gives(lambda kind: kind is Account)
def a_class_that_comes_home():
    return Account


class Savings(Account):
    """With interest."""

    def __init__(self, owner, balance=0, *, interest=1):
        super().__init__(owner, balance)
        self.interest = interest
        self.__own = "own"

    @property
    def balance(self):
        return super().balance + self.interest

    def __repr__(self):
        return f"Savings of {super().__repr__()}"

    @classmethod
    def of_nobody(cls):
        return super().of_nobody()

    def own(self):
        return self.__own, __class__.__name__


@returns(("Savings of Account('me', 12)", 12))
def super_in_methods():
    savings = Savings("me", 10, interest=2)
    return repr(savings), savings.balance


@returns(("nobody", ("own", "Savings")))
def super_in_a_classmethod():
    return Savings.of_nobody().owner, Savings("me").own()


@returns((True, True, ["Savings", "Account", "object"]))
def inheritance():
    return (
        issubclass(Savings, Account),
        isinstance(Savings("me"), Account),
        [kind.__name__ for kind in Savings.__mro__],
    )


class Left:
    def who(self):
        return ["left"]


class Right:
    def who(self):
        return ["right"]


class Both(Left, Right):
    def who(self):
        return ["both", *super().who(), *super(Left, self).who()]


@returns(["both", "left", "right"])
def several_bases():
    return Both().who()


class Point:
    __slots__ = ("__weakref__", "_x", "__y")

    def __init__(self, x, y):
        self._x = x
        self.__y = y

    @property
    def y(self):
        return self.__y

    def __reduce__(self):
        return Point, (self._x, self.__y)


class Point3(Point):
    __slots__ = ("z",)

    def __init__(self, x, y, z):
        super().__init__(x, y)
        self.z = z

    def __reduce__(self):
        return Point3, (self._x, self.y, self.z)


@returns((1, 2, 3, False))
def slots():
    point = Point3(1, 2, 3)
    return point._x, point.y, point.z, hasattr(point, "__dict__")


@returns("AttributeError")
def slots_allow_no_other_attribute():
    try:
        Point(1, 2).other = 3
    except AttributeError as error:
        return type(error).__name__


returns(5, Point(1, 5), name="an instance with slots as an argument")(lambda point: point.y)


@gives(lambda point: type(point) is Point3 and (point.y, point.z) == (2, 3))
def an_instance_with_slots_that_comes_home():
    return Point3(1, 2, 3)


class Plain:
    __slots__ = ("a", "b")

    def __init__(self):
        self.a = 1


@gives(lambda it: type(it) is Plain and it.a == 1 and not hasattr(it, "b"))
def slots_without_a_reduce():
    return Plain()


class Meta(type):
    made = []

    def __new__(cls, name, bases, namespace, **kwargs):
        kind = super().__new__(cls, name, bases, namespace)
        kind.tag = kwargs.get("tag", "none")
        return kind

    def __init__(cls, name, bases, namespace, **kwargs):
        super().__init__(name, bases, namespace)

    def __call__(cls, *args):
        return ("called", super().__call__(*args).value)

    def __len__(cls):
        return 42

    @property
    def shout(cls):
        return cls.__name__.upper()


class Tagged(metaclass=Meta, tag="red"):
    def __init__(self, value):
        self.value = value


@returns(("red", ("called", 3), 42, "TAGGED"))
def a_metaclass():
    return Tagged.tag, Tagged(3), len(Tagged), Tagged.shout


class Shape(abc.ABC):
    @abc.abstractmethod
    def area(self):
        """What it covers."""

    @property
    @abc.abstractmethod
    def name(self): ...

    def describe(self):
        return f"{self.name} of {self.area()}"


class Square(Shape):
    name = "square"

    def __init__(self, side):
        self.side = side

    def area(self):
        return self.side**2


@Shape.register
class Registered:
    pass


@returns(("square of 9", "TypeError", True))
def an_abstract_class():
    try:
        Shape()
    except TypeError as error:
        return Square(3).describe(), type(error).__name__, isinstance(Registered(), Shape)


@returns((["area", "name"], []))
def its_abstract_methods():
    return sorted(Shape.__abstractmethods__), sorted(Square.__abstractmethods__)


class Positive:
    def __set_name__(self, owner, name):
        self.name = f"_{name}"
        self.owner = owner

    def __get__(self, instance, owner=None):
        return self if instance is None else getattr(instance, self.name)

    def __set__(self, instance, value):
        if value <= 0:
            raise ValueError(self.name)
        setattr(instance, self.name, value)


class Item:
    price = Positive()
    amount = Positive()

    def __init__(self, price, amount):
        self.price, self.amount = price, amount


@returns((6, "_amount", True))
def descriptors():
    item = Item(2, 3)
    try:
        item.amount = -1
    except ValueError as error:
        return item.price * item.amount, str(error), Item.price.owner is Item


class Outer:
    class Inner:
        def __init__(self):
            self.__x = 1

        def x(self):
            return self.__x

        def make(self):
            return Outer.Inner()

    def inner(self):
        return self.Inner().make().x()


@returns((1, "Outer.Inner"))
def a_class_in_a_class():
    return Outer().inner(), Outer.Inner.__qualname__[-len("Outer.Inner") :]


def make_class(base, value):
    class Made(base):
        made = value

        def get(self):
            return value, self.made, super().who()

    return Made


Made = make_class(Left, 5)


@returns((5, 5, ["left"]))
def a_class_made_by_a_function():
    return Made().get()


@returns((3, "Local"))
def a_class_made_over_there():
    class Local:
        def __init__(self, n):
            self.__n = n

        def n(self):
            return self.__n

    return Local(3).n(), Local.__name__


Dynamic = type("Dynamic", (Left,), {"value": 9, "get": lambda self: (self.value, self.who())})


@returns((9, ["left"]))
def a_class_made_by_type():
    return Dynamic().get()


class Vector:
    def __init__(self, *values):
        self.values = values

    def __getitem__(self, index):
        return self.values[index]

    def __len__(self):
        return len(self.values)

    def __iter__(self):
        return iter(self.values)

    def __contains__(self, value):
        return value in self.values

    def __call__(self, factor):
        return Vector(*(v * factor for v in self))

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return False

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return f"no {name}"

    def __class_getitem__(cls, item):
        return ("of", item)


@returns((3, [2, 4, 6], True, "no such", ("of", int), 1))
def special_methods():
    with Vector(1, 2, 3) as vector:
        return len(vector), [*vector(2)], 2 in vector, vector.such, Vector[int], vector[0]


class Node:
    def __init__(self, value):
        self.value = value
        self.next = None


def ring():
    first, second = Node(1), Node(2)
    first.next, second.next = second, first
    return first


returns(1, ring(), name="instances in a ring")(lambda node: node.next.next.value)


@gives(lambda node: node.next.next is node and type(node) is Node)
def a_ring_that_comes_home():
    return ring()


class State:
    def __init__(self, value):
        self.value = value
        self.cache = "not to be sent"

    def __getstate__(self):
        return {"value": self.value}

    def __setstate__(self, state):
        self.value = state["value"]
        self.cache = "made anew"


returns((4, "made anew"), State(4), name="getstate and setstate")(lambda it: (it.value, it.cache))


class MyList(list):
    def total(self):
        return sum(self)


class MyDict(dict):
    def __missing__(self, key):
        return key * 2


class MyInt(int):
    def double(self):
        return MyInt(self * 2)


class MyStr(str):
    __slots__ = ()

    def loud(self):
        return self.upper() + "!"


@returns((6, "xx", 8, "HI!"))
def subclasses_of_builtins():
    return MyList([1, 2, 3]).total(), MyDict()["x"], MyInt(4).double() + 0, MyStr("hi").loud()


returns(6, MyList([1, 2, 3]), name="a list of one's own class")(lambda it: it.total())


@gives(lambda it: type(it) is MyInt and it.double() == 14)
def an_int_of_ones_own_class():
    return MyInt(7)


class Counted:
    instances = []

    def __new__(cls, *args):
        self = super().__new__(cls)
        cls.instances.append(args)
        return self


@returns([(1,), (2,)])
def a_new_method():
    Counted.instances.clear()
    Counted(1), Counted(2)
    return Counted.instances


@gives(lambda kind: kind("x").hello() == "hello x" and kind.__name__ == "Greeter")
def a_class_made_over_there_and_used_here():
    class Greeter:
        def __init__(self, name):
            self.__name = name

        def hello(self):
            return f"hello {self.__name}"

    return Greeter


@gives(lambda it: it.hello() == "hello y" and type(it).__mro__[1].__name__ == "Base")
def an_instance_made_over_there_and_used_here():
    class Base:
        def hello(self):
            return f"hello {self.name}"

    class Greeter(Base):
        name = "y"

        def hello(self):
            return super().hello()

    return Greeter()


def patched(self):
    return f"patched {self.who()}"


Left.patched = patched


@returns("patched ['left']")
def a_method_that_was_added_later():
    return Left().patched()


class Annotated:
    x: int
    y: "list[Annotated]" = ()
    z: int = 3


@returns((["x", "y", "z"], 3))
def annotations_of_a_class():
    return list(Annotated.__annotations__), Annotated.z


class Borrowing:
    who = Left.who
    describe = Square.describe
    area = name = property(lambda self: 5)


@returns(["left"])
def a_method_of_another_class():
    return Borrowing().who()


class Prepared(type):
    @classmethod
    def __prepare__(mcs, name, bases, **kwargs):
        return {"prepared": name, "kwargs": kwargs}

    def __new__(mcs, name, bases, namespace, **kwargs):
        return super().__new__(mcs, name, bases, dict(namespace))

    def __init__(cls, name, bases, namespace, **kwargs):
        super().__init__(name, bases, namespace)


class UsesPrepared(metaclass=Prepared, option=3):
    def get(self):
        return self.prepared, self.kwargs


@returns(("UsesPrepared", {"option": 3}))
def a_metaclass_that_prepares():
    return UsesPrepared().get()


class Duck(abc.ABC):
    @classmethod
    def __subclasshook__(cls, other):
        return hasattr(other, "quack")

    @staticmethod
    @abc.abstractmethod
    def quack(): ...


class Quacks:
    @staticmethod
    def quack():
        return "quack"


@returns((True, False))
def a_subclass_hook():
    return isinstance(Quacks(), Duck), isinstance(3, Duck)


class SlotsText:
    __slots__ = "only"

    def __init__(self):
        self.only = 3


class SlotsDict:
    __slots__ = {"a": "documented", "__dict__": "more"}

    def __init__(self):
        self.a, self.b = 1, 2


class SlotsBelow(SlotsText):
    __slots__ = ()


@returns((3, 1, 2, 3, False))
def slots_of_other_kinds():
    below = SlotsBelow()
    other = SlotsDict()
    return SlotsText().only, other.a, other.b, below.only, hasattr(below, "__dict__")


@gives(lambda it: (type(it) is SlotsDict, it.a, it.b) == (True, 1, 2))
def slots_and_more_that_come_home():
    return SlotsDict()


class Again:
    version = 1

    def get(self):
        return self.version, Again.version


AgainBefore = Again


class Again:
    version = 2

    def get(self):
        return self.version, Again.version


@returns(((1, 2), (2, 2)))
def two_of_the_same_name():
    return AgainBefore().get(), Again().get()


class Lazy:
    table = {}

    def __getattribute__(self, name):
        if name == "lazy":
            return "got"
        return super().__getattribute__(name)

    def __setattr__(self, name, value):
        super().__setattr__(name, value * 2)

    def __del__(self):
        self.table["gone"] = True

    def __bool__(self):
        return False

    def __eq__(self, other):
        return NotImplemented

    __hash__ = None


@returns((4, "got", False, "TypeError"))
def attributes_that_are_intercepted():
    lazy = Lazy()
    lazy.x = 2
    try:
        hash(lazy)
    except TypeError as error:
        return lazy.x, lazy.lazy, bool(lazy), type(error).__name__


class Cooperative:
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.names = ["cooperative"]


class WithName:
    def __init__(self, name, **kwargs):
        super().__init__(**kwargs)
        self.name = name


class Together(Cooperative, WithName):
    def __init__(self):
        super().__init__(name="me")

    def nested(self):
        def inner():
            return [super(Together, self).__init__ is not None, __class__.__name__]

        return inner()


@returns((["cooperative"], "me", [True, "Together"]))
def cooperative_inheritance():
    it = Together()
    return it.names, it.name, it.nested()


class Chained:
    made = {"lambda": lambda self, x: (self, x)[1]}
    prop = property(lambda self: self._x, lambda self, x: setattr(self, "_x", x), doc="Doc.")
    fn = staticmethod(lambda x: x + 1)
    of = classmethod(lambda cls: cls.__name__)
    made_by = [i * 2 for i in range(3)]

    for i in range(2):
        locals()[f"number_{i}"] = i

    if RATE == 2:

        def chosen(self):
            return "two"

    else:

        def chosen(self):
            return "other"


@returns((5, "Doc.", 2, "Chained", [0, 2, 4], 1, "two"))
def what_a_class_body_may_do():
    it = Chained()
    it.prop = 5
    doc = Chained.prop.__doc__
    return it.prop, doc, it.fn(1), it.of(), it.made_by, it.number_1, it.chosen()


@gives(
    lambda kind: (
        (kind.__name__, kind.Inner().get(), kind.Inner.__qualname__[-5:])
        == ("Outer2", (2, "inner"), "Inner")
    )
)
def a_class_in_a_class_made_over_there():
    class Outer2:
        class Inner:
            x = 2

            def get(self):
                return self.x, "inner"

    return Outer2


@gives(lambda it: (it.number, it.total(), it == 7, isinstance(it, int)) == (7, 14, True, True))
def a_subclass_of_int_made_over_there():
    class Number(int):
        @property
        def number(self):
            return int(self)

        def total(self):
            return self + self.number

    return Number(7)
