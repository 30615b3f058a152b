"""functools: caches, dispatch, partials"""

import functools
import operator
from functools import cached_property, lru_cache, partial, partialmethod, singledispatch

from tests.contract.asking import gives, returns

FACTOR = 10


@lru_cache(maxsize=None)
def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


@returns((55, 11, True))
def a_recursive_lru_cache():
    fibonacci.cache_clear()
    found = fibonacci(10)
    info = fibonacci.cache_info()
    return found, info.misses, info.hits > 0


@functools.cache
def cached(n):
    return n * FACTOR


@returns((30, None))
def cache():
    return cached(3), cached.cache_parameters()["maxsize"]


@lru_cache
def bare(n):
    """Bare."""
    return [n]


@returns((True, 128, "bare", "Bare.", [4]))
def lru_cache_without_arguments():
    size = bare.cache_parameters()["maxsize"]
    return bare(3) is bare(3), size, bare.__name__, bare.__doc__, bare.__wrapped__(4)


@lru_cache(maxsize=2, typed=True)
def typed(x):
    return type(x).__name__


@returns((["int", "float"], {"maxsize": 2, "typed": True}))
def lru_cache_with_types():
    return [typed(1), typed(1.0)], typed.cache_parameters()


def make_cached():
    calls = []

    @lru_cache(maxsize=8)
    def square(x):
        calls.append(x)
        return x * x

    return square, calls


local_square, local_calls = make_cached()


@returns((9, 9, [3]))
def a_local_lru_cache():
    local_calls.clear()
    local_square.cache_clear()
    return local_square(3), local_square(3), local_calls


def make_fibonacci():
    @functools.lru_cache(None)
    def fib(n):
        return n if n < 2 else fib(n - 1) + fib(n - 2)

    return fib


returns(6765, 20, name="a local recursive lru_cache")(make_fibonacci())


@returns((832040, 31))
def one_made_over_there():
    fib = make_fibonacci()
    return fib(30), fib.cache_info().misses


class Table:
    def __init__(self, n):
        self.n = n

    @lru_cache(maxsize=4)
    def row(self, x):
        return [self.n * x]

    @staticmethod
    @lru_cache
    def static(x):
        return x * 2

    @classmethod
    @lru_cache
    def of_class(cls, x):
        return cls.__name__, x


@returns(([6], True, 4, ("Table", 1)))
def cached_methods():
    table = Table(3)
    return table.row(2), table.row(2) is table.row(2), Table.static(2), Table.of_class(1)


class Circle:
    computed = 0

    def __init__(self, radius):
        self.radius = radius

    @cached_property
    def area(self):
        """The area."""
        Circle.computed += 1
        return self.radius**2 * 3


class Ball(Circle):
    @cached_property
    def area(self):
        return super().area * 4


@returns((12, 12, 1, {"radius": 2, "area": 12}, "The area."))
def a_cached_property():
    Circle.computed = 0
    circle = Circle(2)
    return circle.area, circle.area, Circle.computed, vars(circle), Circle.area.__doc__


@returns(48)
def a_cached_property_and_super():
    return Ball(2).area


returns(27, Circle(3), name="an instance with a cached property")(lambda circle: circle.area)


@gives(lambda circle: (type(circle) is Circle, circle.area) == (True, 75))
def one_that_comes_home():
    circle = Circle(5)
    circle.area
    return circle


@singledispatch
def describe(x):
    """Describe."""
    return f"object {x!r}"


@describe.register(int)
def _(x):
    return f"int {x + FACTOR}"


@describe.register
def _(x: list):
    return [describe(part) for part in x]


@describe.register(str)
@describe.register(bytes)
def describe_text(x):
    return f"text of {len(x)}"


@returns(("object 1.5", "int 11", ["int 12", "text of 1"], "text of 2", "Describe."))
def a_single_dispatch():
    return describe(1.5), describe(1), describe([2, "a"]), describe(b"ab"), describe.__doc__


@returns((True, ["Animal", "bytes", "int", "list", "object", "str"]))
def its_registry():
    names = sorted(kind.__name__ for kind in describe.registry)
    return describe.dispatch(bool) is describe.dispatch(int), names


class Animal:
    pass


class Dog(Animal):
    pass


@describe.register(Animal)
def _animal(x):
    return f"animal {type(x).__name__}"


@returns("animal Dog")
def dispatch_by_a_class_of_ones_own():
    return describe(Dog())


def make_dispatch():
    @singledispatch
    def total(x):
        return 0

    @total.register(int)
    def _(x):
        return x

    @total.register(list)
    def _(x):
        return sum(total(part) for part in x)

    return total


returns(6, [1, [2, 3], "x"], name="a local recursive single dispatch")(make_dispatch())


@returns((6, 5))
def registered_over_there():
    total = make_dispatch()

    @total.register(str)
    def _(x):
        return len(x)

    return total([1, 2, "abc"]), total("abcde")


class Formatter:
    @functools.singledispatchmethod
    def format(self, x):
        return f"object {x}"

    @format.register(int)
    def _(self, x):
        return f"int {x} {self.name}"

    @format.register
    def _(self, x: list):
        return [self.format(part) for part in x]

    @functools.singledispatchmethod
    @classmethod
    def make(cls, x):
        return cls.__name__, x

    name = "me"


@returns((["int 1 me", "object x"], ("Formatter", 3)))
def a_single_dispatch_method():
    return Formatter().format([1, "x"]), Formatter.make(3)


def power(base, exponent, *, plus=0):
    return base**exponent + plus


square = partial(power, exponent=2)
cube = partial(power, exponent=3, plus=1)
of_partial = partial(square, 4)


@returns((9, 9, 16))
def partials():
    return square(3), cube(2), of_partial()


returns(25, 5, name="a partial that is called")(square)
returns(6, [3, 2, 1], name="a partial of a builtin")(partial(functools.reduce, operator.mul))


@gives(lambda it: it(3) == 10 and type(it) is partial)
def a_partial_made_over_there():
    return partial(lambda x, y: x * y + 1, 3)


class Cell:
    def __init__(self):
        self.alive = False

    def set_state(self, state, loud=False):
        self.alive = state
        return f"{state}!" if loud else state

    set_alive = partialmethod(set_state, True)
    set_dead = partialmethod(set_state, False, loud=True)


@returns((True, "False!"))
def partial_methods():
    cell = Cell()
    return cell.set_alive(), cell.set_dead()


@returns([3, 2, 1])
def cmp_to_key():
    key = functools.cmp_to_key(lambda a, b: b - a)
    return sorted([1, 2, 3], key=key)


getters = operator.itemgetter(1), operator.attrgetter("real"), operator.methodcaller("upper")


@returns((2, 1, "A"))
def getters_of_the_operator_module():
    item, attribute, method = getters
    return item([1, 2]), attribute(1), method("a")


@returns(24)
def reduce():
    return functools.reduce(lambda x, y: x * y, [1, 2, 3, 4])
