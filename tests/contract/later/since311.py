"""Syntax of Python 3.11"""

import enum

from tests.contract.asking import gives, raises, returns


def sort_out(*errors):
    found = []
    try:
        raise ExceptionGroup("several", errors)
    except* ValueError as group:
        found.append(f"{len(group.exceptions)} values")
    except* (KeyError, IndexError) as group:
        found.append(f"{len(group.exceptions)} lookups")
    return found


@returns(["2 values", "1 lookups"], since=(3, 11))
def an_except_star():
    return sort_out(ValueError(1), KeyError(2), ValueError(3))


def right(group):
    inner = group.exceptions[1]
    return (
        type(group) is ExceptionGroup
        and [type(error) for error in group.exceptions] == [ValueError, Own]
        and inner.derive([KeyError()]).message == "derived"
        and inner.exceptions[0].args == ("k",)
    )


class Own(ExceptionGroup):
    def derive(self, errors):
        return Own("derived", errors)


@gives(right, since=(3, 11))
def groups():
    try:
        raise ExceptionGroup("several", [ValueError(1), Own("own", [KeyError("k")])])
    except ExceptionGroup as error:
        return error


def noted():
    error = KeyError("noted")
    if hasattr(error, "add_note"):
        error.add_note("a note")
    raise error


raises(KeyError, "noted", also=lambda e: getattr(e, "__notes__", ["a note"]) == ["a note"])(noted)


class Level(enum.StrEnum):
    LOW = enum.auto()
    HIGH = "high!"

    def loud(self):
        return self.upper()


@returns(("low", "HIGH!", True), since=(3, 11))
def a_str_enum():
    return str(Level.LOW), Level.HIGH.loud(), Level("low") is Level.LOW


class Boundary(enum.Flag, boundary=enum.KEEP):
    A = 1
    B = 2


@returns((1, 9), since=(3, 11))
def a_flag_with_a_boundary():
    return Boundary.A.value, Boundary(9).value


class Members(enum.Enum):
    @enum.member
    def called(x):
        return x + 1

    @enum.nonmember
    class Inner:
        pass

    A = 1


@returns((["called", "A"], 3), since=(3, 11))
def members_that_are_functions():
    return [m.name for m in Members], Members.called.value(2)


class Verified(enum.Enum):
    A = 1

    @enum.property
    def twice(self):
        return self.value * 2


@returns(2, since=(3, 11))
def a_property_of_an_enum():
    return Verified.A.twice


@returns((1, [2, 3]), since=(3, 11))
def a_star_in_an_index():
    table = {(1, 2): 1}
    rest = (1, 2)
    return table[*rest], [2, 3]


async def comprehensions():
    return [[x async for x in numbers(n)] for n in range(2)]


async def numbers(n):
    for i in range(n):
        yield i


@returns([[], [0]], since=(3, 11))
def an_async_comprehension_in_another():
    import asyncio

    return asyncio.run(comprehensions())
