"""Functions that are compiled alone are those of their file: tried with the standard library's.

They are as many kinds as there are, and their files can be compiled by the Pythons over there.
"""

from __future__ import annotations

import ast
import asyncio.tasks
import collections
import dataclasses
import enum
import gc
import linecache
import platform
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import CodeType, ModuleType
from typing import Any

import pytest

from interstate import Host, SSHExecutor
from interstate.remote import compiling

from . import pythons

PATIENCE = 60.0
MODULES = (asyncio.tasks, collections, dataclasses, enum)
CO_OPTIMIZED, CO_NEWLOCALS = 1, 2

Parts = list[tuple[Any, Any]]  # segments and recipes


def functions_in(code: CodeType) -> list[CodeType]:
    """The code of each function that has a text of its own."""
    found = [code]
    for part in found:  # which grows
        found += [constant for constant in part.co_consts if isinstance(constant, CodeType)]
    wanted = CO_OPTIMIZED | CO_NEWLOCALS
    named = [part for part in found if part.co_flags & wanted == wanted]
    return [part for part in named if part.co_name == "<lambda>" or part.co_name[0] != "<"]


def taken_apart(module: ModuleType) -> tuple[str, str, Parts]:
    """A module's path and text, and its functions."""
    path = module.__file__
    assert path is not None
    lines = linecache.getlines(path)
    text = "".join(lines)
    functions = compiling.Functions(ast.parse(text))
    parts = []
    for code in functions_in(compile(text, path, "exec", dont_inherit=True)):
        made = [
            (segment, tuple(recipe))
            for segment, recipe in functions.candidates(code, (1, lines))
            if compiling.compiled(segment, recipe).replace(co_flags=code.co_flags) == code
        ]
        assert made, f"{code.co_qualname} of {path} is not found"
        parts.append(made[0])
    return path, text, parts


def comparing() -> Callable[[str, str, Parts], tuple[int, list[str]]]:
    """A function that says how many are compared over there, and which differ from their file's.

    It goes by value: this module needs what is not over there.
    """

    def differing(path: str, text: str, parts: Parts) -> tuple[int, list[str]]:
        from types import CodeType

        from interstate.remote import compiling

        try:
            found = [compile(text, path, "exec", dont_inherit=True)]
        except SyntaxError:  # it is newer
            return 0, []
        for part in found:  # which grows
            found += [constant for constant in part.co_consts if isinstance(constant, CodeType)]
        wrong = []
        for segment, recipe in parts:
            code = compiling.compiled(segment, compiling.Recipe(*recipe))
            if not any(
                code.replace(co_flags=other.co_flags) == other
                and (
                    not hasattr(code, "co_positions")
                    or [*code.co_positions()] == [*other.co_positions()]
                )
                for other in found
                if (other.co_name, other.co_firstlineno) == (code.co_name, code.co_firstlineno)
            ):
                wrong.append(f"{path}: {recipe[2]}")
        return len(parts), wrong

    return differing


@pytest.fixture(scope="module")
def library() -> list[tuple[str, str, Parts]]:
    """The modules, taken apart here."""
    return [taken_apart(module) for module in MODULES]


@pytest.mark.parametrize("version", pythons.HOSTS)
def test_each_function_is_compiled_alone_as_it_is_in_its_file(
    version: str, library: list[tuple[str, str, Parts]], loopback_host: Host
) -> None:
    python = pythons.find(version)
    if python is None:
        pytest.skip(pythons.why_not(version))
    with SSHExecutor(loopback_host, python=python, workers_per_host=1) as executor:
        assert executor.submit(platform.python_version).result(PATIENCE).startswith(version)
        futures = [executor.submit(comparing(), *module) for module in library]
        results = [future.result(PATIENCE) for future in futures]
    assert [wrong for _, wrong in results] == [[]] * len(MODULES)
    assert sum(count for count, _ in results) > 200


class Untidy:
    """Garbage whose end runs Python code, in the midst of whatever is being made."""

    def __init__(self) -> None:
        self.me = self

    def __del__(self) -> None:
        for _ in range(50):
            pass


def test_functions_are_compiled_in_several_threads_at_once(
    library: list[tuple[str, str, Parts]],
) -> None:
    """Python 3.11 counts how deep a tree is for all threads together, and says that it errs."""
    _, _, parts = library[-1]
    before, interval = gc.get_threshold(), sys.getswitchinterval()

    def compile_all() -> None:
        for segment, recipe in parts:
            _ = [Untidy() for _ in range(10)]
            compiling.compiled(segment, compiling.Recipe(*recipe))

    gc.set_threshold(50, 2, 2)
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as threads:
            for future in [threads.submit(compile_all) for _ in range(8)]:
                future.result(PATIENCE)
    finally:
        gc.set_threshold(*before)
        sys.setswitchinterval(interval)
