"""Lambdas"""
# Ways: script, function, cell.

import functools

from tests.contract.asking import returns

OFFSET = 5

returns(3, 2, name="a lambda")(lambda x: x + 1)

# fmt: off
first, second = lambda x: x + 1, lambda x: x + 2
third = lambda x: (lambda y: x * y)(x + 1); fourth = lambda x: x - 1
same, alike = lambda: 0, lambda: 0
several = lambda a, b: (
    a
    + b
    + OFFSET
)
wrapped = (lambda text:
           text.upper()  # in upper case
           + "!")
broken = lambda x: \
    x * 3
# fmt: on


@returns((11, 12))
def two_on_one_line():
    return first(10), second(10)


@returns((6, 1))
def two_statements_on_one_line():
    return third(2), fourth(2)


@returns((0, 0))
def two_that_are_equal():
    return same(), alike()


@returns(8)
def over_several_lines():
    return several(1, 2)


@returns("ABC!")
def a_comment_within():
    return wrapped("abc")


@returns(9)
def a_line_that_is_continued():
    return broken(3)


def by_default(values, key=lambda x: -x, *, also=lambda x: x * 2):
    return [also(x) for x in sorted(values, key=key)]


@returns([6, 4, 2], [1, 2, 3])
def in_default_arguments(values):
    return by_default(values)


def mapping(before, after=None):
    def decorate(fn):
        @functools.wraps(fn)
        def call(x):
            return after(fn(before(x)))

        return call

    return decorate


@mapping(lambda x: x + 1, after=lambda x: (x, "after"))
def decorated(x):
    return x * 10


@returns((20, "after"))
def in_the_arguments_of_a_decorator():
    return decorated(1)


HANDLERS = {
    "double": lambda x: x * 2,
    "square": lambda x: x**2,
    "both": lambda x: (HANDLERS["double"](x), HANDLERS["square"](x)),
}


@returns((6, 9))
def in_a_dict():
    return HANDLERS["both"](3)


ADDERS = [lambda x, n=n: x + n for n in range(4)]
NESTED = [lambda: [(lambda y: y + n)(1) for n in range(3)] for _ in range(1)]


@returns([10, 11, 12, 13])
def in_a_comprehension():
    return [add(10) for add in ADDERS]


@returns([1, 2, 3])
def in_a_comprehension_in_a_lambda():
    return NESTED[0]()


compose = lambda f, g: lambda x: f(g(x))
composed = compose(lambda x: x + 1, lambda x: x * 2)


@returns(7)
def one_that_returns_another():
    return composed(3)


returns(17, name="one that returned another")(lambda: composed(8))

fixpoint = lambda f: (lambda x: x(x))(lambda x: f(lambda n: x(x)(n)))


@returns(120)
def recursion_by_lambdas():
    return fixpoint(lambda again: lambda n: 1 if n < 2 else n * again(n - 1))(5)


conditional = (lambda x: "big") if OFFSET > 3 else (lambda x: "small")


@returns("big")
def one_of_two_in_an_expression():
    return conditional(1)


class Holder:
    key = lambda self: self.value + OFFSET
    table = {"a": lambda self: ("a", self.value)}

    def __init__(self, value):
        self.value = value


@returns((8, ("a", 3)))
def in_a_class():
    holder = Holder(3)
    return holder.key(), holder.table["a"](holder)


@returns([3, 2, 1], [1, 2, 3])
def one_made_over_there(values):
    return sorted(values, key=lambda x: -x)


@returns((1, (2, 3), {"c": 4}, 5))
def all_kinds_of_parameters():
    return every(1, 2, 3, k=5, c=4)


every = lambda a, *args, k, **kwargs: (a, args, kwargs, k)

in_a_string = f"{(lambda x: x * 2)(4)}"
strings = lambda x: f"{(lambda y: y + 1)(x)!r:>4}"


@returns(("8", "   3"))
def in_an_f_string():
    return in_a_string, strings(2)


@returns([4])
def one_that_yields():
    return list(generating(4))


generating = lambda n: (yield n)

unpacked = (*(lambda x: x + i for i in (1,)), lambda x: x - 1)


@returns((3, 1))
def in_a_generator_and_beside_it():
    return unpacked[0](2), unpacked[1](2)


def chained():
    return (
        sorted([3, 1, 2], key=lambda x: x)
        + sorted([3, 1, 2], key=lambda x: -x)
        + list(map(lambda x: x * 10, filter(lambda x: x > 1, [1, 2, 3])))
    )


@returns([1, 2, 3, 3, 2, 1, 20, 30])
def several_in_one_expression():
    return chained()
