"""Imports what was shipped.  The first of our code that runs over there: it imports the rest.

The shipment is a dict.  What an agent needs at once is in it as bytecode; that of what it may need
later is packed once more, and unpacked when first asked for.  A Python with another bytecode asks
for the sources, and compiles these.

This imports nothing but what Python has imported when it starts, and zlib.
"""

from __future__ import annotations

import io
import marshal
import os
import sys
import zlib
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import MAGIC_NUMBER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, ModuleType
    from typing import Any

    Shipment = dict[str, Any]  # as boot.py describes it


class ShippedModules:
    """Finds and loads the modules of a shipment, before those that are installed there."""

    def __init__(self, shipment: Shipment) -> None:
        self._shipment = shipment
        self._modules: dict[str, tuple[bool, bytes]] = shipment["now"]
        self._later: frozenset[str] = frozenset(shipment["names"])  # of what is packed
        self._sources: dict[str, bytes] = {}
        if shipment["magic"] != MAGIC_NUMBER:
            self._sources = _ask_for_sources(shipment["ask"])

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name in self._later:
            self._later = frozenset()
            self._modules.update(_unpack(self._shipment["later"]))
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
        package, bytecode = self._modules[name]
        if not self._sources:
            code: CodeType = marshal.loads(bytecode)  # noqa: S302  # ours
            return code
        text = self._sources[name]
        return compile(text, _file_name(name, package), "exec", dont_inherit=True)

    def get_source(self, name: str) -> str | None:
        source = self._sources.get(name)
        return None if source is None else source.decode()


def start(shipment: Shipment) -> None:
    """Make the shipped modules importable and be the agent until the input ends."""
    sys.meta_path.insert(0, ShippedModules(shipment))
    from interstate.remote import main

    main.main()


def _ask_for_sources(question: bytes) -> dict[str, bytes]:
    """Write a question, and read what comes: its length in ten digits, and it."""
    os.write(1, question)
    read = io.BufferedReader(io.FileIO(0, "rb", closefd=False), 1).read
    return _unpack(read(int(read(10))))


def _unpack(packed: bytes) -> dict[str, Any]:
    content: dict[str, Any] = marshal.loads(zlib.decompress(packed))  # noqa: S302  # ours
    return content


def _file_name(name: str, package: bool) -> str:
    return f"<{name.replace('.', '/')}{'/__init__' if package else ''}.py>"
