"""Which packages installed here have a module, as requirements: for `packages="auto"`."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from importlib import metadata

from .installed import is_editable


def requirements_for(module: str) -> tuple[str, ...]:
    """Return what to install, at the versions that are installed here, to have a module.

    Args:
        module: Its name, at the top.

    Returns:
        A requirement for each distribution that has some of it, as with namespace packages; none
        where nothing has, or it is installed from a folder that stays where it is.
    """
    if module not in _distributions():
        _distributions.cache_clear()  # it may have been installed since
    return tuple(sorted({_pinned(name) for name in _distributions().get(module, ())} - {""}))


def pins() -> tuple[str, ...]:
    """Return all that is installed here, as requirements."""
    names = {each.metadata["Name"] for each in metadata.distributions()}
    return tuple(sorted({_pinned(name) for name in names if name} - {""}))


def not_newer(requirements: Sequence[str]) -> tuple[str, ...]:
    """Return requirements for these versions or older ones."""
    names = (requirement.split("==", 1) for requirement in requirements)
    return tuple(f"{name}<={version.partition('+')[0]}" for name, version in names)


def _pinned(name: str) -> str:
    try:
        distribution = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return ""
    return "" if is_editable(distribution) else f"{name}=={distribution.version}"


@functools.lru_cache(1)
def _distributions() -> Mapping[str, list[str]]:
    """The distributions that have a module at the top, by its name."""
    return metadata.packages_distributions()
