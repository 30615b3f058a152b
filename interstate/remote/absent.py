"""What an exception says of a module that is nowhere to be had: what is known of it, what to do."""

from __future__ import annotations

import sys

from . import current
from .state import GROUP, own

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


def missing_in(error: BaseException) -> Iterator[tuple[str, ModuleNotFoundError]]:
    """Yield the exceptions that hang together of which a module was not found, and its name."""
    found, known = [error], {id(error)}
    for each in found:  # grows while it is walked
        if isinstance(each, ModuleNotFoundError):
            name = own(each, "name", ImportError)
            if type(name) is str:
                yield name, each
        more = [own(each, "__cause__"), own(each, "__context__")]
        if GROUP is not None and isinstance(each, GROUP):
            more += own(each, "exceptions", GROUP)
        for other in more:
            if other is not None and id(other) not in known:
                known.add(id(other))
                found.append(other)


def note_for(name: str, facts: dict[str, Any]) -> str:
    """Return what to say of a module.

    Args:
        name: Of a module at the top.
        facts: What is known of it on the other side: by "python", the version of the Python there;
            "distribution" and "version", what has installed it; "stdlib", whether it is Python's.
    """
    here = f"Python {'.'.join(map(str, sys.version_info[:3]))} on {current.host}"
    if facts.get("stdlib"):
        return (
            f"{name} is of the standard library of Python {facts['python']}, from which the call "
            f"comes, and not of {here}."
        )
    distribution, version = facts.get("distribution"), facts.get("version")
    if facts.get("found"):
        return (
            f"{here} has no module {name!r}. Where the call comes from, it is installed, but by no "
            "distribution that would say so: install it on the host."
        )
    if not distribution:
        return (
            f"{here} has no module {name!r}, and it is not installed either where the call comes "
            "from, nor a module of your own there."
        )
    return (
        f"{here} has no module {name!r}. Where the call comes from, {distribution} {version} has "
        "it: install that on the host, or have it sent along by "
        f'packages=["{distribution}=={version}"].'
    )
