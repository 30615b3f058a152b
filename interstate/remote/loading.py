"""Loads one module that has come from the other side, and knows its source and data."""

from __future__ import annotations

import marshal
import sys
from _frozen_importlib_external import SourceFileLoader, decode_source

from . import served
from .lean import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _frozen_importlib import ModuleSpec
    from collections.abc import Callable
    from types import CodeType, ModuleType
    from typing import Any

    Ask = Callable[..., tuple[served.Head, memoryview]]


class Loader:
    """Loads one module, and knows the source and the data that go with it."""

    def __init__(
        self,
        ask: Ask,
        name: str,
        entry: served.Entry,
        body: memoryview,
        python: tuple[Any, ...],
    ) -> None:
        self.name = name
        self._ask = ask
        self._python = python  # that it comes from
        self._kind, self.path, start, source, code = entry
        self._source = body[start : start + source]
        self._code = body[start + source : start + source + code]

    def __repr__(self) -> str:
        return f"<what {self.path or self.name} was, where the call comes from>"

    exec_module = SourceFileLoader.exec_module  # of Python's own frames, which tracebacks leave out

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        self._check()
        return None  # an ordinary one

    def is_package(self, name: str) -> bool:
        return self._kind in served.PACKAGES

    def get_filename(self, name: str) -> str:
        return self.path

    def get_source(self, name: str) -> str | None:
        source = self._content_of_source()
        return decode_source(source) if source or not self._code else None

    def get_code(self, name: str) -> CodeType:
        self._check()
        _note_lines(self)
        if self._code:
            import _imp

            code: CodeType = marshal.loads(served.unpacked(self._code))  # noqa: S302  # the user's
            _imp._fix_co_filename(code, self.path)  # type: ignore[attr-defined]
            return code
        try:
            return compile(self._content_of_source(), self.path, "exec", dont_inherit=True)
        except SyntaxError as error:
            add_note(error, _versions(self.name, self._python))
            raise

    def get_data(self, path: str) -> bytes:
        """Return the content of a file in the package's folder, by its path as it is there."""
        from .resources import content_at

        if path == self.path and self._source:
            return self._content_of_source()
        return content_at(self._ask, self.name, self.is_package(self.name), self.path, path)

    def get_resource_reader(self, name: str) -> Any:
        from .resources import Reader

        package = self.name if self.is_package(name) else self.name.rpartition(".")[0]
        return Reader(self._ask, package) if package else None

    def _content_of_source(self) -> bytes:
        return served.unpacked(self._source) if self._source else b""

    def _check(self) -> None:
        if self._kind == served.REFUSED:
            why = self._content_of_source().decode()
            raise ImportError(why, name=self.name, path=self.path)


def add_note(error: BaseException, note: str) -> None:
    """As `add_note`, which Pythons before 3.11 have not."""
    kept = vars(BaseException)["__dict__"].__get__(error)
    notes = kept.setdefault("__notes__", [])
    if isinstance(notes, list) and note not in notes:
        notes.append(note)


def _versions(name: str, python: tuple[Any, ...]) -> str:
    there, here = (".".join(map(str, version[:3])) for version in (python, sys.version_info))
    return f"The module {name!r} comes from Python {there}, and is run by Python {here} here."


# ------------------------------------------------------------------- lines, for tracebacks

_SOURCES = f"{__package__}.sources"
_unnoted: list[Loader] = []  # for when linecache is imported
_waits = False


def _note_lines(loader: Loader) -> None:
    """Let linecache have the module's lines, whatever is at that path here."""
    global _waits
    _unnoted.append(loader)
    if "linecache" in sys.modules:
        _show_all()
    elif not _waits:
        _waits = True
        from .hooks import when_imported

        when_imported("linecache", _show_all)
        when_imported(_SOURCES, _show_all)


def _show_all(_: ModuleType | None = None) -> None:
    known = sys.modules.get(_SOURCES)
    if known is not None and not hasattr(known, "show_in_linecache"):
        return  # it is just importing linecache, and we are called when it is done

    from .sources import show_in_linecache

    while _unnoted:
        loader = _unnoted.pop()
        with suppress(SyntaxError, UnicodeDecodeError):  # which importing it tells of
            source = loader.get_source(loader.name) or ""
            show_in_linecache(loader.path, (1, source.splitlines(True)))
