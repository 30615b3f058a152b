"""Data files of the user's own packages, as `importlib.resources` and `pkgutil` want them.

They stay where the call comes from; what is read here is asked for.
"""

from __future__ import annotations

import io
import os
import sys

from . import served
from .hooks import when_imported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.metadata import Distribution
    from types import ModuleType
    from typing import IO, Any

    from .loading import Ask


class Reader:
    """What `get_resource_reader` returns for a package."""

    def __init__(self, ask: Ask, package: str) -> None:
        self._ask = ask
        self._package = package

    def files(self) -> Resource:
        return Resource(self._ask, self._package, ())

    def open_resource(self, resource: str) -> io.BytesIO:
        return io.BytesIO(self.files().joinpath(resource).read_bytes())

    def resource_path(self, resource: str) -> str:
        raise FileNotFoundError(resource)  # it is in no file here: who asks copies it into one

    def is_resource(self, path: str) -> bool:
        return self.files().joinpath(path).is_file()

    def contents(self) -> Iterator[str]:
        return (resource.name for resource in self.files().iterdir())


class Resource:
    """A file or folder in a package: a Traversable."""

    def __init__(self, ask: Ask, package: str, parts: tuple[str, ...]) -> None:
        self._ask = ask
        self._package = package
        self._parts = parts

    def __repr__(self) -> str:
        return f"<{'/'.join((self._package, *self._parts))}, where the call comes from>"

    def __str__(self) -> str:
        return "/".join((self._package, *self._parts))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Resource) and str(other) == str(self)

    def __hash__(self) -> int:
        return hash(str(self))

    @property
    def name(self) -> str:
        return self._parts[-1] if self._parts else self._package.rpartition(".")[2]

    @property
    def suffix(self) -> str:
        return os.path.splitext(self.name)[1]

    @property
    def stem(self) -> str:
        return os.path.splitext(self.name)[0]

    @property
    def parent(self) -> Resource:
        return Resource(self._ask, self._package, self._parts[:-1])

    def joinpath(self, *descendants: Any) -> Resource:
        parts = [part for path in descendants for part in os.fspath(path).split("/")]
        kept = (part for part in parts if part not in ("", "."))
        return Resource(self._ask, self._package, (*self._parts, *kept))

    def __truediv__(self, child: Any) -> Resource:
        return self.joinpath(child)

    def iterdir(self) -> Iterator[Resource]:
        names = self._names()
        if names is None:
            raise NotADirectoryError(str(self))
        return (Resource(self._ask, self._package, (*self._parts, name)) for name, _ in names)

    def is_dir(self) -> bool:
        return not self._parts or self._is_folder() is True

    def is_file(self) -> bool:
        return bool(self._parts) and self._is_folder() is False

    def exists(self) -> bool:
        return not self._parts or self._is_folder() is not None

    def read_bytes(self) -> bytes:
        head, body = self._ask(served.DATA, self._package, *self._parts)
        if head[0] == served.CONTENT:
            return bytes(body)
        if head[0] == served.ABSENT:
            raise FileNotFoundError(2, "No such file, where the call comes from", str(self))
        raise OSError(head[1])

    def read_text(self, encoding: str | None = None, errors: str = "strict") -> str:
        with self.open(encoding=encoding, errors=errors) as file:
            text: str = file.read()
            return text

    def open(
        self,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> IO[Any]:
        if mode not in ("r", "rb", "rt"):
            raise ValueError(f"it can be read only, and not opened as {mode!r}")
        content = io.BytesIO(self.read_bytes())
        if mode == "rb":
            return content
        return io.TextIOWrapper(content, encoding or "utf-8", errors, newline)

    def _names(self) -> list[tuple[str, bool]] | None:
        """What is in it, and whether each is a folder; None: it is none."""
        head, _ = self._ask(served.FOLDER, self._package, *self._parts)
        if head[0] == served.ERROR:
            raise OSError(head[1])
        return head[1] if head[0] == served.NAMES else None

    def _is_folder(self) -> bool | None:
        """None: it is not there."""
        return dict(self.parent._names() or ()).get(self.name)


def content_at(ask: Ask, module: str, is_package: bool, file: str, path: str) -> bytes:
    """Return the content of a file beside a module, by paths as they are where that comes from."""
    folder = os.path.dirname(file)
    parts = os.path.normpath(os.path.join(folder, path))[len(folder) + 1 :]
    package = module if is_package else module.rpartition(".")[0]
    within = os.path.normpath(os.path.join(folder, parts)) == os.path.normpath(path)
    if not (package and folder and parts and within):
        raise FileNotFoundError(2, "No such file in the package, where the call comes from", path)
    return Resource(ask, package, tuple(parts.split("/"))).read_bytes()


# --------------------------------------------------------------------------- metadata


def distribution(texts: dict[str, str]) -> Distribution:
    """Return the distribution that has these files for its metadata."""
    from importlib.metadata import Distribution

    class Sent(Distribution):
        """The user's own project, which is installed where the call comes from."""

        def read_text(self, filename: str) -> str | None:
            return texts.get(filename)

        def locate_file(self, path: Any) -> Any:
            raise FileNotFoundError(2, "It is not installed here, but sent along", str(path))

    return Sent()


# ------------------------------------------------------------------------- Python 3.9


def mend() -> None:
    """See to it that `importlib.resources.files` asks our packages; that of Python 3.9 does not."""
    if sys.version_info < (3, 10):
        when_imported("importlib._common", _ask_our_packages)


def _ask_our_packages(common: ModuleType) -> None:
    others: Any = common.from_package

    def from_package(package: ModuleType) -> Any:
        loader = package.__spec__.loader if package.__spec__ is not None else None
        if getattr(type(loader), "__module__", "") == f"{__package__}.loading":
            return loader.get_resource_reader(package.__name__).files()  # type: ignore[union-attr]
        return others(package)

    common.from_package = from_package  # type: ignore[attr-defined]
