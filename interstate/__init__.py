"""Run Python functions on the computers you can ssh to."""

from . import loopback
from .errors import (
    AuthenticationError,
    BootError,
    BrokenSSHExecutor,
    ConnectError,
    ExecuteError,
    HostError,
    HostKeyError,
    HostLost,
    InterstateError,
    RemoteError,
    WorkerDied,
)
from .execute import execute
from .executor import SSHExecutor
from .future import RemoteFuture
from .hosts import Host
from .remote.environ import Environ, slices

__all__ = [
    "AuthenticationError",
    "BootError",
    "BrokenSSHExecutor",
    "ConnectError",
    "Environ",
    "ExecuteError",
    "Host",
    "HostError",
    "HostKeyError",
    "HostLost",
    "InterstateError",
    "RemoteError",
    "RemoteFuture",
    "SSHExecutor",
    "WorkerDied",
    "execute",
    "loopback",
    "slices",
]
