"""What every host of an executor is told, or treated by."""

from __future__ import annotations

import pickle
from typing import NamedTuple

from . import boot
from .callbacks import Callbacks
from .fleet import Reach
from .hosts import Host
from .output import Output


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

    def workers_on(self, hello: boot.Hello) -> int:
        """How many workers a host gets."""
        return self.workers_per_host or hello.cpus

    def config_for(self, host: Host, hello: boot.Hello) -> bytes:
        """What a host's agent is told."""
        config = {
            "workers": self.workers_on(hello),
            "owner": boot.owner(),
            "host": str(host),
            "initializer": self.initializer,
            "heartbeat": self.reach.patience.heartbeat,
            "reconnect": self.reach.patience.reconnect,
            "grace": self.grace,
            "max_calls": self.max_calls,
        }
        return pickle.dumps(config, protocol=4)
