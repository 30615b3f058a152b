"""Imports what was shipped.  The first of our code that runs over there: it imports the rest.

The shipment is a dict: each module's name to (whether it is a package, its source, its bytecode),
and the magic number of that bytecode.  A Python with the same number need not compile.
"""

from __future__ import annotations

import marshal
import sys
from importlib.machinery import ModuleSpec
from importlib.util import MAGIC_NUMBER
from types import CodeType, ModuleType
from typing import Any

Shipment = dict[str, Any]  # {"magic": bytes, "modules": {name: (package, source, bytecode)}}


class ShippedModules:
    """Finds and loads the modules of a shipment, before those that are installed there."""

    def __init__(self, shipment: Shipment) -> None:
        self._modules: dict[str, tuple[bool, bytes, bytes]] = shipment["modules"]
        self._compiled = shipment["magic"] == MAGIC_NUMBER

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name not in self._modules:
            return None
        package = self._modules[name][0]
        spec = ModuleSpec(name, self, origin=_file_name(name, package), is_package=package)  # type: ignore[arg-type]
        spec.has_location = True
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None  # an ordinary one

    def exec_module(self, module: ModuleType) -> None:
        exec(self.get_code(module.__name__), module.__dict__)  # noqa: S102  # what a loader is for

    def get_code(self, name: str) -> CodeType:
        package, source, bytecode = self._modules[name]
        if self._compiled:
            code: CodeType = marshal.loads(bytecode)  # noqa: S302  # ours
            return code
        return compile(source, _file_name(name, package), "exec", dont_inherit=True)

    def get_source(self, name: str) -> str:
        return self._modules[name][1].decode()


def start(shipment: Shipment) -> None:
    """Make the shipped modules importable and be the agent until the input ends."""
    sys.meta_path.insert(0, ShippedModules(shipment))
    from interstate.remote import main

    main.main()


def _file_name(name: str, package: bool) -> str:
    return f"<{name.replace('.', '/')}{'/__init__' if package else ''}.py>"
