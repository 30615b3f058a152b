"""`interstate clean`: removes the packages that are kept on hosts, or here."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from . import boot, depot
from .archives import Archives
from .errors import HostError
from .hosts import Host
from .progress import megabytes
from .remote.depot import Depot, cache_home
from .ssh import SSH, USER_CONFIG, ConfigSource

_PATIENCE = 30.0  # seconds that a host may take to connect to, or between signs of life
_AT_ONCE = 32  # hosts


def run(
    hosts: Sequence[Host],
    via: Sequence[Host] = (),
    python: str | None = None,
    ssh_config: ConfigSource = USER_CONFIG,
) -> bool:
    """Remove what is kept on some hosts, and say so; return whether it could be.

    Args:
        hosts: Which; none: what is kept on this computer.
        via: The hops that they are reached over.
        python: As an executor's.
        ssh_config: As an executor's.
    """
    if not hosts:
        print(_words("this computer", _clean_here()))
        return True
    ssh = SSH(via, ssh_config=ssh_config)
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        try:
            said = [*threads.map(lambda host: _clean(ssh, host, boot.prepare(python)), hosts)]
        finally:
            ssh.close()  # which ends what is still under way, if this is interrupted
    for line, ok in said:
        print(line, file=sys.stdout if ok else sys.stderr)
    return all(ok for _, ok in said)


def _clean(ssh: SSH, host: Host, start: boot.Start) -> tuple[str, bool]:
    """What is to be said of a host, and whether it is good news."""
    try:
        stream = ssh.open(host, start.command, time.monotonic() + _PATIENCE)
        return _words(str(host), depot.clean(stream, start, _PATIENCE)), True
    except HostError as error:
        return str(error), False
    except (depot.DepotError, boot.NoAgentError) as error:
        return f"{host}: it could not be cleaned: {error}", False


def _clean_here() -> depot.Cleaned:
    packages = depot.Cleaned(*Depot(cache_home()).clean())
    return packages._replace(size=packages.size + Archives().clean())


def _words(where: str, cleaned: depot.Cleaned) -> str:
    left = f"; in use, and left there: {'; '.join(cleaned.used)}" if cleaned.used else ""
    if not cleaned.size and not cleaned.removed:
        return f"{where}: nothing to remove in {cleaned.folder}{left}"
    what = f" ({'; '.join(cleaned.removed)})" if cleaned.removed else ""
    return f"{where}: removed {megabytes(cleaned.size)} from {cleaned.folder}{what}{left}"
