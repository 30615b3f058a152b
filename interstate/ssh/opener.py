"""Opening ways to hosts: over which hops, how many at once, and how often.

open      settings -> chain of hops -> the last hop's connection (shared)
connect   wire -> keys agreed -> host key checked -> logged in      one attempt, may be repeated
Stream    one session channel, one command
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Iterable, Sequence

import paramiko

from ..errors import ConnectError
from ..hosts import Host
from ..pauses import pauses
from .asking import Ask, Asker
from .config import Config
from .deadline import Clock, Deadline
from .hops import Hops
from .hostkeys import KnownHosts
from .keys import Keyring
from .login import Login
from .pacing import PAUSES, Pacing
from .settings import Settings, names, settle
from .source import USER_CONFIG, ConfigSource
from .stream import Stream
from .transport import Transport, no_handshake
from .trouble import BusyError, WayError
from .wires import Command, Wire, connect, tunnel

_FILES_OF_COMMAND, _FILES_OF_COMMAND_STARTING = 2, 3  # a ProxyCommand's: see wires


class SSH:
    """Opens ways to hosts; any number of threads may, at once.

    Its mutable state: settings found so far, transports alive, hops (in Hops), keys (in Keyring),
    known hosts (in KnownHosts).

    Args:
        via: Hops to go over, in order; they stand in for a host's own ProxyJump.
        ssh_config: USER_CONFIG (default): the user's and the system's file, as ssh reads them; a
            path: that file alone; None: none.
        password: A callable given (host, prompt), asked for passphrases and passwords instead of
            the terminal.

    Raises:
        OSError: The ssh_config that was given cannot be read.
        ValueError: An ssh_config is malformed.
    """

    def __init__(
        self,
        via: Sequence[Host] = (),
        *,
        ssh_config: ConfigSource = USER_CONFIG,
        password: Ask | None = None,
    ) -> None:
        self._config = Config(ssh_config)
        self._clock = Clock()
        self._asker = Asker(password, self._clock)
        self._keyring = Keyring()
        self._known = KnownHosts()
        self._pacing = Pacing()
        self._hops = Hops(tuple(via), self._settings, self._connect_hop)
        self._lock = threading.Lock()
        self._settled: dict[Host, Settings] = {}
        self._alive: weakref.WeakSet[Transport] = weakref.WeakSet()
        self._closed = threading.Event()

    def open(self, host: Host, command: str, deadline: float) -> Stream:
        """Start a command on a host and return its input and output.

        Args:
            host: Where.
            command: What its login shell is to run.
            deadline: When to give up, as `time.monotonic()` counts; the time that a person takes
                to type a secret is not counted.

        Raises:
            ConnectError: There is no way to it, or no answer in time.
            AuthenticationError: It accepts none of our keys and passwords.
            HostKeyError: Its key is not known, or not the known one.
        """
        limit = Deadline(self._clock, deadline - time.monotonic())
        try:
            if not limit.remaining():
                raise WayError(ConnectError, "there was no time left to connect", "Give it more.")
            transport = self._connect(host, self._hops.chain(host), limit)
            return _start(transport, command, limit)
        except WayError as trouble:
            message = f"{host}: {trouble.what} (way: {self.way(host)}). {trouble.advice}"
            raise trouble.kind(message, host) from trouble.__cause__
        except (OSError, RuntimeError) as error:  # no more files (ulimit -n) or threads, here
            raise ConnectError(f"{host}: {error} (way: {self.way(host)})", host) from error

    def beside(self, stream: object, host: Host, command: str, deadline: float) -> Stream:
        """Start another command on a host, on the connection of a stream that we have opened.

        Where its server allows no more of them, this connects anew.

        Args:
            stream: The one that is there already; it may be in use.
            host: Where.
            command: What its login shell is to run.
            deadline: As for `open`.

        Returns:
            Its input and output, whose `close` leaves the connection to the other stream.

        Raises:
            HostError: As by `open`.
        """
        if not isinstance(stream, Stream):
            raise TypeError(f"not a stream of ours: {stream!r}")
        limit = Deadline(self._clock, deadline - time.monotonic())
        try:
            return stream.beside(command, limit)
        except (paramiko.SSHException, OSError, EOFError):
            return self.open(host, command, deadline)

    def way(self, host: Host) -> str:
        """Return the way to a host as text: `this computer → head-node → node-017`."""
        try:
            chain = self._hops.chain(host)
            first = self._settings((*chain, host)[0])
        except WayError:
            return names([host])
        return names(["ProxyCommand"] * bool(first.command) + [*chain, host])

    def files(self, hosts: Iterable[Host], at_once: int) -> int:
        """Return how many files will be open here while hosts are, or are being, connected to.

        Args:
            hosts: Each is connected to; those behind a hop share its connection.
            at_once: How many of them are being connected to at a time.
        """
        lasting, passing = 0, 1
        hops: set[Host] = set()
        for host in hosts:
            try:
                chain = self._hops.chain(host)
                first = self._settings((*chain, host)[0])
            except WayError:
                continue  # `open` says so
            if not chain or chain[0] not in hops:
                hops.update(chain[:1])
                lasting += _FILES_OF_COMMAND if first.command else 1
                passing = _FILES_OF_COMMAND_STARTING if first.command else passing
        return lasting + passing * min(lasting, at_once)

    def close(self) -> None:
        """End every connection, those of the hops too.  Nothing can be opened any more."""
        with self._lock:
            self._closed.set()
            alive = list(self._alive)
        for transport in alive:
            transport.close()
        self._keyring.close()

    def _settings(self, host: Host) -> Settings:
        settings = self._settled.get(host)
        if settings is None:
            settings = self._settled[host] = settle(host, self._config)
        return settings

    def _connect(self, host: Host, chain: tuple[Host, ...], deadline: Deadline) -> Transport:
        """Connect to a host over a chain of hops, again and again while its sshd is busy."""
        settings = self._settings(host)
        for attempts, pause in enumerate(pauses(*PAUSES), 1):
            try:
                with self._pacing.slot(settings, chain, deadline):
                    return self._attempt(settings, chain, deadline)
            except BusyError as again:
                if deadline.remaining() <= pause or self._closed.wait(pause):
                    raise _given_up(again, attempts, deadline) from again
        raise AssertionError("there is always another pause")

    def _connect_hop(self, hop: Host, chain: tuple[Host, ...], deadline: Deadline) -> Transport:
        transport = self._connect(hop, chain, deadline)
        transport.wire.hasten()
        return transport

    def _attempt(
        self, settings: Settings, chain: tuple[Host, ...], deadline: Deadline
    ) -> Transport:
        transport = Transport(self._wire(settings, chain, deadline), f"ssh {settings.host}")
        try:
            self._remember(transport)
            with self._pacing.crowd(deadline):
                self._shake_hands(transport, settings, deadline)
                Login(transport, settings, self._keyring, self._asker, deadline).run()
            transport.settle_down()
        except BaseException:
            transport.close()
            raise
        return transport

    def _remember(self, transport: Transport) -> None:
        with self._lock:
            self._alive.add(transport)
            if self._closed.is_set():
                raise WayError(ConnectError, "everything was closed meanwhile", "Open it anew.")

    def _wire(self, settings: Settings, chain: tuple[Host, ...], deadline: Deadline) -> Wire:
        if chain:
            return tunnel(self._hops.transport(chain, deadline), settings, deadline)
        if settings.command:
            return Command(settings.command)
        return connect(settings, deadline)

    def _shake_hands(self, transport: Transport, settings: Settings, deadline: Deadline) -> None:
        def order(possible: tuple[str, ...]) -> tuple[str, ...]:
            return self._known.algorithms(settings, possible)

        try:
            transport.handshake(order, deadline)
            key = transport.get_remote_server_key()
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise no_handshake(transport, error, deadline) from error
        self._known.check(settings, key)


def _start(transport: Transport, command: str, deadline: Deadline) -> Stream:
    try:
        return Stream.start(transport, command, deadline)
    except (paramiko.SSHException, OSError, EOFError) as refusal:
        error = refusal
    transport.close()
    raise WayError(
        ConnectError,
        f"we are logged in, but it does not run commands for us ({error})",
        "Is that user allowed to run commands there? See `ssh HOST true`.",
    ) from error


def _given_up(again: BusyError, attempts: int, deadline: Deadline) -> WayError:
    return WayError(
        ConnectError,
        f"no answer that we could use within {deadline.seconds:.3g} s and {attempts} attempts: "
        f"{again}",
        "Its sshd may be busy (MaxStartups in sshd_config), or bar us for a while "
        "(PerSourcePenalties, fail2ban): its log says why.",
    )
