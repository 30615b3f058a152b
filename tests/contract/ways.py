"""How the code of a group comes to be here.

All of it goes by value: as `__main__`'s does, or since its module is registered for that.
"""

from __future__ import annotations

import ast
import contextlib
import linecache
import sys
import textwrap
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cloudpickle  # type: ignore[import-untyped]
from _pytest.assertion.rewrite import rewrite_asserts

from .asking import Call, collected

_SHOWN = ("<ipython", "/nowhere/")  # files that never were
_FUTURE = "from __future__ import annotations\n"


class Way(NamedTuple):
    """A way.

    Attributes:
        about: What it is, to be read after "their code is".
        run: Makes the code of a file, and runs it in a module.
        main: Whether that is `__main__`.
        within: Whether all names are those of a function.
    """

    about: str
    run: Callable[[Path, types.ModuleType], None]
    main: bool = True
    within: bool = False


def _script(path: Path, module: types.ModuleType) -> None:
    _run(path.read_text(), str(path), module)


def _cell(path: Path, module: types.ModuleType) -> None:
    """As IPython does it, and Python's own prompt since 3.13."""
    text = path.read_text()
    file = f"<ipython-input-1-{path.stem}>"
    linecache.cache[file] = len(text), None, text.splitlines(keepends=True), file
    _run(text, file, module)


def _kernel(path: Path, module: types.ModuleType) -> None:
    """As a notebook's kernel does it: a file that never was."""
    text = path.read_text()
    file = f"/nowhere/ipykernel_1/{path.stem}.py"
    linecache.cache[file] = len(text), None, text.splitlines(keepends=True), file
    _run(text, file, module)


def _function(path: Path, module: types.ModuleType) -> None:
    """All is local to a function, in a file of its own."""
    text = path.read_text()
    head = _FUTURE if _FUTURE in text else ""
    body = textwrap.indent(text.replace(_FUTURE, ""), "    ")
    file = f"/nowhere/within_{path.name}"
    whole = f"{head}def make():\n{body}\n\nmake()\n"
    linecache.cache[file] = len(whole), None, whole.splitlines(keepends=True), file
    _run(whole, file, module)


def _rewritten(path: Path, module: types.ModuleType) -> None:
    """As pytest imports a test's module."""
    source = path.read_bytes()
    tree = ast.parse(source)
    rewrite_asserts(tree, source, str(path))
    exec(compile(tree, str(path), "exec", dont_inherit=True), vars(module))


def _run(text: str, file: str, module: types.ModuleType) -> None:
    exec(compile(text, file, "exec", dont_inherit=True), vars(module))


WAYS = {
    "script": Way("in the script that is run", _script),
    "module": Way("in a module that goes by value", _script, main=False),
    "function": Way("within a function", _function, within=True),
    "cell": Way("in a cell of IPython", _cell),
    "kernel": Way("in a cell of a notebook's kernel", _kernel),
    "rewritten": Way("in a module that pytest has rewritten", _rewritten, main=False),
}


@contextlib.contextmanager
def loaded(path: Path, way: Way) -> Iterator[list[Call]]:
    """The calls of a file, whose module is there for as long as a with-statement lasts."""
    name = "__main__" if way.main else f"contract_{path.stem}"
    module = types.ModuleType(name)
    module.__file__ = str(path)
    before = sys.modules.get(name)
    sys.modules[name] = module
    if not way.main:
        cloudpickle.register_pickle_by_value(module)
    try:
        way.run(path, module)
        yield [call for call in collected() if not (call.top and way.within)]
    finally:
        _forget(name, module, before, by_value=not way.main)


def _forget(name: str, module: Any, before: Any, *, by_value: bool) -> None:
    if by_value:
        cloudpickle.unregister_pickle_by_value(module)
    if before is None:
        del sys.modules[name]
    else:
        sys.modules[name] = before
    for file in [file for file in linecache.cache if file.startswith(_SHOWN)]:
        del linecache.cache[file]
