"""Run Python functions on the computers you can ssh to."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import loopback
    from .errors import (
        AuthenticationError,
        BootError,
        BrokenSSHExecutor,
        CallTerminated,
        CallTimeout,
        ConnectError,
        ExecuteError,
        FileTransferError,
        HostError,
        HostKeyError,
        HostLost,
        HostMemoryError,
        InterstateError,
        PackagesError,
        PythonVersionError,
        RemoteError,
        WorkerDied,
    )
    from .execution import execute
    from .executor import SSHExecutor
    from .future import RemoteFuture
    from .hosts import Host
    from .hosttable import HostStatus, HostTable
    from .remote.current import CurrentCall, current_call
    from .remote.environ import Environ, slices
    from .remote.files import File
    from .sharing import Shared, share

__all__ = [
    "AuthenticationError",
    "BootError",
    "BrokenSSHExecutor",
    "CallTerminated",
    "CallTimeout",
    "ConnectError",
    "CurrentCall",
    "Environ",
    "ExecuteError",
    "File",
    "FileTransferError",
    "Host",
    "HostError",
    "HostKeyError",
    "HostLost",
    "HostMemoryError",
    "HostStatus",
    "HostTable",
    "InterstateError",
    "PackagesError",
    "PythonVersionError",
    "RemoteError",
    "RemoteFuture",
    "SSHExecutor",
    "Shared",
    "WorkerDied",
    "current_call",
    "execute",
    "loopback",
    "share",
    "slices",
]

_HOMES = {
    "CurrentCall": "remote.current",
    "Environ": "remote.environ",
    "File": "remote.files",
    "Host": "hosts",
    "HostStatus": "hosttable",
    "HostTable": "hosttable",
    "RemoteFuture": "future",
    "SSHExecutor": "executor",
    "Shared": "sharing",
    "current_call": "remote.current",
    "execute": "execution",
    "loopback": "loopback",
    "share": "sharing",
    "slices": "remote.environ",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is: pytest loads our plugin in every run."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f".{_HOMES.get(name, 'errors')}", __name__)
    found = module if name == "loopback" else getattr(module, name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
