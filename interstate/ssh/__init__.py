"""Ways to hosts, over SSH: the only place that imports paramiko."""

from .config import USER_CONFIG, ConfigSource
from .opener import SSH
from .stream import Stream

__all__ = ["SSH", "USER_CONFIG", "ConfigSource", "Stream"]
