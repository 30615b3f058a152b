"""Functions that pytest has rewritten"""
# Ways: rewritten, script.

import asyncio

from tests.contract.asking import returns

LIMIT = 3


def check(x):
    assert x < LIMIT, f"{x} is too big"
    return x


@returns((2, "3 is too big"))
def an_assertion():
    try:
        check(3)
    except AssertionError as error:
        return check(2), str(error).partition("\n")[0]


@returns("AssertionError")
def an_assertion_without_a_message():
    try:
        assert [1, 2] == [1, LIMIT]
    except AssertionError as error:
        return type(error).__name__


def make(n):
    def inner(x):
        assert x > n and x != 5
        return x

    return inner


returns(4, 4, name="a closure")(make(2))


@returns([1, 2])
def asserts_in_a_nested_function():
    def inner(values):
        for value in values:
            assert value in (1, 2), value
            yield value

    return list(inner([1, 2]))


class Checked:
    def __init__(self, x):
        assert isinstance(x, int)
        self.__x = x

    @property
    def x(self):
        assert self.__x
        return self.__x

    def made(self):
        assert (found := self.x) > 0
        return found


@returns((3, 3))
def methods():
    return Checked(3).x, Checked(3).made()


async def wait(x):
    assert x
    await asyncio.sleep(0)
    return x


@returns(2)
def an_async_function():
    return asyncio.run(wait(2))


def without(x):
    return x + LIMIT


@returns(4)
def a_function_without_asserts():
    return without(1)


def test_like_a_test(values=(1, 2), *, key=lambda x: -x):
    """A test."""
    assert sorted(values, key=key) == [2, 1]
    assert all(value > 0 for value in values)
    return "passed"


@returns(("passed", "A test."))
def a_test_with_defaults():
    return test_like_a_test(), test_like_a_test.__doc__
