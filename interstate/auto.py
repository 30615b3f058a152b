"""Which packages installed here have a module, as requirements: for `packages="auto"`."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata

from .installed import distributions_of, requirement_for


def requirements_for(module: str) -> tuple[str, ...]:
    """Return what to install, at the versions that are installed here, to have a module.

    Args:
        module: Its name, at the top.

    Returns:
        A requirement for each distribution that has some of it, as with namespace packages; none
        where nothing has, or it was installed from a folder.
    """
    return tuple(sorted({_pinned(name) for name in distributions_of(module)} - {""}))


def pins() -> tuple[str, ...]:
    """Return all that is installed here from an index, as requirements."""
    names = {each.metadata["Name"] for each in metadata.distributions()}
    every = {_pinned(name) for name in names if name}
    return tuple(sorted(each for each in every if "==" in each))


def not_newer(requirements: Sequence[str]) -> tuple[str, ...]:
    """Return requirements for these versions or older ones, as far as they are from an index."""
    return tuple(map(_not_newer, requirements))


def _not_newer(requirement: str) -> str:
    name, exactly, version = requirement.partition("==")
    return f"{name}<={version.partition('+')[0]}" if exactly else requirement


def _pinned(name: str) -> str:
    try:
        distribution = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return ""
    return requirement_for(distribution)
