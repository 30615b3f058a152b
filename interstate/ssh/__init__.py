"""Ways to hosts, over SSH: the only place that imports paramiko."""

from .opener import SSH
from .source import USER_CONFIG, ConfigSource
from .stream import Stream

__all__ = ["SSH", "USER_CONFIG", "ConfigSource", "Stream"]
