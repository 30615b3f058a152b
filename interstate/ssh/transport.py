"""One SSH connection: paramiko's transport, with every wait bounded and nothing left behind.

What paramiko 5.1 does otherwise, and why it is changed here:

- A timer thread per handshake, which outlives a failed one: the deadline bounds the handshake.
- `start_client(timeout=)` returns as if all were well when it times out; so it is not used.
- Asking for the user-authentication service costs a round trip for each attempt, or a wait of
  0.1 s: it is asked for once, and the first attempt follows at once, as RFC 4252 allows.
- It polls ten times a second, in every thread: see `settle_down`.
- A disconnect's reason only goes to the log.
- A MAC that both ends would take is insisted on where the cipher needs none.
- `curve25519-sha256` is known by its old name alone.
- A channel that is closed while keys are agreed on anew would be the end of the connection.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, cast

import paramiko
from paramiko.common import (
    cMSG_CHANNEL_REQUEST,
    cMSG_CHANNEL_WINDOW_ADJUST,
    cMSG_GLOBAL_REQUEST,
    cMSG_IGNORE,
    cMSG_SERVICE_REQUEST,
)
from paramiko.message import Message

from ..errors import HostKeyError
from ..printable import printable
from .agreeing import compare, offer, offer_macs, spare_macs
from .conversation import Handler
from .deadline import Deadline
from .greeting import Packets
from .publickeys import SUFFIX
from .refusals import Refusing
from .settings import Algorithms, Settings
from .trouble import WayError
from .wires import Tunnel, Wire, inside

LOG = "interstate.ssh.transport"
logging.getLogger(LOG).setLevel(logging.CRITICAL)  # what matters is in our exceptions; for more,
#                                                    set this logger's level to DEBUG

_DELAYED = "zlib@openssh.com"  # compression that begins once we are logged in
_CURVE = "curve25519-sha256"  # RFC 8731; paramiko knows it by the name that it had before
_WAYS = dict(inside(paramiko.Transport)._kex_info)
_WAYS[_CURVE] = _WAYS[f"{_CURVE}@libssh.org"]
_GOODBYE = 0.2  # seconds that close() waits for the connection's thread, which needs far less


class Transport(Refusing):
    """A paramiko transport over a wire.

    Args:
        wire: Connected to a server.
        name: What its thread is called.

    Attributes:
        conversation: Where attempts to log in are made.
        farewell: Why the server said that it disconnects, or "".
        environment: The variables that commands over there are to have.
        repeatable: Whether we were let in by what would let us in again, with nobody asked.
    """

    _kex_info = _WAYS
    _preferred_kex = (_CURVE, *inside(paramiko.Transport)._preferred_kex)

    def __init__(self, wire: Wire, name: str) -> None:
        super().__init__(cast(Any, wire), packetizer_class=Packets)
        self.set_log_channel(LOG)
        self.name = name
        self.wire = wire
        self._unsaid: list[Message] = []
        self.farewell = ""
        self.environment: tuple[tuple[str, str], ...] = ()
        self.repeatable = False
        self._asking: threading.Thread | None = None
        self._answered = threading.Event()
        self._most_unanswered = 0
        self.conversation = Handler(self)

    @property
    def heard(self) -> str:
        """The last line that came before the handshake: what it has instead of a greeting."""
        return cast(Packets, self.packetizer).heard

    @property
    def cut(self) -> bool:
        """Whether the hop before it was lost."""
        return isinstance(self.wire, Tunnel) and self.wire.cut

    def is_active(self) -> bool:
        """Whether it is there, as far as anybody has found who reads or writes.

        paramiko would say so until its thread has read to the end, and told all channels.
        """
        return super().is_active() and not cast(Packets, self.packetizer).broken

    def responds(self, seconds: float) -> bool:
        """Whether the server says anything within that time, asked or not; so it is there."""
        began = time.monotonic()
        self._answered.clear()
        self._ask_aside()  # who writes may be stuck
        return self._answered.wait(seconds) or cast(Packets, self.packetizer).latest >= began

    def _parse_request_failure(self, m: Message) -> None:
        inside(super())._parse_request_failure(m)
        self._answered.set()

    def _parse_request_success(self, m: Message) -> None:
        inside(super())._parse_request_success(m)
        self._answered.set()

    def handshake(
        self,
        algorithms: Callable[[tuple[str, ...]], tuple[str, ...]],
        deadline: Deadline,
        wanted: Algorithms = Algorithms(),  # noqa: B008  # it is frozen
        *,
        compressed: bool = False,
    ) -> None:
        """Agree on keys with the server.

        Args:
            algorithms: Puts the host key algorithms that may be used in the order to ask for them.
            deadline: When to give up.
            wanted: What ssh_config says of algorithms.
            compressed: Whether to ask for compression.

        Raises:
            WayError: ssh_config wants none of the algorithms that there are here.
            TimeoutError: The server was silent.
            SSHException, EOFError, OSError: There was no agreement.
        """
        self._offer(algorithms, wanted, compressed)
        self.banner_timeout = math.inf  # the deadline is for all of it
        done = threading.Event()
        self.wire.owner = self
        self.start_client(event=done)
        if not deadline.wait(done):
            raise TimeoutError
        if not self.is_active():
            raise self.get_exception() or paramiko.SSHException("negotiation failed")

    def _offer(
        self,
        algorithms: Callable[[tuple[str, ...]], tuple[str, ...]],
        wanted: Algorithms,
        compressed: bool,
    ) -> None:
        options, possible = self.get_security_options(), self._possible()
        certified = (name + SUFFIX for name in options.key_types)
        usual = (*certified, *options.key_types)
        named = offer("HostKeyAlgorithms", wanted.host_keys, usual, possible["HostKeyAlgorithms"])
        options.key_types = algorithms(named)
        options.kex = offer("KexAlgorithms", wanted.kex, options.kex, possible["KexAlgorithms"])
        ciphers = offer("Ciphers", wanted.ciphers, options.ciphers, possible["Ciphers"])
        options.ciphers, options.digests = offer_macs(
            wanted.macs, options.digests, possible["MACs"], ciphers, self._sealing()
        )
        if compressed:
            options.compression = (_DELAYED, "none")

    def _possible(self) -> dict[str, tuple[str, ...]]:
        """All algorithms that there are here, by keyword of ssh_config."""
        all_of = inside(self)
        return {
            "HostKeyAlgorithms": tuple(all_of._key_info),
            "Ciphers": tuple(all_of._cipher_info),
            "KexAlgorithms": tuple(all_of._kex_info),
            "MACs": tuple(all_of._mac_info),
        }

    def _sealing(self) -> set[str]:
        """The ciphers that need no MAC."""
        ciphers = inside(self)._cipher_info
        return {name for name, about in ciphers.items() if about.get("is_aead", False)}

    def _really_parse_kex_init(
        self, m: Message, ignore_first_byte: bool = False
    ) -> dict[str, list[str]]:
        parsed: dict[str, list[str]] = inside(super())._really_parse_kex_init(m, ignore_first_byte)
        spare_macs(parsed, self.preferred_ciphers, self.preferred_macs, self._sealing())
        return parsed

    def _parse_kex_init(self, m: Message) -> None:
        ours = {
            "HostKeyAlgorithms": self.preferred_keys,
            "Ciphers": self.preferred_ciphers,
            "KexAlgorithms": self.preferred_kex,
            "MACs": self.preferred_macs,
        }
        compare(ours, inside(self)._really_parse_kex_init(Message(m.asbytes())), self._possible())
        inside(super())._parse_kex_init(m)

    def _verify_key(self, host_key: bytes, sig: bytes) -> None:
        """Once a host's key was looked at, it is to stay that one."""
        looked_at = self.host_key
        inside(super())._verify_key(host_key, sig)
        if looked_at is not None and self.host_key != looked_at:
            self.host_key = looked_at
            raise paramiko.SSHException("it shows another host key than when we met it")
        if looked_at is None and self.session_id is not None:
            self.conversation.proof = host_key, self.session_id, sig

    @property
    def preferred_keys(self) -> tuple[str, ...]:
        """The host key algorithms to ask for; paramiko's own adds one for certificates to each."""
        return tuple(self.get_security_options().key_types)

    def ensure_session(self) -> None:
        """Ask for the user-authentication service, without waiting for the answer."""
        if self.auth_handler is None:
            message = Message()
            message.add_byte(cMSG_SERVICE_REQUEST)
            message.add_string("ssh-userauth")
            self.auth_handler = self.conversation
            inside(self)._send_message(message)

    def writable(self) -> bool:
        """Whether a small message can be sent without waiting for anything."""
        return self.clear_to_send.is_set() and self.wire.writable()

    def give_window(self, channel: paramiko.Channel, size: int) -> None:
        """Let the server send so many more bytes; on the connection's own thread."""
        message = Message()
        message.add_byte(cMSG_CHANNEL_WINDOW_ADJUST)
        message.add_int(channel.remote_chanid)
        message.add_int(size)
        self._send_user_message(message)

    def _send_user_message(self, message: Message) -> None:
        """Say something; while keys are agreed on anew, that may not be.

        Who has something to say waits for the end of it.  The connection's own thread must not, or
        there would be none: what it says, such as that a channel is closed, is said then.
        """
        if threading.current_thread() is not self:
            inside(super())._send_user_message(message)
            return
        with self.clear_to_send_lock:
            if self.clear_to_send.is_set():
                inside(self)._send_message(message)
            else:
                self._unsaid.append(message)

    def _parse_newkeys(self, m: Message) -> None:
        inside(super())._parse_newkeys(m)
        unsaid, self._unsaid = self._unsaid, []
        for message in unsaid:
            self._send_user_message(message)

    def renew_keys(self, size: int, seconds: int) -> None:
        """Have keys agreed on anew after so many bytes, each way, and seconds; 0: as usual."""
        cast(Packets, self.packetizer).renew(size, seconds)

    def settle_down(self, interval: int = 0, most: int = 3) -> None:
        """Block in reads from now on; `close` ends them by shutting the wire down.

        Args:
            interval: After so many seconds of silence the server is asked whether it is there; 0:
                never.
            most: How many questions may stay unanswered; after one more interval this is closed.
        """
        if interval:
            self._most_unanswered = most
            cast(Packets, self.packetizer).silence = self._bear_silence
        with contextlib.suppress(OSError):  # it may have hung up, as whoever uses it will see
            self.wire.settimeout(interval or None)

    def _bear_silence(self) -> None:
        packetizer = cast(Packets, self.packetizer)
        if packetizer.unanswered >= self._most_unanswered:
            self.farewell = "it did not answer any more (ServerAliveCountMax)"
            with contextlib.suppress(OSError):
                self.wire.shutdown(socket.SHUT_RDWR)
            return
        packetizer.unanswered += 1
        if self.writable():
            inside(self)._send_message(_question())
        elif isinstance(self.wire, Tunnel):
            self._ask_aside()

    def _ask_aside(self) -> None:
        """Ask on another thread: it may have to wait for who writes, and this one must not."""

        def ask() -> None:
            with contextlib.suppress(OSError, EOFError, paramiko.SSHException):  # who reads sees it
                inside(self)._send_user_message(_question())

        if self._asking is None or not self._asking.is_alive():
            self._asking = threading.Thread(target=ask, name=f"{self.name} alive", daemon=True)
            self._asking.start()

    def _parse_service_accept(self, m: Message) -> None:
        inside(super())._parse_service_accept(m)
        self._nudge()

    def _parse_global_request(self, m: Message) -> None:
        inside(super())._parse_global_request(m)
        self._nudge()

    def _nudge(self) -> None:
        """Send something, so that what the server has to say next comes at once.

        Until a command runs, sshd leaves Nagle's algorithm on: of two small messages in a row the
        second waits for the first's acknowledgement, which TCP delays by 40 ms unless it can go
        with data.  Where compression begins when we are let in, what crosses with that news would
        be taken as compressed, and is not: so nothing is sent then.
        """
        if self.local_compression == _DELAYED and not self.authenticated:
            return
        message = Message()
        message.add_byte(cMSG_IGNORE)
        message.add_string(b"")
        inside(self)._send_message(message)

    def _parse_disconnect(self, m: Message) -> None:
        m.get_int()
        self.farewell = printable(m.get_binary().decode("utf-8", "replace"))

    def close(self) -> None:
        """End the connection at once, from any thread, any number of times."""
        with contextlib.suppress(OSError):
            self.wire.shutdown(socket.SHUT_RDWR)
        if self.is_alive() and threading.current_thread() is not self:
            self.join(_GOODBYE)
        super().close()
        self.wire.close()
        if self.completion_event is not None:  # paramiko forgets who waits for the handshake
            self.completion_event.set()


def _question() -> Message:
    message = Message()
    message.add_byte(cMSG_GLOBAL_REQUEST)
    message.add_string("keepalive@openssh.com")
    message.add_boolean(True)
    return message


def execute(channel: paramiko.Channel, command: str, deadline: Deadline) -> bool:
    """Start a command on a session channel; return whether the server said yes, in time.

    Its stderr comes with its stdout: what nobody reads of either would stall both.
    """
    channel.set_combine_stderr(True)
    for name, value in cast(Transport, channel.get_transport()).environment:
        _request(channel, "env", name, os.fsencode(value), answered=False)  # as ssh
    channel.event.clear()
    channel.event_ready = False
    _request(channel, "exec", command, answered=True)
    return deadline.wait(channel.event) and channel.event_ready


def _request(channel: paramiko.Channel, kind: str, *texts: str | bytes, answered: bool) -> None:
    message = Message()
    message.add_byte(cMSG_CHANNEL_REQUEST)
    message.add_int(channel.remote_chanid)
    message.add_string(kind)
    message.add_boolean(answered)
    for text in texts:
        message.add_string(text)
    inside(channel.get_transport())._send_user_message(message)


def check_size(settings: Settings, key: paramiko.PKey) -> None:
    """Refuse an RSA host key of fewer bits than RequiredRSASize."""
    smallest = settings.algorithms.smallest_rsa
    if key.get_name() == "ssh-rsa" and key.get_bits() < smallest:
        raise WayError(
            HostKeyError,
            f"its RSA host key has {key.get_bits()} bits, fewer than RequiredRSASize {smallest}",
            "Its administrator should make a new one: see ssh-keygen.",
        )
