"""Puts modules of the user's together that are likely to be imported together.

In the bundle of a package is all that is imported of it here, and what else of it is on the disk,
up to a limit; and likewise what these modules mention of the user's other ones.
"""

from __future__ import annotations

import itertools
import os
import re
import sys
from collections.abc import Iterator
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ModuleSpec,
)

from . import projects
from .asimported import Source, as_imported
from .remote import served

_MOST_IMPORTED = 1 << 25  # bytes of source and bytecode of what is imported here
_MOST_ON_DISK = 1 << 22  # with those of what is not
_MOST_FILES = 2000  # that are looked at on the disk for one bundle
_MOST_NAMES = 10_000  # of one folder: there may be any number of data files
_MENTION = re.compile(rb"^[ \t]*(?:from[ \t]+(\w+)|import[ \t]+([\w., \t]+))", re.MULTILINE)


class Bundle:
    """The modules that answer a question for one.

    Args:
        name: The one that is asked for; it is one of the user's.
        spec: Its spec.
        with_code: Whether the host's Python takes our bytecode.

    Attributes:
        entries: By name.
        pieces: The body, in pieces.
        tops: The names of modules at the top that are in it with all that is likely to be needed.
    """

    def __init__(self, name: str, spec: ModuleSpec, with_code: bool) -> None:
        self.entries: dict[str, served.Entry] = {}
        self.pieces: list[bytes] = []
        self.tops: list[str] = []
        self._with_code = with_code
        self._at = 0  # where the next piece comes
        self._size = 0  # unpacked
        self._files = 0
        self._mentioned: list[str] = []
        self._add(name, spec)
        self._add_below(name)
        if self.entries[name][0] != served.REFUSED:
            self._add_mentioned(name.partition(".")[0])

    def answer(self, also: list[bytes]) -> bytes:
        """Return it as an answer, to other questions as well."""
        installed = tuple(sorted(_installed_here()))
        head = (served.MODULES, self.entries, installed, tuple(sys.version_info[:3]))
        return served.answer(head, b"".join(self.pieces), also=also)

    def _add_mentioned(self, top: str) -> None:
        """Add the user's other modules that are mentioned, and those that these mention."""
        known = {top}
        for mentioned in self._mentioned:  # grows while it is walked
            if mentioned in known or not projects.may_be_own(mentioned):
                continue
            known.add(mentioned)
            spec = projects.imported_spec(mentioned) or projects.find_file(mentioned)
            if spec is not None and spec.origin is not None and projects.is_own(spec):
                self._add(mentioned, spec)
                self._add_below(mentioned)
                self.tops.append(mentioned)

    def _add_below(self, package: str) -> None:
        """Add the modules of a package: first what is imported, then what is on the disk."""
        for name in sorted(sys.modules):
            if name.startswith(f"{package}.") and self._size < _MOST_IMPORTED:
                spec = projects.imported_spec(name)
                if spec is not None and projects.is_name(name) and projects.is_own(spec):
                    self._add(name, spec)
        folders = [(package, path) for path in projects.search_path(package) or ()]
        for name, folder in folders:  # grows while it is walked
            if projects.is_own_path(os.path.join(folder, "_")):
                folders += self._add_folder(name, folder)

    def _add_folder(self, package: str, folder: str) -> Iterator[tuple[str, str]]:
        """Add the modules in a folder; yield the packages in it with their folders."""
        for name in sorted(names_in(folder)):
            self._files += 1
            if self._size > _MOST_ON_DISK or self._files > _MOST_FILES:
                return
            whole = f"{package}.{name}"
            spec = projects.on_path(whole, [folder])
            if spec is None or (spec.origin is None and not _has_modules(spec)):
                continue
            self._add(whole, spec)
            if spec.submodule_search_locations is not None:
                yield whole, os.path.join(folder, name)

    def _add(self, name: str, spec: ModuleSpec) -> None:
        if name in self.entries:
            return
        file = spec.origin or ""
        if spec.origin is None and spec.submodule_search_locations is not None:
            self._put(name, served.NAMESPACE, "")
        elif file.endswith(tuple(EXTENSION_SUFFIXES)):
            self._put(name, served.REFUSED, file, _extension(name, file).encode())
        else:
            package = spec.submodule_search_locations is not None
            kind = served.PACKAGE if package else served.PLAIN
            self._add_source(name, kind, file, as_imported.source(name, spec))

    def _add_source(self, name: str, kind: str, file: str, source: Source) -> None:
        code = source.code if self._with_code else b""
        if source.text or code:
            self._put(name, kind, file, source.text, code, packed=True)
            self._size += source.size
            if source.text:
                self._note_mentions(source)
        else:
            problem = source.problem
            if source.code:
                version = ".".join(map(str, sys.version_info[:2]))
                problem += f" (there is bytecode, which no Python but {version} can run)"
            self._put(name, served.REFUSED, file, problem.encode())

    def _put(
        self,
        name: str,
        kind: str,
        file: str,
        text: bytes = b"",
        code: bytes = b"",
        packed: bool = False,
    ) -> None:
        text = text if packed or not text else served.packed(text)
        self.entries[name] = kind, file, self._at, len(text), len(code)
        self.pieces += text, code
        self._at += len(text) + len(code)

    def _note_mentions(self, source: Source) -> None:
        for one, several in _MENTION.findall(served.unpacked(source.text)):
            for each in (one, *several.split(b",")):
                name = each.split(b".")[0].split()
                self._mentioned += [part.decode(errors="replace") for part in name[:1]]


def names_in(folder: str) -> set[str]:
    """The names that modules and packages in a folder can have."""
    suffixes = (*SOURCE_SUFFIXES, *EXTENSION_SUFFIXES, *BYTECODE_SUFFIXES)
    found = set()
    try:
        with os.scandir(folder) as entries:
            for entry in itertools.islice(entries, _MOST_NAMES):
                ends = [suffix for suffix in suffixes if entry.name.endswith(suffix)]
                name = entry.name[: -max(map(len, ends))] if ends else entry.name
                usable = name.isidentifier() and name not in ("__pycache__", "__init__")
                if usable and (ends or entry.is_dir()):
                    found.add(name)
    except OSError:  # it is in an archive, or there is none
        return set()
    return found


def _has_modules(spec: ModuleSpec) -> bool:
    """Whether a folder without `__init__.py` is more than a folder of data."""
    return any(map(names_in, projects.listed(spec.submodule_search_locations)))


def _extension(name: str, file: str) -> str:
    return (
        f"the module {name!r} cannot be sent: it is an extension module ({file}), built for this "
        "computer; install it on the host"
    )


def _installed_here() -> Iterator[str]:
    """The names of modules at the top that are imported here and installed, not the user's."""
    for name in list(sys.modules):
        if "." not in name and projects.may_be_own(name):
            spec = projects.imported_spec(name)
            if spec is not None and spec.origin is not None and not projects.is_own(spec):
                yield name
