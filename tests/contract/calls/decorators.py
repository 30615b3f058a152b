"""Decorated functions"""

import contextlib
import functools

from tests.contract.asking import returns


def logged(fn):
    """Note that it was called."""

    @functools.wraps(fn)
    def call(*args, **kwargs):
        return ["called", fn.__name__, fn(*args, **kwargs)]

    return call


@logged
def add(a, b=1):
    """Add."""
    return a + b


@returns(["called", "add", 3])
def one_decorator():
    return add(1, b=2)


@returns(("add", "Add.", 2))
def what_wraps_keeps():
    return add.__name__, add.__doc__, add.__wrapped__(1)


def repeated(times, *, key=str):
    def decorate(fn):
        @functools.wraps(fn)
        def call(*args):
            return [key(fn(*args)) for _ in range(times)]

        return call

    return decorate


@repeated(2)
@repeated(times=1, key=lambda x: x + 1)
@logged
def stacked(x):
    return x


def tolerant(fn):
    def call(*args):
        return fn(*args)

    return call


@returns(["3", "3"])
def decorators_with_arguments():
    @repeated(2, key=str)
    def inner(x):
        return x

    return inner(3)


@repeated(
    3,
    key=lambda x: x
    * 2,
)  # fmt: skip
def over_several_lines(x):
    return x + 1


@returns([4, 4, 4])
def a_decorator_over_several_lines():
    return over_several_lines(1)


@tolerant
@repeated(2)
@tolerant
@repeated(1, key=lambda x: x * 10)
def four(x):
    return x + 1


@returns(["[30]", "[30]"])
def four_decorators():
    return four(2)


class Counting:
    """A decorator that is a class."""

    def __init__(self, fn):
        functools.update_wrapper(self, fn)
        self.fn = fn
        self.calls = 0

    def __call__(self, *args):
        self.calls += 1
        return self.fn(*args), self.calls

    def __get__(self, instance, owner):
        return functools.partial(self, instance)


@Counting
def counted(x):
    return x * 2


@returns(((2, 1), (4, 2), "counted"))
def a_decorator_that_is_a_class():
    counted.calls = 0
    return counted(1), counted(2), counted.__name__


class With:
    @Counting
    def method(self, x):
        return x + 1

    @logged
    def noted(self, x):
        return x

    @property
    @logged
    def prop(self):
        return "p"

    @classmethod
    @repeated(2)
    def several(cls):
        return cls.__name__

    @staticmethod
    @repeated(1)
    def static(x):
        return x


@returns((3, ["called", "noted", 5], ["called", "prop", "p"], ["With", "With"], ["1"]))
def decorated_methods():
    it = With()
    return it.method(2)[0], it.noted(5), it.prop, it.several(), it.static(1)


def adding(**attributes):
    def decorate(kind):
        for name, value in attributes.items():
            setattr(kind, name, value)
        return kind

    return decorate


@adding(color="red", shout=lambda self: self.name.upper())
class Decorated:
    name = "me"


@returns(("red", "ME"))
def a_class_decorator():
    return Decorated.color, Decorated().shout()


def deriving(kind):
    class Derived(kind):
        def name(self):
            return "derived " + super().name()

    Derived.__name__ = kind.__name__
    return Derived


@deriving
class Replaced:
    def name(self):
        return "replaced"


@returns(("derived replaced", "Replaced"))
def a_class_decorator_that_replaces():
    return Replaced().name(), Replaced.__name__


@functools.total_ordering
class Ordered:
    def __init__(self, n):
        self.n = n

    def __eq__(self, other):
        return self.n == other.n

    def __lt__(self, other):
        return self.n < other.n


@returns((True, True, False))
def total_ordering():
    return Ordered(1) <= Ordered(2), Ordered(2) >= Ordered(2), Ordered(1) > Ordered(2)


def registry():
    known = {}

    def register(name):
        def decorate(fn):
            known[name] = fn
            return fn

        return decorate

    return known, register


KNOWN, register = registry()


@register("double")
def double(x):
    return x * 2


@register("triple")
def triple(x):
    return x * 3


@returns({"double": 4, "triple": 6})
def a_registry():
    return {name: fn(2) for name, fn in KNOWN.items()}


@returns(True)
def a_registry_has_the_same_functions():
    return KNOWN["double"] is double


@contextlib.contextmanager
def tagged(name):
    yield f"<{name}>"


def in_a_context():
    return "within"


@returns(("within", "<a>"))
def a_context_manager_as_a_decorator():
    with tagged("a") as tag:
        return tagged("outer")(in_a_context)(), tag


@functools.wraps(add.__wrapped__)
def dressed():
    return "dressed"


@returns(("dressed", "add"))
def a_function_with_anothers_name():
    return dressed(), dressed.__name__


def optional(fn=None, *, loud=False):
    if fn is None:
        return functools.partial(optional, loud=loud)

    @functools.wraps(fn)
    def call(*args):
        found = fn(*args)
        return found.upper() if loud else found

    return call


@optional
def quiet():
    return "text"


@optional(loud=True)
def loud():
    return "text"


@returns(("text", "TEXT"))
def a_decorator_with_and_without_arguments():
    return quiet(), loud()
