"""Imports in a worker: the user's own modules come from the other side, before what is installed.

Modules at the top are found on `sys.meta_path`; what is in them by a hook for `sys.path`, since the
`__path__` of a package from the other side has an entry that only we know.  So what is installed
here of a namespace package is found as well, and `pkgutil` lists what there is.

A worker asks its agent, by door.py.
"""

from __future__ import annotations

import sys
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import MAGIC_NUMBER, PathFinder

from . import served
from .door import Door
from .elsewhere import find_spec as elsewhere
from .lean import suppress
from .loading import Loader, add_note

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType
    from typing import Any

    from .lean import socket
    from .loading import Ask

PREFIX = "interstate:"  # of our entries in a `__path__`
_LONGEST = 1000  # characters of a name
_INSTALLED = "site-packages", "dist-packages"


class Imports:
    """Finds modules that are not installed here, or not as they are on the other side.

    Args:
        ask: As Door.ask.
        forget: As Door.forget.

    Attributes:
        absent: By name, what is known of top-level modules that are neither here nor there.
    """

    def __init__(self, ask: Ask, forget: Callable[..., object]) -> None:
        self._ask = ask
        self.absent: dict[str, dict[str, Any]] = {}
        self._python: tuple[Any, ...] = ()  # that modules come from
        self._forget = forget
        self._modules: dict[str, tuple[served.Entry, memoryview]] = {}
        self._installed: set[str] = {"interstate", "cloudpickle"}  # there: not the user's own

    def install(self) -> None:
        """Have Python ask us, after what is built in and before what is installed."""
        known = PathFinder in sys.meta_path
        where = sys.meta_path.index(PathFinder) if known else len(sys.meta_path)
        sys.meta_path.insert(where, self)
        sys.path_hooks.insert(0, self._folder)

    # ------------------------------------------------------------------------------ finding

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Find a module that is not in a package."""
        if "." in name:
            return elsewhere(name)
        if path is not None or _is_python_s(name):
            return None
        if name in self._modules:
            return self._spec_of(name, self._found_here(name))
        here = self._found_here(name)
        if here is not None and name in self._installed:
            return here
        if not name.isidentifier() or len(name) > _LONGEST or (here and _is_in_python(here.origin)):
            return here
        head, body = self._ask_for(name, here is not None)
        if head[0] == served.MODULES:
            self._take(head, body)
            return self._spec_of(name, here)
        if head[0] == served.PATH:
            _add_to_path(head[1])
            return self._found_here(name)
        if here is None:
            self.absent[name] = head[1]
        return here

    def find_within(self, name: str) -> ModuleSpec | None:
        """Find a module of a package that has come from the other side."""
        if name not in self._modules and name.rpartition(".")[2].isidentifier():
            head, body = self._ask_for(name, False)
            if head[0] == served.MODULES:
                self._take(head, body)
        return self._spec_of(name) if name in self._modules else None

    def submodules(self, package: str) -> list[tuple[str, bool]]:
        """The names of modules in a package, and whether each is a package itself."""
        head, _ = self._ask(served.SUBMODULES, package)
        return list(head[1]) if head[0] == served.NAMES else []

    def find_distributions(self, context: Any = None) -> Iterator[Any]:
        """The user's own project, if `importlib.metadata` asks for it by its name."""
        name = getattr(context, "name", None)
        if name:
            head, _ = self._ask(served.METADATA, name)
            if head[0] == served.TEXTS:
                from .resources import distribution

                yield distribution(head[1])

    def _ask_for(self, name: str, here: bool) -> tuple[served.Head, memoryview]:
        try:
            head, body = self._ask(*_question(name, here))
        except OSError as obstacle:
            what = f"cannot ask for the module {name!r}: {obstacle}"
            raise ImportError(what, name=name) from None
        if head[0] == served.ERROR:
            raise ImportError(head[1], name=name)
        return head, body

    def _take(self, head: served.Head, body: memoryview) -> None:
        _, entries, installed, self._python = head
        for name, entry in entries.items():
            self._modules.setdefault(name, (entry, body))
        self._installed.update(installed)

    def _found_here(self, name: str) -> ModuleSpec | None:
        """What those find that come after us."""
        for finder in sys.meta_path[sys.meta_path.index(self) + 1 :]:
            find = getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = find(name, None, None) if find is not None else None
            if spec is not None:
                return spec
        return None

    def _spec_of(self, name: str, here: ModuleSpec | None = None) -> ModuleSpec | None:
        """The spec of a module from the other side.

        Args:
            here: That of what is installed here by that name.
        """
        entry, body = self._modules[name]
        kind, file = entry[:2]
        portions: list[str] = []
        loader: Loader | None = Loader(self._ask, name, entry, body, self._python)
        if kind == served.NAMESPACE:
            if here is not None and here.submodule_search_locations is None:
                return here  # whatever has code hides folders of its name
            if here is not None and here.origin is not None:
                return here
            portions = list(here.submodule_search_locations or ()) if here is not None else []
            loader = None if self._is_shared(name) else loader  # Python puts it together
        package = kind in served.PACKAGES
        spec = ModuleSpec(name, loader, origin=file or None, is_package=package)  # type: ignore[arg-type]
        spec.has_location = bool(file)
        if package:
            spec.submodule_search_locations = [PREFIX + name, *portions]
        return spec

    def _is_shared(self, name: str) -> bool:
        """Whether other folders than ours may have a part of a namespace within another."""
        parent = sys.modules.get(name.rpartition(".")[0])
        return any(not entry.startswith(PREFIX) for entry in getattr(parent, "__path__", ()))

    def _folder(self, path: str) -> _Folder:
        if not path.startswith(PREFIX):
            raise ImportError("not one of ours")
        return _Folder(self, path[len(PREFIX) :])

    # ------------------------------------------------------------------------------ errors

    def explain(self, error: BaseException) -> None:
        """Say in an exception, and those that it leads to, what is to be done about a module."""
        if not self.absent:
            return
        from .absent import missing_in, note_for

        for name, missing in list(missing_in(error)):
            top = name.partition(".")[0]
            facts = self.absent.pop(top, None)
            if facts is not None:
                add_note(missing, note_for(top, facts))
                with suppress(OSError):  # the call has closed what is not its own
                    self._forget(*_question(top, False))


class _Folder:
    """The entry in `sys.path_importer_cache` for our entry in a package's `__path__`."""

    def __init__(self, imports: Imports, package: str) -> None:
        self._imports = imports
        self._package = package

    def find_spec(self, name: str, target: Any = None) -> ModuleSpec | None:
        return self._imports.find_within(name)

    def iter_modules(self, prefix: str = "") -> Iterator[tuple[str, bool]]:
        for name, package in self._imports.submodules(self._package):
            yield prefix + name, package

    def invalidate_caches(self) -> None:
        """There are none."""


# ------------------------------------------------------------------------- for the worker

_imports: Imports | None = None


def install(door: socket.socket) -> None:
    """Have this worker ask its agent for modules."""
    global _imports
    asking = Door(door)
    _imports = Imports(asking.ask, asking.forget)
    _imports.install()
    if sys.version_info < (3, 10):
        from .resources import mend

        mend()


def explain(error: BaseException) -> None:
    """Say in an exception that leaves a call what is to be done about a module that is missing."""
    if _imports is not None:
        _imports.explain(error)


def _question(name: str, here: bool) -> tuple[str, ...]:
    return served.MODULE, name, "1" if here else "", MAGIC_NUMBER.hex()


def _is_python_s(name: str) -> bool:
    """Whether a module is of the standard library, here or in other kinds of Python.

    What that imports by a statement is not the user's: it looks for modules of other systems.
    """
    if name in getattr(sys, "stdlib_module_names", ()):
        return True
    frame = _importing()
    if frame is None or not _is_in_python(frame.f_code.co_filename):
        return False
    from opcode import opmap

    return frame.f_code.co_code[frame.f_lasti] == opmap["IMPORT_NAME"]


def _importing() -> FrameType | None:
    """The frame of who imports."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        frame = frame.f_back
        if frame is not None and not frame.f_code.co_filename.startswith("<frozen importlib"):
            return frame
    return None


def _is_in_python(file: str | None) -> bool:
    """Whether a file is in the standard library's folder."""
    import os

    home = os.path.dirname(os.__file__) + os.sep
    return (file or "").startswith(home) and not any(part in (file or "") for part in _INSTALLED)


def _add_to_path(folders: list[str]) -> None:
    """Look into these folders, before others where something is installed."""
    from .libraries import use

    use([folder for folder in folders if folder not in sys.path])
    for finder in list(sys.path_importer_cache.values()):
        invalidate: Any = getattr(finder, "invalidate_caches", None)
        if invalidate is not None:
            invalidate()
