"""Odd ones"""
# Ways: script.

import contextvars
import functools
import logging
import types
from math import sqrt
from operator import add as plus

from tests.contract.asking import gives, returns

log = logging.getLogger("contract")
variable = contextvars.ContextVar("contract", default=5)


@returns(("contract", 3.0, 3))
def loggers_and_functions_of_c():
    log.debug("nothing")
    return log.name, sqrt(9), plus(1, 2)


@returns(5)
def a_context_variable():
    return variable.get()


def replaced():
    return "old"


def replacing():
    return "new"


replaced.__code__ = replacing.__code__


@returns("new")
def a_function_with_the_code_of_another():
    return replaced()


def changed(a, b=1, *, c=2):
    return a, b, c


changed.__defaults__ = (7,)
changed.__kwdefaults__ = {"c": 8}
changed.__name__ = changed.__qualname__ = "renamed"
changed.__doc__ = "Changed."
changed.__module__ = "elsewhere"


@returns(((1, 7, 8), "renamed", "Changed.", "elsewhere"))
def a_function_that_was_changed():
    return changed(1), changed.__name__, changed.__doc__, changed.__module__


def base(x):
    return x + offset


offset = 1
made = types.FunctionType(base.__code__, {"offset": 100, "__builtins__": __builtins__}, "made")


@returns((2, 101))
def a_function_with_other_globals():
    return base(1), made(1)


def uses_globals():
    return globals()["offset"], "base" in globals(), offset


@returns((1, True, 1))
def the_dict_of_globals():
    base
    return uses_globals() if base else None


def names_of_the_module():
    return __name__, __doc__ is None or isinstance(__doc__, str)


@gives(lambda found: found[0] in ("__main__", "contract_odd") and found[1] is True)
def the_name_of_the_module():
    return names_of_the_module()


counter = 0


def count():
    global counter
    counter += 1
    return counter


@returns([1, 2, 3])
def a_global_that_lasts_through_a_call():
    return [count() for _ in range(3)]


def optimized(x):
    if False:
        return undefined_name
    if __debug__:
        x += 1
    while 0:
        pass
    return x if 1 else y


@returns(2)
def code_that_the_compiler_leaves_out():
    return optimized(1)


def with_dead_yield():
    return [1]
    yield


@returns([])
def a_generator_by_a_yield_never_reached():
    return list(with_dead_yield())


def constants():
    return (
        -1,
        1 << 10,
        "a" * 3,
        (1, 2) + (3,),
        {1, 2} == {2, 1},
        not True,
        1 in (1, 2),
        b"ab",
        "ab",
        1.0,
        -0.0,
        1e400,
        3 + 4j,
        10**20,
    )


@returns(
    (-1, 1024, "aaa", (1, 2, 3), True, False, True, b"ab", "ab", 1.0, -0.0, float("inf"), 3 + 4j)
    + (10**20,)
)
def constants_that_are_folded():
    return constants()


def equal_constants():
    return [type(x).__name__ for x in (1, 1.0, True, 0, 0.0, False, "1", b"1")]


@returns(["int", "float", "bool", "int", "float", "bool", "str", "bytes"])
def constants_that_are_equal():
    return equal_constants()


def many_arguments(a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, *, k0=0, k1=1, k2=2, **more):
    return a0 + a9 + k2 + len(more)


@returns(12)
def many_parameters():
    return many_arguments(*range(10), x=1)


def deep(n):
    return (lambda a: (lambda b: (lambda c: (lambda d: a + b + c + d + n)(4))(3))(2))(1)


@returns(15)
def lambdas_in_lambdas():
    return deep(5)


def levels(a):
    def one(b):
        def two(c):
            def three(d):
                nonlocal a, c
                a += 1
                c += 1
                return a, b, c, d

            return three(c), (a, c)

        return two(b + 1), a

    return one(a + 1)


@returns((((2, 2, 4, 3), (2, 4)), 2))
def four_levels():
    return levels(1)


class Registry:
    def __init__(self):
        self.fns = []

    def __call__(self, fn):
        self.fns.append(fn)
        return fn

    def run(self, x):
        return [fn(x) for fn in self.fns]


registry = Registry()


@registry
def first(x):
    return x + 1


@registry
def second(x):
    return first(x) * 2


@returns([3, 6])
def functions_in_an_object():
    return registry.run(2)


def self_reference(n):
    return self_reference.calls.append(n) or len(self_reference.calls)


self_reference.calls = []


@returns((1, 2))
def a_function_with_attributes_of_its_own():
    self_reference.calls.clear()
    return self_reference(1), self_reference(2)


def wrapper(fn):
    @functools.wraps(fn)
    def inner(*args, __fn=fn, __cache={}, **kwargs):
        if args not in __cache:
            __cache[args] = __fn(*args, **kwargs)
        return __cache[args]

    return inner


@wrapper
def memoized(n):
    return n if n < 2 else memoized(n - 1) + memoized(n - 2)


@returns(354224848179261915075)
def memoized_by_a_default():
    return memoized(100)


def make_pair():
    def ping(n):
        return ["ping", *pong(n - 1)] if n else []

    def pong(n):
        return ["pong", *ping(n - 1)] if n else []

    return ping, pong


ping, pong = make_pair()


@returns((["ping", "pong", "ping"], ["pong", "ping"]))
def a_pair_that_calls_each_other():
    return ping(3), pong(2)


def make_shared():
    state = {"n": 0}

    class Handle:
        def inc(self):
            state["n"] += 1
            return self

        def get(self):
            return state["n"]

    return Handle, lambda: state["n"]


Handle, look = make_shared()


@returns((2, 2))
def a_class_and_a_function_that_share():
    state = Handle().inc().inc()
    return state.get(), look()


def string_of_code():
    return """
def not_a_function():
    return 1
lambda x: x
"""


@returns("\ndef not_a_function():\n    return 1\nlambda x: x\n")
def code_in_a_string():
    return string_of_code()


def after_a_string(): return "'''"; "def x(): pass"  # fmt: skip


@returns("'''")
def on_one_line():
    return after_a_string()


class OneLine: x = 1; get = lambda self: self.x  # fmt: skip


@returns(1)
def a_class_on_one_line():
    return OneLine().get()


@returns((1, 2, 3))
def unicode_identifiers():
    ﬁ, 𝔘, ª = 1, 2, 3
    return fi, U, a


def normalised(ﬁrst, *, ﬂag=1):
    return [first_ for first_ in (first_of(ﬁrst),)], flag


def first_of(x):
    return x


@returns(([3], 1))
def identifiers_that_are_normalised():
    return normalised(3)
