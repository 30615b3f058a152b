"""Which packages installed here have a module, as requirements: for `packages="auto"`."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata

from .installed import distributions_of, is_editable


def requirements_for(module: str) -> tuple[str, ...]:
    """Return what to install, at the versions that are installed here, to have a module.

    Args:
        module: Its name, at the top.

    Returns:
        A requirement for each distribution that has some of it, as with namespace packages; none
        where nothing has, or it is installed from a folder that stays where it is.
    """
    return tuple(sorted({_pinned(name) for name in distributions_of(module)} - {""}))


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
