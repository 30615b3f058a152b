"""Functions are compiled from their own text alone, and come out as they were."""

from __future__ import annotations

import ast
import contextlib
import importlib
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

from interstate.remote.compiling import Functions, Recipe, compiled, parsed

MODULES = (
    *("argparse", "ast", "asyncio.base_events", "asyncio.tasks", "collections", "configparser"),
    *("contextlib", "dataclasses", "_pydecimal", "difflib", "email.message", "enum", "functools"),
    *(
        "fractions",
        "http.client",
        "inspect",
        "json.decoder",
        "logging",
        "textwrap",
        "pdb",
        "pickle",
    ),
    *("shutil", "statistics", "subprocess", "tarfile", "threading", "unittest.case", "weakref"),
)
NEWLOCALS = 2  # the flag of functions, which the code of a class has not


def codes_in(code: CodeType) -> Iterator[CodeType]:
    for part in code.co_consts:
        if isinstance(part, CodeType):
            yield part
            yield from codes_in(part)


def functions_in(code: CodeType) -> list[CodeType]:
    def is_function(part: CodeType) -> bool:
        return part.co_name == "<lambda>" or not part.co_name.startswith("<")

    return [c for c in codes_in(code) if c.co_flags & NEWLOCALS and is_function(c)]


def anew(code: CodeType, functions: Functions, lines: list[str]) -> list[CodeType]:
    """What comes of each text that the code may be made of."""
    made = []
    for segment, recipe in functions.candidates(code, (1, lines)):
        with contextlib.suppress(ValueError):  # it is another one in the same line
            made.append(compiled(segment, recipe).replace(co_flags=code.co_flags))
    return made


def check(text: str, file: str = "there.py") -> None:
    """Every function of a module comes out as it was, with its positions and its name."""
    lines = text.splitlines(keepends=True)
    functions = Functions(ast.parse(text))
    found = functions_in(compile(text, file, "exec", dont_inherit=True))
    assert found
    for code in found:
        made = anew(code, functions, lines)
        assert code in made, code
        assert made[made.index(code)].co_qualname == code.co_qualname
        assert made[made.index(code)].co_filename == file


@pytest.mark.parametrize("name", MODULES)
def test_every_function_of_a_module_comes_out_as_it_was(name: str) -> None:
    origin: Any = importlib.import_module(name).__file__
    check(Path(origin).read_text(encoding="utf-8"), origin)


@pytest.mark.parametrize(
    "text",
    [
        "a, b = lambda x: x + 1, lambda x: x + 1\n",
        "f = lambda: lambda: 1\n",
        "f = (lambda x=(lambda: 1), *, y=lambda: 2: x() + y(),)[0]\n",
        "f = sorted([],\n    key=lambda v: (\n  v,\n v),  # why\n)\n",
        "class C:\n\tdef f(self):\n\t\treturn self.__x, super().f\n",
        "class C:\n    class D(int):\n        def f(self):\n            return lambda: self.__x\n",
        "def f(a, /, b: int = 1, *c, d: 'x' = 2, **e) -> 3:\n    'doc'\n    return a\n",
        "@g(lambda: 1)\n@h\ndef f():\n    return f\n",
        "def f():\n    x = 1\n    def g():\n        nonlocal x\n        return g\n    return g\n",
        "def f():\n    '''one\ntwo\n'''\n    return '''\nthree'''\n",
        "def é(ü='ß'):  # ö\n    return lambda ä: (ü, ä), 'ß', lambda: 1\n",
        "from __future__ import annotations\ndef f():\n    def g(x: y): ...\n    return g\n",
        "import os\ndef f(): return os.getcwd(), [os.path for os in ()]; x = 1\n",
        "async def f():\n    async with a as b:\n        return [x async for x in b]\n",
        "if 1:\n  if 2:\n    def f(x):\n      for _ in x:\n        yield _\n",
        "def f():\n    def g():\n        class C:\n            def m(self): 'f.<locals>.x'\n",
        "def f():\n    while True:\n        return 1\n        print('never')\n",
        "def f():\r\n    return 1\r\n",
    ],
)
def test_shapes_of_text(text: str) -> None:
    check(text)


def test_what_is_within_a_function_that_came_is_found_in_its_text() -> None:
    text = "import os\n\ndef outer(n):\n    def inner(): return n, os.sep\n    return inner\n"
    lines = text.splitlines(keepends=True)
    (outer, inner) = functions_in(compile(text, "there.py", "exec"))
    [(segment, recipe)] = Functions(ast.parse(text)).candidates(outer, (1, lines))
    within = Functions(parsed(segment, recipe), recipe)
    [(inner_segment, inner_recipe)] = within.candidates(inner, segment)
    assert compiled(inner_segment, inner_recipe).replace(co_flags=inner.co_flags) == inner


def test_free_variables_that_do_not_fit_are_refused() -> None:
    recipe = Recipe("there.py", "f", "f", ("x", "y"), (), 0, "", 0, 18)
    with pytest.raises(ValueError, match="free variables"):
        compiled((1, ["def f(): return x\n"]), recipe)


def test_text_that_is_no_function_is_refused() -> None:
    recipe = Recipe("there.py", "f", "f", (), (), 0, "", 0, 5)
    with pytest.raises(ValueError, match="no function"):
        compiled((1, ["x = 1\n"]), recipe)
