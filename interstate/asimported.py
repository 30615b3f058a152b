"""The sources of the user's own modules as they were when they were imported.

Python keeps no source.  So the text of a module is read when it is first seen, with an executor or
a call, and kept.  If its file was written after this process had started, it is not taken on trust:
what the text compiles to must have the code of the functions that are in the module.  If it has
not, the bytecode that Python has cached may be what was imported.
"""

from __future__ import annotations

import dis
import functools
import marshal
import os
import sys
from collections.abc import Iterable, Iterator
from importlib.machinery import SOURCE_SUFFIXES, ModuleSpec, SourceFileLoader
from importlib.util import MAGIC_NUMBER, cache_from_source
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, NamedTuple

from . import projects
from .remote import served, sources

_HEADER = 16  # bytes of a file of bytecode before the code: magic, flags, time, size; see PEP 552
_TICK = 0.1  # seconds: more than clocks may differ by
_PLAIN = (int, float, str, bytes, bool, type(None))


class Source(NamedTuple):
    """What is sent of a module.

    Attributes:
        text: Its source, packed; or nothing.
        code: Its bytecode for Pythons with our magic number, packed; or nothing.
        problem: Why there is neither, or only the latter.
        size: How much it is, unpacked.
    """

    text: bytes
    code: bytes
    problem: str = ""
    size: int = 0


class _Seen(NamedTuple):
    """A module's file when it was looked at."""

    spec: ModuleSpec  # one that is reloaded has another
    text: bytes
    cached: bytes  # what Python has cached of it, with its header
    stamp: tuple[int, int]  # the text's time in seconds, and its size: as such a header has them
    sure: bool  # whether the text is what was imported, whatever it compiles to


class AsImported:
    """The sources of the modules of this process.

    Attributes:
        count: How many modules there were at the last look.
    """

    def __init__(self) -> None:
        self.count = 0
        self._looked: set[str] = set()
        self._seen: dict[str, _Seen] = {}
        self._sources: dict[str, tuple[ModuleSpec, Source]] = {}
        self._files: dict[str, tuple[int, Source]] = {}  # of those not imported, with a hash

    def look(self) -> None:
        """Note the texts of the modules that were imported since the last look."""
        count = len(sys.modules)
        new = [name for name in list(sys.modules) if name not in self._looked]
        for name in new:
            spec = projects.imported_spec(name) if projects.may_be_own(name) else None
            if spec is not None and projects.is_own(spec) and spec.has_location:
                self._note(name, spec)
        self._looked.update(new)
        self.count = count

    def source(self, name: str, spec: ModuleSpec) -> Source:
        """Return the source of a module: as it was imported here, if it was; else from its file."""
        if spec is not projects.imported_spec(name):
            return self._source_of_file(spec)
        known = self._sources.get(name)
        if known is not None and known[0] is spec:
            return known[1]
        source = self._source_of_module(name, spec)
        if source.text or source.code:  # else it may be as it was by the next time
            self._sources[name] = spec, source
        self._seen.pop(name, None)
        return source

    def _source_of_module(self, name: str, spec: ModuleSpec) -> Source:
        seen = self._seen.get(name)
        if seen is None or seen.spec is not spec:
            seen = self._note(name, spec)
        if seen is None:
            return _from_loader(name, spec)
        return _judged(seen, sys.modules.get(name), name)

    def _source_of_file(self, spec: ModuleSpec) -> Source:
        """The source of one that is not imported here."""
        read = _read(spec.origin or "")
        if read is None:
            return _from_loader(spec.name, spec)
        text, stamp, _ = read
        known = self._files.get(spec.origin or "")
        if known is None or known[0] != hash(text):  # the stamp may be that of another text
            cached = _cached(spec.origin or "")
            source = _packed(text, cached[_HEADER:] if _is_of(cached, stamp) else b"")
            known = self._files[spec.origin or ""] = hash(text), source
        return known[1]

    def _note(self, name: str, spec: ModuleSpec) -> _Seen | None:
        read = _read(spec.origin or "")
        if read is None:
            return None
        text, stamp, sure = read
        cached = b"" if sure else _cached(spec.origin or "")
        seen = self._seen[name] = _Seen(spec, text, cached, stamp, sure)
        return seen


as_imported = AsImported()


def _read(file: str) -> tuple[bytes, tuple[int, int], bool] | None:
    """A source file's content, its stamp, and whether it is older than this process."""
    if not file.endswith(tuple(SOURCE_SUFFIXES)):
        return None
    try:
        with open(file, "rb") as opened:
            status = os.fstat(opened.fileno())
            text = opened.read()
    except OSError:  # in an archive, maybe, or removed
        return None
    written = max(status.st_mtime, status.st_ctime)  # an older file may have taken its place
    return text, (int(status.st_mtime), len(text)), written < _STARTED


def _from_loader(name: str, spec: ModuleSpec) -> Source:
    """What a loader says: of what is in archives, notebooks, …"""
    get_source: Any = getattr(spec.loader, "get_source", None)
    text = get_source(name) if get_source is not None else None
    if text is not None:
        return _packed(text.encode(), b"")
    file = spec.origin or ""
    code = b""
    if file.endswith(".pyc"):
        content = Path(file).read_bytes()
        code = content[_HEADER:] if content[:4] == MAGIC_NUMBER else b""
    problem = f"the module {name!r} cannot be sent: it is here without its source ({file})"
    return Source(b"", served.packed(code) if code else b"", problem, len(code))


def _packed(text: bytes, code: bytes) -> Source:
    packed_code = served.packed(code) if code else b""
    return Source(served.packed(text), packed_code, size=len(text) + len(code))


# ------------------------------------------------------------------------ what was imported


def _judged(seen: _Seen, module: Any, name: str) -> Source:
    """The text if it is what was imported; else the cached bytecode if that is."""
    file = seen.spec.origin or ""
    if seen.sure:
        cached = _cached(file)
        return _packed(seen.text, cached[_HEADER:] if _is_of(cached, seen.stamp) else b"")
    plain = type(seen.spec.loader) is SourceFileLoader
    living = list(_living(module, file))
    compiled = _compiled(seen.text, file)
    fits = compiled is not None and _fits(living, compiled, plain)
    if _is_of(seen.cached, seen.stamp):
        if fits:
            return _packed(seen.text, seen.cached[_HEADER:])
    elif plain and seen.cached[:4] == MAGIC_NUMBER:
        older = marshal.loads(seen.cached[_HEADER:])  # noqa: S302  # as Python itself does
        older_fits = _fits(living, older, plain)
        if older_fits and (not fits or _strays(older, module) < _strays(compiled, module)):
            return Source(b"", served.packed(seen.cached[_HEADER:]), _changed(name, file), 0)
    return _packed(seen.text, b"") if fits else Source(b"", b"", _changed(name, file))


def _changed(name: str, file: str) -> str:
    return (
        f"the module {name!r} cannot be sent: {file} was changed after it was imported; reload it "
        "where the call comes from, or start that process again"
    )


def _cached(file: str) -> bytes:
    """What Python has cached of a source file; nothing if it has not."""
    try:
        return Path(cache_from_source(file, optimization="")).read_bytes()
    except (OSError, NotImplementedError, ValueError):
        return b""


def _is_of(cached: bytes, stamp: tuple[int, int]) -> bool:
    """Whether cached bytecode is for us, and of the text with that stamp."""
    header = MAGIC_NUMBER + bytes(4)  # no flags: it goes by the time
    for number in stamp:
        header += (number & 0xFFFFFFFF).to_bytes(4, "little")
    return cached[:_HEADER] == header


def _compiled(text: bytes, file: str) -> CodeType | None:
    try:
        code: CodeType = compile(text, file, "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return None
    return code


def _fits(living: Iterable[CodeType], compiled: CodeType, plain: bool) -> bool:
    """Whether the code that lives in a module is in what a text compiles to.

    Where a loader changes what it compiles, as pytest's does, names and lines have to do.
    """
    found = sources.codes_in(compiled)
    if plain:
        return set(living) <= set(found)
    return set(map(_outline, living)) <= set(map(_outline, found))


def _outline(code: CodeType) -> tuple[str, int]:
    return code.co_qualname, code.co_firstlineno


def _living(module: Any, file: str) -> Iterator[CodeType]:
    """The code of a module's functions and methods, as far as it is from its file.

    No code of what is looked at runs for that.
    """
    values = list(_members(module).values())
    known: set[int] = set()
    for value in values:  # grows while it is walked
        if id(value) in known:
            continue
        known.add(id(value))
        kind = type(value)
        if kind is FunctionType:
            if value.__code__.co_filename == file:
                yield value.__code__
            values.append(value.__dict__.get("__wrapped__"))
        elif kind in (staticmethod, classmethod):
            values.append(value.__func__)
        elif kind is property:
            values += value.fget, value.fset, value.fdel
        elif kind is functools.cached_property:
            values.append(value.func)
        elif issubclass(kind, type) and _is_of_module(value, module):
            values += type.__getattribute__(value, "__dict__").values()


def _members(module: Any) -> dict[str, Any]:
    """What is in a module; that of a lazy one is not imported for it."""
    try:
        members = object.__getattribute__(module, "__dict__")
    except AttributeError:
        return {}
    return members if type(members) is dict else {}


def _is_of_module(kind: type, module: Any) -> bool:
    name = type.__getattribute__(kind, "__dict__").get("__module__")
    return type(name) is str and name == _members(module).get("__name__")


def _strays(compiled: CodeType | None, module: Any) -> int:
    """How many names are not in a module, or are not as constants there, that code would set."""
    if compiled is None:
        return sys.maxsize
    members, strays, last = _members(module), 0, None
    for instruction in dis.get_instructions(compiled):
        if instruction.opname == "STORE_NAME":
            value, now = last.argval if last is not None else ..., members.get(instruction.argval)
            constant = type(value) in _PLAIN
            differs = constant and (type(now) is not type(value) or now != value)
            strays += differs or instruction.argval not in members
        last = instruction if instruction.opname.startswith("LOAD_CONST") else None
    return strays


# Children that a process forks have its modules.  If nobody knows, nothing is older.
_STARTED = sources.started(0.0) - _TICK
