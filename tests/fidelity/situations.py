"""Where the shapes are defined, here and over there: the columns of the table.

Both sides are on one machine, and yet one path may lead to different files: the shapes' modules
are imported from `/proc/self/cwd`, which is another directory for each process.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import textwrap
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from . import describe, shapes

REPOSITORY = Path(__file__).parents[2]
CWD = "/proc/self/cwd"

Shapes = dict[str, Callable[[], object]]


class Situation(NamedTuple):
    """A column.

    Attributes:
        title: Its head.
        about: What that means.
        module: What the shapes' module is called.
        here: Whether its file is here only, so that its lines are to be had here only.
        foreign: The ends of the names of files that are not here, or others.
    """

    title: str
    about: str
    module: str
    here: bool = False
    foreign: tuple[str, ...] = ()


SITUATIONS = {
    "same": Situation("same file", "Their module is the same file on both sides.", "same_shapes"),
    "changed": Situation(
        "file changed",
        "After their module was imported on both sides, its file was changed here: other lines are "
        "at those numbers now.",
        "changed_shapes",
        foreign=("/changed_shapes.py",),
    ),
    "absent": Situation(
        "not here",
        "Their module can be imported over there only.",
        "absent_shapes",
        foreign=("/absent_shapes.py",),
    ),
    "main": Situation(
        "`__main__`", "They are in the script that is run.", "main_shapes", here=True
    ),
    "nested": Situation(
        "in a function",
        "They and their classes are made by a function of a module that is here only.",
        "nested_shapes",
        here=True,
    ),
    "package": Situation(
        "in a package",
        "They are in a package's module, which has relative imports.",
        "package_shapes.sub.shapes",
    ),
}


# ------------------------------------------------------------------------------ the files

_IMPORT = "from ..support import"
_SUPPORT = "shapes_support"
_MAIN = "\n\nif __name__ == '__main__':\n    from tests.fidelity import child\n\n    child.main()\n"


class Place:
    """A directory with all the files, those of here and those of over there.

    Args:
        directory: An empty one, or one that has been written already.
    """

    def __init__(self, directory: Path) -> None:
        self.here = directory / "here"
        self.there = directory / "there"
        self.script = f"{CWD}/{SITUATIONS['main'].module}.py"

    def write(self) -> None:
        """Write the files."""
        flat = shapes.text().replace(_IMPORT, f"from {_SUPPORT} import")
        support = Path(__file__).with_name("support.py").read_text()
        for side in (self.here, self.there):
            package = side / "package_shapes"
            (package / "sub").mkdir(parents=True)
            for empty in (package, package / "sub"):
                (empty / "__init__.py").touch()
            (package / "sub" / "shapes.py").write_text(shapes.text())
            (package / "support.py").write_text(support)
            (side / f"{_SUPPORT}.py").write_text(support)
            (side / "same_shapes.py").write_text(flat)
            (side / "changed_shapes.py").write_text(flat)
        (self.there / "absent_shapes.py").write_text(flat)
        (self.here / "main_shapes.py").write_text(flat + _MAIN)
        nested = f"def make():\n{textwrap.indent(flat, '    ')}\n    return dict(locals())\n"
        (self.here / "nested_shapes.py").write_text(nested)

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Be here; afterwards, have imported nothing."""
        before, modules = os.getcwd(), set(sys.modules)
        os.chdir(self.here)
        sys.path.insert(0, CWD)
        try:
            yield
        finally:
            sys.path.remove(CWD)
            sys.path_importer_cache.pop(CWD, None)
            os.chdir(before)
            for name in set(sys.modules) - modules:
                if getattr(sys.modules[name], "__file__", None) is not None and (
                    str(sys.modules[name].__file__).startswith(CWD)
                ):
                    del sys.modules[name]

    def load(self, name: str, *, by_value: bool) -> tuple[Shapes, dict[str, type]]:
        """Return the shapes of a situation, and the classes that no import leads to.

        Args:
            by_value: Whether functions can be sent that are not to be imported.
        """
        module = SITUATIONS[name].module
        if name == "absent":
            reach = reaching if by_value else partial(partial, _reach)
            return {shape: reach(module, shape) for shape in shapes.titles()}, {}
        if name == "main":
            return _of(vars(sys.modules["__main__"])), {}
        namespace = vars(importlib.import_module(module))
        if name == "nested":
            namespace = namespace["make"]()
            classes = [value for value in namespace.values() if isinstance(value, type)]
            return _of(namespace), {f"{c.__module__}.{c.__qualname__}": c for c in classes}
        return _of(namespace), {}

    def change(self) -> None:
        """Change the file that is to be another one than was imported."""
        self._change("# another line\n")

    def restore(self) -> None:
        """Undo the change, for who is to import the file anew."""
        self._change("")

    def _change(self, more: str) -> None:
        file = f"{SITUATIONS['changed'].module}.py"
        text = (self.there / file).read_text()
        (self.here / file).write_text(more * text.count("\n") + text)

    def arriving(self) -> Callable[[], None]:
        """What is to be called first by each process over there."""
        there, variable, path = str(self.there), describe.THERE, [CWD, str(REPOSITORY)]

        def arrive() -> None:
            os.chdir(there)
            os.environ[variable] = "yes"
            sys.path[:0] = [entry for entry in path if entry not in sys.path]

        return arrive


def _of(namespace: dict[str, Any]) -> Shapes:
    return {name: namespace[name] for name in shapes.titles()}


def reaching(module: str, shape: str) -> Callable[[], object]:
    """A function that imports the module of a shape when it is called."""

    def reach() -> object:
        raising: Callable[[], object] = getattr(importlib.import_module(module), shape)
        return raising()

    return reach


def _reach(module: str, shape: str) -> object:
    raising: Callable[[], object] = getattr(importlib.import_module(module), shape)
    return raising()
