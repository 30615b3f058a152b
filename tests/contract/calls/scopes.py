"""Scopes and statements"""

import contextlib

from tests.contract.asking import returns

total = 0
names = []


def add(n):
    global total
    total += n
    return total


@returns((2, 5, 5))
def a_global_statement():
    global total
    total = 0
    return add(2), add(3), total


@returns(["a", "b"])
def a_global_list_that_is_changed():
    names.clear()
    names.append("a")
    names.append("b")
    return names


def new_global():
    global made_here
    made_here = "made"
    return read_global()


def read_global():
    return made_here


@returns("made")
def a_global_that_is_made_over_there():
    return new_global()


def nested_nonlocal():
    x = 1

    def outer():
        nonlocal x

        def inner():
            nonlocal x
            x += 10
            return x

        x += 1
        return inner()

    return outer(), x


@returns((12, 12))
def nonlocal_in_two_levels():
    return nested_nonlocal()


@returns([1, 4])
def a_walrus():
    return [y for x in (1, 2) if (y := x * x)]


def walrus_of_the_function():
    found = [last := x for x in range(4)]
    return found, last


@returns(([0, 1, 2, 3], 3))
def a_walrus_that_leaves_a_comprehension():
    return walrus_of_the_function()


@returns(["body", "else", "finally"])
def try_else_finally():
    found = []
    try:
        found.append("body")
    except ValueError:
        found.append("except")
    else:
        found.append("else")
    finally:
        found.append("finally")
    return found


def returning_from_finally():
    for i in range(5):
        try:
            if i == 2:
                return i
        finally:
            names.append(i)
    return None


@returns((2, [0, 1, 2]))
def a_return_through_finally():
    names.clear()
    return returning_from_finally(), names


@returns("KeyError: 'x'")
def an_except_with_a_name():
    try:
        {}["x"]
    except (KeyError, IndexError) as error:
        return f"{type(error).__name__}: {error}"


@contextlib.contextmanager
def noting(found, what):
    found.append(f"enter {what}")
    try:
        yield what
    finally:
        found.append(f"leave {what}")


@returns(["enter a", "enter b", "a b", "leave b", "leave a"])
def with_statements():
    found = []
    with noting(found, "a") as a, noting(found, "b") as b:
        found.append(f"{a} {b}")
    return found


class Suppressing:
    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        self.kind = kind
        return True


@returns("ZeroDivisionError")
def a_context_manager_of_a_class():
    with Suppressing() as suppressing:
        1 / 0
    return suppressing.kind.__name__


@returns((1, [2, 3], 4))
def unpacking():
    a, *b, c = 1, 2, 3, 4
    return a, b, c


@returns(([1, 2, 3, 4], {"a": 1, "b": 2}))
def unpacking_in_displays():
    return [*range(1, 3), *[3, 4]], {**{"a": 1}, **{"b": 2}}


@returns("found 3")
def a_loop_with_else():
    for i in range(5):
        if i == 3:
            break
    else:
        return "not found"
    while True:
        return f"found {i}"


@returns((["b"], {"c": 3}))
def del_statements():
    values, table = ["a", "b"], {"c": 3, "d": 4}
    del values[0], table["d"]
    return values, table


@returns("assert x > 1, 'too small'")
def an_assertion_that_fails():
    x = 1
    try:
        assert x > 1, "assert x > 1, 'too small'"
    except AssertionError as error:
        return str(error).partition("\n")[0]


@returns((3, "3.14", "    3", "'a'", "x=3", "{}"))
def f_strings():
    x, width = 3, 5
    return x, f"{3.14159:.2f}", f"{x:{width}}", f"{'a'!r}", f"{x=}", f"{{}}"


@returns("a-b c\nd", top=True)
def strings_over_several_lines():
    return (
        "a-"
        f"""b c
d"""
    )


@returns((True, [0, 1, 2]))
def chained_comparisons_and_slices():
    values = list(range(6))
    return 1 < len(values) <= 6, values[:3]


@returns((0x1F, 1_000_000, 1.5e3, 2j, b"\x00\xff", ..., None))
def constants_of_all_kinds():
    return 0x1F, 1_000_000, 1.5e3, 2j, b"\x00\xff", ..., None


@returns([True, True, False])
def sets_that_are_constants():
    return [x in {1, 2, 3} for x in (1, 2, 4)]


@returns(30)
def a_conditional_import():
    import math as m
    from os.path import join as j

    return m.floor(30.5) if j("a", "b") == "a/b" else 0


import collections.abc
import os.path
import xml.etree.ElementTree as tree


@returns(("b", True, "<a />"))
def submodules():
    name = os.path.basename("/a/b")
    return name, isinstance([], collections.abc.Sequence), tree.tostring(tree.Element("a")).decode()


@returns(("here", "there"))
def printing_to_a_file():
    import io

    file = io.StringIO()
    print("here", "there", sep=",", end="", file=file)
    return tuple(file.getvalue().split(","))


@returns(21)
def exec_and_eval():
    namespace = {}
    exec("def double(x): return x * 2", namespace)
    return eval("double(10) + 1", namespace)


@returns({"a": 1, "b": 2})
def locals_of_a_function():
    a, b = 1, 2
    return dict(locals()) if a < b else None


def many_lines(x):
    """A function of so many lines that jumps need more than a byte."""
    found = []
    for i in range(3):
        if i == 0:
            found.append(x + 1)
            found.append(x + 2)
            found.append(x + 3)
            found.append(x + 4)
            found.append(x + 5)
            found.append(x + 6)
        elif i == 1:
            found.append(x * 1)
            found.append(x * 2)
            found.append(x * 3)
            found.append(x * 4)
            found.append(x * 5)
            found.append(x * 6)
        else:
            found.append(x - 1)
            found.append(x - 2)
            found.append(x - 3)
            found.append(x - 4)
            found.append(x - 5)
            found.append(x - 6)
    return sum(found)


@returns(330)
def a_long_function():
    return many_lines(10)
