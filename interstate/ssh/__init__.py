"""Ways to hosts, over SSH: the only place that imports paramiko."""

from typing import TYPE_CHECKING, Any

from .source import USER_CONFIG, ConfigSource

if TYPE_CHECKING:
    from .opener import SSH
    from .stream import Stream

__all__ = ["SSH", "USER_CONFIG", "ConfigSource", "Stream"]


def __getattr__(name: str) -> Any:
    """Import paramiko when somebody connects, and not before: it takes a tenth of a second."""
    if name == "SSH":
        from .opener import SSH

        return SSH
    if name == "Stream":
        from .stream import Stream

        return Stream
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
