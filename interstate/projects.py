"""Which modules are the user's own, and where they are; nothing of theirs is run to find that out.

Own is what is neither Python's nor installed: a script's folder, a checkout that is installed
editably, whatever else is on `sys.path` or found by the user's finders.
"""

from __future__ import annotations

import os
import pkgutil
import re
import site
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import BuiltinImporter, FrozenImporter, ModuleSpec, PathFinder
from pathlib import Path
from typing import Any

_OURS = ("interstate", "cloudpickle", "__main__", "__mp_main__")  # never the user's
_INSTALLED = re.compile(r"[/\\](site|dist)-packages([/\\]|$)")
_LONGEST = 500  # characters of a module's name


def is_name(name: str) -> bool:
    """Whether it can be a module's name: identifiers, with dots between them."""
    return len(name) <= _LONGEST and all(part.isidentifier() for part in name.split("."))


def may_be_own(name: str) -> bool:
    """Whether a module of that name can be the user's own."""
    top = name.partition(".")[0]
    return is_name(name) and top not in sys.stdlib_module_names and top not in _OURS


def imported_spec(name: str) -> ModuleSpec | None:
    """The spec of a module that is imported; asking a lazy one for it does not import that."""
    try:
        members = object.__getattribute__(sys.modules.get(name), "__dict__")
    except AttributeError:
        return None
    spec = members.get("__spec__") if isinstance(members, dict) else None
    return spec if isinstance(spec, ModuleSpec) else None


def find(name: str) -> ModuleSpec | None:
    """Return the spec of one of the user's own modules, imported or not; None: it is none.

    Raises:
        Exception: What a finder of the user's raises.
    """
    if not may_be_own(name):
        return None
    spec = imported_spec(name)
    if spec is None:
        parent = name.rpartition(".")[0]
        path = search_path(parent) if parent else None
        spec = None if parent and path is None else _search(name, path)
    return spec if spec is not None and is_own(spec) else None


def is_findable(name: str) -> bool:
    """Whether a module at the top is there, be it installed or the user's own."""
    return imported_spec(name) is not None or _search(name, None) is not None


def search_path(package: str) -> list[str] | None:
    """Where to look for the modules in a package; None: it is no package that can be found."""
    try:
        path = object.__getattribute__(sys.modules.get(package), "__dict__").get("__path__")
    except AttributeError:
        path = None
    if path is None:
        parent = package.rpartition(".")[0]
        above = search_path(parent) if parent else None
        spec = None if parent and above is None else _search(package, above)
        path = spec.submodule_search_locations if spec is not None else None
    return None if path is None else listed(path)


def is_own(spec: ModuleSpec) -> bool:
    """Whether what it is about is neither Python's nor installed."""
    if spec.origin is not None and (spec.has_location or os.sep in spec.origin):
        return is_own_path(spec.origin)
    if spec.submodule_search_locations is not None:
        return any(map(is_own_path, listed(spec.submodule_search_locations)))
    loader: Any = spec.loader
    return loader not in (BuiltinImporter, FrozenImporter) and hasattr(loader, "get_source")


_folders: dict[str, bool] = {}  # by folder, whether what is in it is the user's own


def is_own_path(path: str) -> bool:
    """Whether a file or a folder is neither Python's nor installed."""
    folder = os.path.dirname(path)
    known = _folders.get(folder)
    if known is None or not os.path.isabs(folder):
        whole = os.path.abspath(path)
        known = _folders[folder] = not any(map(_is_installed, {whole, os.path.realpath(whole)}))
    return known


def own_path() -> list[str]:
    """The entries of `sys.path` where the user's own modules may be."""
    return [entry for entry in sys.path if is_own_path(os.path.join(os.path.abspath(entry), "_"))]


def folders_of(package: str) -> list[Path]:
    """The folders of one of the user's packages that data may be read from, resolved.

    Those of a namespace are the user's choice only once it is imported: any folder is one.
    """
    spec = find(package)
    if spec is None or spec.submodule_search_locations is None:
        return []
    if spec.origin is None and imported_spec(package) is None:
        return []
    found = (Path(entry).resolve() for entry in search_path(package) or ())
    return [folder for folder in found if folder.is_dir() and is_own_path(str(folder / "_"))]


def listed(path: Any) -> list[str]:
    """The entries of a `__path__`; to walk a namespace's, its parent may have to be imported."""
    entries = getattr(path, "_path", path)
    return [entry for entry in entries or () if isinstance(entry, str)]


def _search(name: str, path: Sequence[str] | None) -> ModuleSpec | None:
    """Ask the finders, as an import would, but for those of what has no file."""
    for finder in list(sys.meta_path):
        find_spec: Any = getattr(finder, "find_spec", None)
        if find_spec is None or finder in (BuiltinImporter, FrozenImporter):
            continue
        if finder is PathFinder:
            spec = on_path(name, sys.path if path is None else path)
        else:
            spec = find_spec(name, path, None)
        if spec is not None:
            return spec if isinstance(spec, ModuleSpec) else None
    return None


def on_path(name: str, path: Sequence[str]) -> ModuleSpec | None:
    """As PathFinder, which would want the package imported that a namespace is in."""
    portions: list[str] = []
    for entry in path:
        try:
            importer: Any = pkgutil.get_importer(entry or os.getcwd())
        except FileNotFoundError:  # that folder is gone
            continue
        spec: ModuleSpec | None = importer.find_spec(name) if importer is not None else None
        if spec is not None and spec.loader is not None:
            return spec
        portions += (spec.submodule_search_locations or ()) if spec is not None else ()
    if not portions:
        return None
    namespace = ModuleSpec(name, None, is_package=True)
    namespace.submodule_search_locations = portions
    return namespace


def find_file(name: str) -> ModuleSpec | None:
    """As `find`, for a module at the top, in the user's own folders only, and asking no finder."""
    spec = on_path(name, own_path())
    return spec if spec is not None and spec.origin is not None and is_own(spec) else None


def _is_installed(path: str) -> bool:
    if _INSTALLED.search(path):
        return True
    return any(path.startswith(root) for root in _roots())


_known_roots: list[str] = []


def _roots() -> list[str]:
    """The folders of Python and of what is installed, with a separator at the end."""
    if not _known_roots:
        found = set(_prefixes())
        found |= {os.path.realpath(root) for root in found}
        _known_roots[:] = sorted(root + os.sep for root in found if root)
    return _known_roots


def _prefixes() -> Iterator[str]:
    yield from site.getsitepackages()
    yield site.getusersitepackages()
    yield os.path.dirname(os.path.abspath(os.__file__))
