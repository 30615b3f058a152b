"""Doing something to a module as soon as somebody has imported it, and not before."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

    Task = Callable[[ModuleType], object]


def when_imported(name: str, task: Task) -> None:
    """Call `task` with a module of Python's, or of ours: now if it is imported, else then."""
    module = sys.modules.get(name)
    if module is not None:
        task(module)
    else:
        sys.meta_path.insert(0, _Waiting(name, task))


class _Waiting:
    """A finder that lets the others find one module, and is gone when it has."""

    def __init__(self, name: str, task: Task) -> None:
        self._name = name
        self._task = task

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name != self._name:
            return None
        sys.meta_path.remove(self)
        for finder in sys.meta_path:
            spec: Any = finder.find_spec(name, path, target)
            if spec is not None:
                spec.loader = _Loader(spec.loader, self._task)
                return spec
        return None


class _Loader:
    """Loads as another does, and then does the task."""

    def __init__(self, loader: Any, task: Task) -> None:
        self._loader = loader
        self._task = task

    def create_module(self, spec: Any) -> Any:
        return self._loader.create_module(spec)

    def exec_module(self, module: Any) -> None:
        module.__loader__ = module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        self._task(module)
