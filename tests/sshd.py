"""A real OpenSSH sshd of the tests' own: its own port, keys, home directory and rules.

    with Sshd(tmp_path, keys, listen=loopback_addresses(100)) as sshd:
        hosts = [sshd.host(address) for address in sshd.addresses]

It runs as whoever runs the tests, root or not, and listens on loopback addresses only.
"""

from __future__ import annotations

import functools
import os
import pwd
import re
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from interstate.hosts import Host

from . import processes
from .daemon_log import DaemonLog

_MAX_LISTEN = 16  # MAX_LISTEN_SOCKS in sshd.c: for more addresses there are more daemons
_ATTEMPTS = 10
_START_TIMEOUT = 60.0
_END_TIMEOUT = 30.0
_RULES = """\
UsePAM no
StrictModes no
PidFile none
LogLevel VERBOSE
UseDNS no
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
AcceptEnv LANG LC_*
MaxStartups 1000
MaxSessions 1000
"""


@dataclass(frozen=True)
class Keys:
    """The paths of a client's private key and of a host's; beside each is its `.pub`."""

    client: Path
    host: Path

    @classmethod
    def generate(cls, directory: Path) -> Keys:
        """Make new ed25519 keys in a directory; one pair serves a whole session of tests."""
        keys = cls(directory / "client_key", directory / "host_key")
        for path in (keys.client, keys.host):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", path.name]
            subprocess.run([*command, "-f", str(path)], check=True)
        return keys


def loopback_addresses(count: int) -> list[str]:
    """`count` addresses of 127.0.0.0/8, of which Linux has all without further ado."""
    return [f"127.0.{1 + i // 250}.{1 + i % 250}" for i in range(count)]


class Sshd:
    """One or more sshd daemons with the same rules, to be used in a with-statement.

    At its end every connection must have ended, and so must everything that was started through
    one: what is still there after a while is killed, and an AssertionError names it.

    Args:
        directory: An empty directory for its files.
        keys: Its host key, and the client key that it lets in.
        listen: The loopback addresses to listen on; any number, all with the same port.
        options: Lines of sshd_config, in place of the usual ones for the same.
        env: Variables to set for what it starts, beside PATH, where this Python is first.
        force_command: Run this in place of what is asked for, as by ForceCommand;
            `fish -c "$SSH_ORIGINAL_COMMAND"` plays a user whose login shell is fish.
        within: What the daemons are run by, in place of this process: a command and its first
            arguments.
        matches: Sections of sshd_config, each beginning with `Match`.

    Attributes:
        addresses: What it listens on, in order.
        port: The TCP port; the same on all addresses.
        home: The home directory of its users; a `.bashrc` there is read by bash.
        key: The path of the client's private key.
        known_hosts: The path of a known_hosts file with all its addresses.
        user: The name to log in by.
    """

    def __init__(
        self,
        directory: Path,
        keys: Keys,
        *,
        listen: Sequence[str] = ("127.0.0.1",),
        options: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        force_command: str | None = None,
        within: Sequence[str] = (),
        matches: Sequence[str] = (),
    ) -> None:
        self.addresses = list(listen)
        self.port = 0
        self.home = directory / "home"
        self.key = keys.client
        self.known_hosts = directory / "known_hosts"
        self.user = pwd.getpwuid(os.getuid()).pw_name
        self._directory = directory
        self._host_key = keys.host
        self._within = within
        rules = self._written_rules(options, env or {}, force_command)
        self._rules = "\n".join([rules, *matches, ""])
        self._daemons: list[_Daemon] = []

    def __enter__(self) -> Self:
        self.home.mkdir()
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # the privilege separation's
        for _ in range(_ATTEMPTS):
            self.port = _free_port(self.addresses[0])
            if self._start():
                self._write_known_hosts()
                return self
        raise AssertionError(f"no port is free on all of {self.addresses}")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        described = processes.end_what_is_left(self.sessions(), _END_TIMEOUT)
        self._stop()
        if error is None:
            assert not described, f"still connected when sshd was to end: {described}"

    def host(self, address: str | None = None, *, user: str | None = None) -> Host:
        """The Host at one of the addresses (default: the first), with its key and known_hosts."""
        name = address or self.addresses[0]
        user = user or self.user
        return Host(name, user, self.port, str(self.key), str(self.known_hosts))

    def hosts(self, count: int) -> list[Host]:
        """Hosts at the first `count` addresses."""
        assert count <= len(self.addresses), f"this sshd has {len(self.addresses)} addresses"
        return [self.host(address) for address in self.addresses[:count]]

    def config_file(self, aliases: Mapping[str, str] | None = None, more: str = "") -> Path:
        """Write a config file for `ssh -F`.

        Args:
            aliases: For each alias its address; default: `target` at the first address.
            more: Lines that come first, and so prevail.
        """
        aliases = aliases or {"target": self.addresses[0]}
        sections = [f"Host {alias}\n  HostName {name}" for alias, name in aliases.items()]
        common = f"""
Host *
  Port {self.port}
  User {self.user}
  IdentityFile {self.key}
  IdentitiesOnly yes
  UserKnownHostsFile {self.known_hosts}
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  BatchMode yes
"""
        path = self._directory / f"ssh_config_{len(list(self._directory.glob('ssh_config_*')))}"
        path.write_text("\n".join([more, *sections, common]))
        return path

    @property
    def log(self) -> str:
        """What the daemons have logged so far."""
        return "".join(daemon.log for daemon in self._daemons)

    def sessions(self) -> list[int]:
        """The process ids of the connections that are there, and of all that runs under them."""
        mains = [daemon.pid for daemon in self._daemons]
        return [pid for main in mains for pid in processes.descendants(main)]

    def _start(self) -> bool:
        """Start all daemons; False if the port is taken on one of the addresses."""
        for i in range(0, len(self.addresses), _MAX_LISTEN):
            addresses = self.addresses[i : i + _MAX_LISTEN]
            config = self._directory / f"sshd_config_{i}"
            lines = [f"ListenAddress {address}:{self.port}" for address in addresses]
            config.write_text("\n".join([*lines, self._rules]))
            self._daemons.append(_Daemon(config, self._within))
            if not self._daemons[-1].wait_listening(len(addresses)):
                self._stop()
                return False
        return True

    def _stop(self) -> None:
        for daemon in self._daemons:
            daemon.stop()
        self._daemons.clear()

    def _written_rules(
        self, options: Sequence[str], env: Mapping[str, str], force_command: str | None
    ) -> str:
        path = os.pathsep.join([os.path.dirname(sys.executable), "/usr/local/bin:/usr/bin:/bin"])
        variables = {"PATH": path, "HOME": str(self.home), **env}
        settings = " ".join(f'"{name}={value}"' for name, value in variables.items())
        lines = [
            *options,
            f"HostKey {self._host_key}",
            f"AuthorizedKeysFile {self.key}.pub",
            f"SetEnv {settings}",
            *([f"ForceCommand {force_command}"] if force_command else []),
        ]
        if _version() >= (9, 8):  # it would make the whole of loopback wait for one failed login
            lines.append("PerSourcePenalties no")
        given = {option.split()[0] for option in options if option}
        usual = [rule for rule in _RULES.splitlines() if rule.split()[0] not in given]
        return "\n".join([*lines, *usual, ""])  # of MaxStartups the last line counts, not the first

    def _write_known_hosts(self) -> None:
        key = " ".join(Path(f"{self._host_key}.pub").read_text().split()[:2])
        lines = [f"[{address}]:{self.port} {key}\n" for address in self.addresses]
        self.known_hosts.write_text("".join(lines))


class _Daemon:
    """One sshd process in the foreground, and its log."""

    def __init__(self, config: Path, within: Sequence[str]) -> None:
        command = [*within, _sshd_path(), "-D", "-e", "-f", str(config)]
        command = [*processes.ended_with_us(), *command]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        assert self._process.stderr is not None
        self._log = DaemonLog(self._process.stderr, f"log of {shlex.join(command)}")

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def log(self) -> str:
        return self._log.text

    def wait_listening(self, count: int) -> bool:
        """Wait until it listens on `count` addresses; False if it could not have one of them."""
        listens = self._log.wait_for(lambda log: _bound(log) >= count, _START_TIMEOUT)
        if "Address already in use" in self.log:
            return False
        if not listens:
            self.stop()
            raise AssertionError(f"sshd did not start: {self.log}")
        return True

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(_END_TIMEOUT)
        assert self._log.ended(_END_TIMEOUT), f"a child of sshd {self.pid} holds on to its log"


def _bound(log: str) -> int:
    """How many addresses it has, or could not have."""
    return sum(line.startswith(("Server listening", "Bind to port")) for line in log.splitlines())


def _sshd_path() -> str:
    path = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    assert path, "these tests need OpenSSH's sshd: apt-get install openssh-server"
    return os.path.abspath(path)  # it re-executes itself, and wants to be named in full


@functools.cache
def _version() -> tuple[int, ...]:
    """The version of OpenSSH that is installed, as in (9, 2)."""
    printed = subprocess.run(["ssh", "-V"], capture_output=True, text=True, check=True).stderr
    found = re.search(r"OpenSSH_(\d+)\.(\d+)", printed)
    assert found, f"these tests need OpenSSH, not {printed!r}"
    return tuple(map(int, found.groups()))


def _free_port(address: str) -> int:
    with socket.create_server((address, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
