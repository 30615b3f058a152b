"""What every host of an executor is told, or treated by."""

from __future__ import annotations

import pickle
import platform
from collections.abc import Sequence
from typing import NamedTuple

from . import boot
from .callbacks import Callbacks
from .fleet import Reach
from .hosts import Host
from .output import Output
from .serving import Serving


class Settings(NamedTuple):
    """What holds for all hosts and calls of an executor."""

    reach: Reach
    workers_per_host: int | None
    initializer: bytes | None
    grace: float  # how long a call may take to stop, seconds
    max_calls: int | None  # that a worker runs
    output: Output
    output_limit: int | None  # bytes that are kept of what a call prints
    callbacks: Callbacks
    forward_logs: bool
    serving: Serving
    min_hosts: int = 1  # that are up before any call is sent

    def workers_on(self, hello: boot.Hello) -> int:
        """How many workers a host gets."""
        return self.workers_per_host or hello.cpus

    def config_for(self, host: Host, hello: boot.Hello, path: Sequence[str]) -> bytes:
        """What a host's agent is told.

        Args:
            host: The host.
            hello: What its agent has said.
            path: The folders over there that calls are to import from.
        """
        config = {
            "workers": self.workers_on(hello),
            "owner": boot.owner(),
            "host": str(host),
            "python": platform.python_version(),
            "initializer": self.initializer,
            "heartbeat": self.reach.patience.heartbeat,
            "reconnect": self.reach.patience.reconnect,
            "grace": self.grace,
            "max_calls": self.max_calls,
            "path": list(path),
        }
        return pickle.dumps(config, protocol=4)
