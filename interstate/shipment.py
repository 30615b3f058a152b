"""Packs what an agent is made of: the modules of remote/, and cloudpickle."""

from __future__ import annotations

import functools
import marshal
import struct
import threading
import zlib
from collections.abc import Iterator
from importlib.machinery import SourceFileLoader
from importlib.util import MAGIC_NUMBER, find_spec
from pathlib import Path
from types import CodeType
from typing import Any, NamedTuple

from . import __all__ as _public
from . import errors
from .remote import wire

_PACKAGE = b"""# what `import interstate` gives to a job
_HOMES = {"CurrentCall": "current", "current_call": "current", "Environ": "environ",
          "File": "files",
          "InterstateError": "errors", "PythonVersionError": "errors",
          "RemoteError": "errors", "slices": "environ"}
def __getattr__(name):
    if name in _HOMES:
        home = __import__("interstate.remote." + _HOMES[name], fromlist=["*"])
        return getattr(home, name)
    if name not in _PUBLIC:
        raise AttributeError("module 'interstate' has no attribute %r" % name)
    from interstate.remote.elsewhere import stand_in
    return globals().setdefault(name, stand_in(name, _PUBLIC[name]))
"""
_ALONE = "attach", "depot", "probe"  # modules that are sent when they are needed
_building = threading.Lock()


class _Module(NamedTuple):
    package: bool  # whether it is one
    source: bytes
    bytecode: bytes


def shipment() -> bytes:
    """Return what the agent is made of, after its length in ten digits; made but once."""
    with _building:
        return _build_shipment()


def packed_errand(door: bytes, errand: tuple[int, int], patience: float) -> bytes:
    """What is sent in place of a shipment to bring an agent a channel."""
    content = {
        "door": door,
        "errand": wire.ERRAND.pack(*errand),
        "channel": b"" if errand[0] == wire.DISMISSED else struct.pack("2i", 0, 1),
        "patience": patience,
        "gone": wire.encode(wire.GONE, 0),
    }
    return packed_program("attach", "attach", content)


def packed_program(name: str, function: str, errand: dict[str, Any]) -> bytes:
    """What is sent in place of a shipment to run one module of remote/ alone.

    Args:
        name: The module's.
        function: Which of its functions to call.
        errand: Its argument: a dict that can be marshalled.
    """
    program = {"loader": _alone(name, function), "magic": MAGIC_NUMBER, **errand}
    packed = zlib.compress(marshal.dumps(program, 2))
    return b"%010d" % len(packed) + packed


@functools.cache
def _alone(name: str, function: str) -> tuple[bytes, bytes]:
    """The source and bytecode of a module that ends by calling one of its functions."""
    source = Path(wire.__file__).with_name(f"{name}.py").read_bytes()
    source += f"\n{function}(shipment)".encode()
    return source, _dumped(source, f"<interstate/remote/{name}.py>")


@functools.cache
def _build_shipment() -> bytes:
    """Pack the agent's modules, and then once more what it will not need at once.

    In it are, by name, "loader": its source and bytecode; "magic": of all bytecode; "now": modules
    by name, whether a package and bytecode; "names": of other modules; "later": these, packed;
    "ask": what a Python with another magic number writes, to have the sources.
    """
    ours, later = _modules()
    loader = ours.pop(f"{__package__}.remote.loader").source + b"\nstart(shipment)"
    return _with_length(
        {
            "loader": (loader, _dumped(loader, "<interstate/remote/loader.py>")),
            "magic": MAGIC_NUMBER,
            "now": _bytecodes(ours),
            "names": tuple(later),
            "later": _packed(_bytecodes(later)),
            "ask": wire.encode(wire.SOURCES, 0),
        }
    )


@functools.cache
def sources() -> bytes:
    """Return the sources of what is in the shipment, after their length in ten digits."""
    ours, later = _modules()
    return _with_length({name: module.source for name, module in (ours | later).items()})


def _modules() -> tuple[dict[str, _Module], dict[str, _Module]]:
    """The modules of an agent, and those of cloudpickle."""
    ours = dict(_modules_of(f"{__package__}.remote"))
    package = _PACKAGE + b"_PUBLIC = " + repr({n: hasattr(errors, n) for n in _public}).encode()
    ours[f"{__package__}"] = _Module(True, package, _dumped(package, "<interstate>"))
    for name in _ALONE:
        del ours[f"{__package__}.remote.{name}"]
    return ours, dict(_modules_of("cloudpickle"))


def _with_length(content: dict[str, Any]) -> bytes:
    packed = _packed(content)
    return b"%010d" % len(packed) + packed


def _bytecodes(modules: dict[str, _Module]) -> dict[str, tuple[bool, bytes]]:
    return {name: (module.package, module.bytecode) for name, module in modules.items()}


def _packed(content: dict[str, Any]) -> bytes:
    return zlib.compress(marshal.dumps(content, 2), 3)  # more would delay the first result


def _modules_of(package: str) -> Iterator[tuple[str, _Module]]:
    """Every module in the folder of a package, by name."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ImportError(f"the sources of {package} are not where it was imported from")
    for path in sorted(Path(spec.origin).parent.glob("*.py")):
        is_package = path.name == "__init__.py"
        name = package if is_package else f"{package}.{path.stem}"
        yield name, _Module(is_package, path.read_bytes(), _bytecode(name, path, is_package))


def _dumped(source: bytes, file_name: str) -> bytes:
    return marshal.dumps(compile(source, file_name, "exec", dont_inherit=True))


def _bytecode(name: str, path: Path, is_package: bool) -> bytes:
    """The module's bytecode, from the cache where there is one; its file name says what it is."""
    code = SourceFileLoader(name, str(path)).get_code(name)
    file_name = f"<{name.replace('.', '/')}{'/__init__' if is_package else ''}.py>"
    return marshal.dumps(_renamed(code, file_name))


def _renamed(code: Any, file_name: str) -> Any:
    """A code object, and those within it, as if they came from a file of another name."""
    if not isinstance(code, CodeType):
        return code
    constants = tuple(_renamed(constant, file_name) for constant in code.co_consts)
    return code.replace(co_filename=file_name, co_consts=constants)
