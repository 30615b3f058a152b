"""A real dropbear of the tests' own, in place of OpenSSH's sshd: its own port, key and user.

with Dropbear(tmp_path, client_key) as dropbear:
    execute(job, host=dropbear.host())
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from types import TracebackType

from interstate.hosts import Host

from . import processes
from .accounts import Account, Homes, why_not
from .daemon_log import DaemonLog

USER = "droplet"
_PATIENCE = 30.0  # seconds
_ATTEMPTS = 10


def missing() -> str:
    """Why there can be no dropbear on this machine; "" if there can be."""
    absent = [name for name in ("dropbear", "dropbearkey") if not _find(name)]
    return f"{' and '.join(absent)} is not installed" if absent else why_not()


class Dropbear:
    """One daemon, to be used in a with-statement; what it started must have ended by its end.

    Args:
        directory: An empty directory for its files.
        client_keys: Paths of the private keys that it lets in.
        kind: Of its host key.
        addresses: The loopback addresses to listen on, 10 at most.

    Attributes:
        port: The TCP port.
        home: The home directory of its user.
        known_hosts: The path of a known_hosts file with its addresses.
    """

    def __init__(
        self,
        directory: Path,
        client_keys: list[Path],
        *,
        kind: str = "ed25519",
        addresses: tuple[str, ...] = ("127.0.0.1",),
    ) -> None:
        directory.mkdir(exist_ok=True)
        self.port = 0
        self.known_hosts = directory / "known_hosts"
        self._addresses = addresses
        self._client_keys = client_keys
        self._host_key = directory / "host_key"
        lines = [path.with_name(f"{path.name}.pub").read_text() for path in client_keys]
        files = {".ssh/authorized_keys": "".join(lines)}
        homes = Homes(directory, [Account(USER, files=files)])
        self.home = homes.home(USER)
        self._within = homes.within
        self._public = _new_key(self._host_key, kind)
        self._pid_file = directory / "pid"

    def __enter__(self) -> Dropbear:
        for _ in range(_ATTEMPTS):
            with socket.create_server((self._addresses[0], 0)) as listener:
                self.port = listener.getsockname()[1]
            if self._start():
                names = [f"[{address}]:{self.port}" for address in self._addresses]
                self.known_hosts.write_text("".join(f"{name} {self._public}\n" for name in names))
                return self
        raise AssertionError(f"dropbear did not start: {self.log}")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        described = processes.end_what_is_left(self.sessions(), _PATIENCE)
        self._stop()
        if error is None:
            assert not described, f"still connected when dropbear was to end: {described}"

    def host(self, address: str | None = None, key: Path | None = None) -> Host:
        """The Host at one of its addresses, with one of its client keys; default: the first."""
        name, path = address or self._addresses[0], key or self._client_keys[0]
        return Host(name, USER, self.port, str(path), str(self.known_hosts))

    @property
    def log(self) -> str:
        """What it has logged so far."""
        return self._log.text

    def sessions(self) -> list[int]:
        """The process ids of the connections that are there, and of all that runs under them."""
        return processes.descendants(self._process.pid)

    def _start(self) -> bool:
        ports = [word for address in self._addresses for word in ("-p", f"{address}:{self.port}")]
        within = [*processes.ended_with_us(), *self._within]
        command = [*within, str(_find("dropbear")), "-F", "-E", "-e", "-s", *ports]
        path = os.pathsep.join([os.path.dirname(sys.executable), "/usr/local/bin:/usr/bin:/bin"])
        self._process = subprocess.Popen(
            [*command, "-r", str(self._host_key), "-P", str(self._pid_file)],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={"PATH": path},
        )
        assert self._process.stderr is not None
        self._log = DaemonLog(self._process.stderr, "log of dropbear")
        ready = self._log.wait_for(lambda log: "Not backgrounding" in log, _PATIENCE)
        if ready and "ailed listening" not in self.log:
            return True
        self._stop()
        return False

    def _stop(self) -> None:
        self._process.terminate()
        self._process.wait(_PATIENCE)
        assert self._log.ended(_PATIENCE), "a child of dropbear holds on to its log"


def _find(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def _new_key(path: Path, kind: str) -> str:
    """Make a host key; return its public half, as in known_hosts."""
    command = [str(_find("dropbearkey")), "-t", kind, "-f", str(path)]
    made = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    [line] = [line for line in made.splitlines() if line.startswith(("ssh-", "ecdsa-"))]
    return " ".join(line.split()[:2])
