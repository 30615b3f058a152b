"""Results made over there, used here"""

import functools

from tests.contract.asking import gives

SCALE = 3


@gives(lambda fn: fn(2) == 7 and fn.__name__ == "made")
def a_function():
    def made(x):
        return x * SCALE + 1

    return made


@gives(lambda fn: fn(2) == 12)
def a_lambda():
    k = 6
    return lambda x: x * k


@gives(lambda pair: (pair[0](), pair[0](), pair[1]()) == (1, 2, 2))
def closures_that_share_a_variable():
    count = 0

    def increment():
        nonlocal count
        count += 1
        return count

    return increment, lambda: count


@gives(lambda fn: fn(6) == 720)
def a_recursive_function():
    def factorial(n):
        return 1 if n < 2 else n * factorial(n - 1)

    return factorial


def global_one(x):
    return x + SCALE


@gives(lambda fn: fn(1) == 4)
def a_global_function():
    return global_one


@gives(lambda fns: [fn(10) for fn in fns] == [10, 11, 12])
def several_of_one_line():
    return [lambda x, n=n: x + n for n in range(3)]


@gives(lambda fn: list(fn(3)) == [0, 1, 2])
def a_generator_function():
    def count(n):
        yield from range(n)

    return count


def _run(fn):
    import asyncio

    return asyncio.run(fn(2))


@gives(lambda fn: _run(fn) == 4)
def an_async_function():
    async def double(x):
        return x * 2

    return double


@gives(lambda fn: fn(1, b=2) == (1, 2, 5, {}) and fn(1, c=9, d=8) == (1, 4, 9, {"d": 8}))
def defaults():
    def made(a, b=4, *, c=5, **more):
        return a, b, c, more

    return made


@gives(lambda fn: (fn(3), fn.__wrapped__(3), fn.__doc__) == (["x", 6], 6, "Doc."))
def a_decorated_function():
    def decorate(fn):
        @functools.wraps(fn)
        def call(*args):
            return ["x", fn(*args)]

        return call

    @decorate
    def made(x):
        """Doc."""
        return x * 2

    return made


@gives(lambda kind: kind(2).double() == 4 and kind.make().x == 9)
def a_class():
    class Made:
        def __init__(self, x):
            self.x = x

        def double(self):
            return self.x * 2

        @classmethod
        def make(cls):
            return cls(9)

    return Made


@gives(lambda it: (it.x, it(), type(it).__name__) == (5, 6, "Made"))
def an_instance():
    class Made:
        __slots__ = ("x",)

        def __init__(self):
            self.x = 5

        def __call__(self):
            return self.x + 1

    return Made()


@gives(lambda method: method(1) == 8)
def a_bound_method():
    class Made:
        base = 7

        def add(self, x):
            return self.base + x

    return Made().add


@gives(lambda pair: pair[1](pair[0]) is True)
def a_class_and_a_function_of_it():
    class Made:
        pass

    return Made(), lambda it: isinstance(it, Made)


@gives(lambda fn: fn(10) == 55 and fn.cache_info().misses == 11)
def a_cached_function():
    @functools.lru_cache(None)
    def fibonacci(n):
        return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)

    return fibonacci


@gives(lambda text: "count * 2" in text)
def its_source_here():
    import inspect

    def made(count):
        return count * 2

    return inspect.getsource(made)


def _source(fn):
    import inspect

    return inspect.getsource(fn).strip()


@gives(lambda fn: _source(fn) == "def made(count):\n" + " " * (fn.indent) + "    return count * 3")
def its_source_when_it_is_here():
    def made(count):
        return count * 3

    import inspect

    first = inspect.getsource(made)
    made.indent = len(first) - len(first.lstrip())
    return made


@gives(lambda error: error.args == ("returned",) and isinstance(error, ValueError))
def an_exception_as_a_result():
    class Made(ValueError):
        pass

    return Made("returned")


@gives(lambda them: them == {"a": [1, (2, {3})], "b": frozenset({4}), "c": bytearray(b"x")})
def containers():
    return {"a": [1, (2, {3})], "b": frozenset({4}), "c": bytearray(b"x")}


@gives(lambda it: it["self"] is it and it["list"][0] is it["list"])
def rings():
    ring = {"list": []}
    ring["self"] = ring
    ring["list"].append(ring["list"])
    return ring
