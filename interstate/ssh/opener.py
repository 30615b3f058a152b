"""Opening ways to hosts: over which hops, how many at once, and how often.

open      settings -> chain of hops -> the last hop's connection (shared)
connect   wire -> keys agreed -> host key checked -> logged in      one attempt, may be repeated
Stream    one session channel, one command
"""

from __future__ import annotations

import itertools
import socket
import threading
import time
import weakref
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace

import paramiko

from ..errors import ConnectError
from ..hosts import Host
from ..pauses import pauses
from .asking import Aside, Ask, Asker
from .config import USER_CONFIG, Config, ConfigSource
from .deadline import Clock, Deadline
from .dialing import dial
from .greeting import no_handshake
from .hops import SHARE, Hops
from .hostkeys import HostKey, KnownHosts
from .keys import Keyring
from .login import Login
from .met import Met
from .pacing import PAUSES, Pacing
from .resolving import resolve
from .settings import Settings, names, settle
from .stream import Stream
from .transport import Transport, check_size
from .trouble import BusyError, HopLostError, HungUpError, WayError
from .wires import ALIVE, Command, Socket, Wire, handed_over, is_local, tunnel

_FILES_OF_COMMAND, _FILES_OF_COMMAND_STARTING = 2, 3  # a ProxyCommand's: see wires


class SSH:
    """Opens ways to hosts; any number of threads may, at once.

    Its mutable state: settings found so far, how servers let us in, what is to be ended by `close`,
    hops (in Hops), keys (in Keyring), known hosts (in KnownHosts).

    Args:
        via: Hops to go over, in order; they stand in for a host's own ProxyJump.
        ssh_config: USER_CONFIG (default): the user's and the system's file, as ssh reads them; a
            path: that file alone; None: none.
        password: A callable given (host, prompt), asked for passphrases and passwords instead of
            the terminal.
        aside: What is entered while somebody is asked on the terminal: whoever else writes there
            leaves it alone meanwhile.

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
        aside: Aside = nullcontext,
    ) -> None:
        self._config = Config(ssh_config)
        self._clock = Clock()
        self._asker = Asker(password, self._clock, aside)
        self._keyring = Keyring()
        self._known = KnownHosts()
        self._pacing = Pacing()
        self._hops = Hops(tuple(via), self._settings, self._connect_hop)
        self._lock = threading.Lock()
        self._settled: dict[Host, Settings] = {}
        self._met: dict[Host, Met] = {}
        self._let_in: set[Host] = set()
        self._alive: weakref.WeakSet[Transport] = weakref.WeakSet()
        self._dialled: weakref.WeakSet[Socket] = weakref.WeakSet()
        self._closed = threading.Event()

    def open(self, host: Host, command: str, deadline: float) -> Stream:
        """Start a command on a host and return its input and output.

        Args:
            host: Where.
            command: What its login shell is to run.
            deadline: When to give up, as `time.monotonic()` counts; the time that a person takes
                to type a secret is not counted, nor that in which others have their turn.

        Raises:
            ConnectError: There is no way to it, or no answer in time.
            AuthenticationError: It accepts none of our keys and passwords.
            HostKeyError: Its key is not known, or not the known one.
        """
        limit = Deadline(self._clock, deadline - time.monotonic())
        try:
            if not limit.remaining():
                raise WayError(ConnectError, "there was no time left to connect", "Give it more.")
            chain = self._hops.chain(host)
            with self._watched(chain, limit):
                return self._begin(host, chain, command, limit)
        except WayError as trouble:
            message = f"{host}: {trouble.what} (way: {self.way(host)}). {trouble.advice}"
            raise trouble.kind(message, host, trouble.reason) from trouble.__cause__
        except (OSError, RuntimeError) as error:  # no more files (ulimit -n) or threads, here
            message = f"{host}: {error} (way: {self.way(host)})"
            raise ConnectError(message, host, str(error)) from error

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

    def met(self, host: Host) -> Met:
        """Return what was seen of a host at the last attempt to log in to it."""
        return self._met.get(host) or Met()

    def files(self, hosts: Iterable[Host], at_once: int) -> int:
        """Return how many files will be open here while hosts are, or are being, connected to.

        Args:
            hosts: Each is connected to; those behind a hop share its connection.
            at_once: How many of them are being connected to at a time.
        """
        hosts = list(hosts)
        if len(hosts) > 1:  # Match may run slow commands
            with ThreadPoolExecutor(at_once, "ssh_config") as threads:
                list(threads.map(self.way, hosts))
        lasting, passing = 0, 1
        behind: Counter[Host] = Counter()
        for host in hosts:
            try:
                chain = self._hops.chain(host)
                first = self._settings((*chain, host)[0])
            except WayError:
                continue  # `open` says so
            behind.update(chain[:1])
            if not chain or behind[chain[0]] % SHARE == 1:
                lasting += _FILES_OF_COMMAND if first.command else 1
                passing = _FILES_OF_COMMAND_STARTING if first.command else passing
        return lasting + passing * min(lasting, at_once)

    def close(self) -> None:
        """End every connection, those of the hops too.  Nothing can be opened any more."""
        with self._lock:
            self._closed.set()
            alive, dialled = list(self._alive), list(self._dialled)
        self._pacing.close()
        self._asker.close()
        for wire in dialled:
            with suppress(OSError):  # what is closed, or not connected yet, is woken all the same
                wire.shutdown(socket.SHUT_RDWR)
        for transport in alive:
            transport.close()

    def _watched(self, chain: tuple[Host, ...], limit: Deadline) -> AbstractContextManager[None]:
        """Who writes into a hop that takes nothing in is stuck there, whatever the time."""
        if not chain:
            return nullcontext()
        return limit.watched(lambda: self._hops.close_silent(chain, ALIVE), "ssh watch")

    def _settings(self, host: Host) -> Settings:
        settings = self._settled.get(host)
        if settings is None:
            settings = self._settled[host] = settle(host, self._config)
        return settings

    def _begin(self, host: Host, chain: tuple[Host, ...], command: str, limit: Deadline) -> Stream:
        """Connect, and start a command; again, if the hop was lost in between."""
        while True:
            transport = self._connect(host, chain, limit)
            try:
                return _start(transport, command, limit)
            except WayError:
                if not transport.cut or not limit.remaining():
                    raise

    def _connect(self, host: Host, chain: tuple[Host, ...], deadline: Deadline) -> Transport:
        """Connect to a host over a chain of hops, again and again while its sshd is busy."""
        settings = self._settings(host)
        busy: BusyError | None = None
        for attempts, pause in enumerate(pauses(*PAUSES), 1):
            try:
                with self._pacing.slot(settings, chain, deadline):
                    return self._attempt(settings, chain, deadline)
            except BusyError as again:
                busy = again
                if deadline.remaining() <= pause or self._closed.wait(pause):
                    raise _given_up(again, attempts, deadline) from again
            except WayError as error:
                if busy is None or deadline.remaining() or error.kind is not ConnectError:
                    raise
                raise _given_up(busy, attempts, deadline) from busy  # this one had little time
        raise AssertionError("there is always another pause")

    def _connect_hop(self, hop: Host, chain: tuple[Host, ...], deadline: Deadline) -> Transport:
        transport = self._connect(hop, chain, deadline)
        transport.wire.hasten()
        return transport

    def _attempt(
        self, settings: Settings, chain: tuple[Host, ...], deadline: Deadline
    ) -> Transport:
        met = self._met[settings.host] = Met(user=settings.user)
        transport = Transport(self._wire(settings, chain, deadline), f"ssh {settings.host}")
        try:
            self._remember(transport)
            with self._pacing.crowd(deadline):
                self._shake_hands(transport, settings, met, deadline)
                login = Login(transport, settings, self._keyring, self._asker, deadline, chain)
                login.run()
                met.method, met.key = login.accepted
                self._let_in.add(settings.host)
                transport.repeatable = login.needs_nobody
            transport.environment = settings.environment
            transport.renew_keys(*settings.rekeying)
            transport.settle_down(settings.alive_interval, settings.alive_count)
        except (WayError, BusyError) as error:
            transport.close()
            if transport.cut and not self._closed.is_set():
                raise HopLostError("the hop before it was lost") from error
            if isinstance(error, HungUpError) and settings.host in self._let_in:
                raise BusyError(error.what) from error
            raise
        except BaseException:
            transport.close()
            raise
        return transport

    def _remember(self, what: Transport | Socket) -> None:
        """Have `close` end it."""
        with self._lock:
            if isinstance(what, Transport):
                self._alive.add(what)
            else:
                self._dialled.add(what)
            if self._closed.is_set():
                raise WayError(ConnectError, "everything was closed meanwhile", "Open it anew.")

    def _wire(self, settings: Settings, chain: tuple[Host, ...], deadline: Deadline) -> Wire:
        if chain:
            hop = self._hops.transport(chain, settings.host, deadline)
            return tunnel(hop, settings, deadline)
        if settings.command and settings.passed:
            return handed_over(settings.command, deadline, self._remember)
        if settings.command:
            return Command(settings.command)
        return self._dial(settings, deadline)

    def _dial(self, settings: Settings, deadline: Deadline) -> Wire:
        """Connect over TCP; ask anew, in our turn, where what asks too often is dropped."""
        ended, remember = self._closed.wait, self._remember
        addresses = resolve(settings, deadline, ended)
        for asked in itertools.count():
            with self._pacing.dialling(deadline, asked) as patience:
                if settings.connect_timeout or deadline.remaining() <= patience:
                    return dial(settings, addresses, deadline, ended, remember)
                briefly, began = replace(settings, connect_timeout=patience), time.monotonic()
                try:
                    return dial(briefly, addresses, deadline, ended, remember)
                except WayError:
                    if time.monotonic() < began + patience or self._closed.is_set():
                        raise
        raise AssertionError("there is always another time to ask")

    def _shake_hands(
        self, transport: Transport, settings: Settings, met: Met, deadline: Deadline
    ) -> None:
        def order(possible: tuple[str, ...]) -> tuple[str, ...]:
            return self._known.algorithms(settings, possible, deadline.remaining())

        try:
            transport.handshake(
                order, deadline, settings.algorithms, compressed=settings.compressed
            )
            key = transport.get_remote_server_key()
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise no_handshake(transport, error, deadline) from error
        check_size(settings, key)
        self._known.check(
            settings,
            HostKey.of(key),
            met,
            offered=transport.preferred_keys,
            local=not settings.command and is_local(transport.wire),
            seconds=deadline.remaining(),
        )


def _start(transport: Transport, command: str, deadline: Deadline) -> Stream:
    try:
        return Stream.start(transport, command, deadline)
    except (paramiko.SSHException, OSError, EOFError) as refusal:
        error = refusal
    late = f"no answer within {deadline.seconds:.3g} s"
    why = (str(error) or "it hung up") if deadline.remaining() else late
    transport.close()
    raise WayError(
        ConnectError,
        f"we are logged in, but it does not run commands for us ({why})",
        "Is that user allowed to run commands there? See `ssh HOST true`.",
    ) from error


def _given_up(again: BusyError, attempts: int, deadline: Deadline) -> WayError:
    return WayError(
        ConnectError,
        f"no answer that we could use within {deadline.seconds:.3g} s and {attempts} attempts: "
        f"{again}",
        "Is that hop up, and does it stay?"
        if isinstance(again, HopLostError)
        else "Its sshd may be busy (MaxStartups in sshd_config), or bar us for a while "
        "(PerSourcePenalties, fail2ban), or for good (/etc/hosts.deny): its log says why.",
        f"no answer that we could use in time: {again}",
    )
