"""One SSH connection: paramiko's transport, with every wait bounded and nothing left behind.

What paramiko 5.1 does otherwise, and why it is changed here:

- A timer thread per handshake, which outlives a failed one: the deadline bounds the handshake.
- `start_client(timeout=)` returns as if all were well when it times out; so it is not used.
- Asking for the user-authentication service costs a round trip for each attempt, or a wait of
  0.1 s: it is asked for once, and the first attempt follows at once, as RFC 4252 allows.
- It polls ten times a second, in every thread: see `settle_down`.
- A disconnect's reason only goes to the log.
"""

from __future__ import annotations

import contextlib
import logging
import math
import socket
import threading
from collections.abc import Callable, Sequence
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
from paramiko.packet import Packetizer
from paramiko.transport import ServiceRequestingTransport

from ..errors import ConnectError
from .conversation import Handler
from .deadline import Deadline
from .trouble import BusyError, WayError
from .wires import Command, Wire, inside

LOG = "interstate.ssh.transport"
logging.getLogger(LOG).setLevel(logging.CRITICAL)  # what matters is in our exceptions; for more,
#                                                    set this logger's level to DEBUG

_FAST = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com")  # 1.4 times paramiko's first choice
_SECURE = "mlkem768x25519-sha256"  # also from who records it now and has a quantum computer later
_CHEAP = "ecdh-sha2-nistp256"  # a tenth of what it takes sshd to let us in is spared by this
_GOODBYE = 0.2  # seconds that close() waits for the connection's thread, which needs far less


class _Packetizer(Packetizer):
    heard = ""

    def start_handshake(self, timeout: float) -> None:
        """Start no timer."""

    def readline(self, timeout: float) -> str:
        self.heard = super().readline(timeout)
        return self.heard


class Transport(ServiceRequestingTransport):
    """A paramiko transport over a wire.

    Args:
        wire: Connected to a server.
        name: What its thread is called.

    Attributes:
        conversation: Where attempts to log in are made.
        farewell: Why the server said that it disconnects, or "".
    """

    def __init__(self, wire: Wire, name: str) -> None:
        super().__init__(cast(Any, wire), packetizer_class=_Packetizer)
        self.set_log_channel(LOG)
        self.name = name
        self.wire = wire
        self._unsaid: list[tuple[paramiko.Channel, int]] = []
        self.farewell = ""
        self._answered = threading.Event()
        self.conversation = Handler(self)

    @property
    def heard(self) -> str:
        """The last line that came before the handshake: what it has instead of a greeting."""
        return cast(_Packetizer, self.packetizer).heard

    def responds(self, seconds: float) -> bool:
        """Whether the server answers anything within that time; so it is there."""
        self._answered.clear()
        message = Message()
        message.add_byte(cMSG_GLOBAL_REQUEST)
        message.add_string("keepalive@openssh.com")
        message.add_boolean(True)
        inside(self)._send_user_message(message)
        return self._answered.wait(seconds)

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
    ) -> None:
        """Agree on keys with the server.

        Args:
            algorithms: Puts the possible host key algorithms in the order to ask for them.
            deadline: When to give up.

        Raises:
            TimeoutError: The server was silent.
            SSHException, EOFError, OSError: There was no agreement.
        """
        options = self.get_security_options()
        options.key_types = algorithms(tuple(options.key_types))
        options.ciphers = _first(_FAST, options.ciphers)
        options.kex = _first((_SECURE, _CHEAP), options.kex)
        self.banner_timeout = math.inf  # the deadline is for all of it
        done = threading.Event()
        self.wire.owner = self
        self.start_client(event=done)
        if not deadline.wait(done):
            raise TimeoutError
        if not self.is_active():
            raise self.get_exception() or paramiko.SSHException("negotiation failed")

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
        """Let the server send so many more bytes; on the connection's own thread.

        While keys are agreed on anew, that may not be said, and this thread must not wait for the
        end of it: it is said then.
        """
        if not self.clear_to_send.is_set():
            self._unsaid.append((channel, size))
            return
        message = Message()
        message.add_byte(cMSG_CHANNEL_WINDOW_ADJUST)
        message.add_int(channel.remote_chanid)
        message.add_int(size)
        inside(self)._send_message(message)

    def _parse_newkeys(self, m: Message) -> None:
        inside(super())._parse_newkeys(m)
        unsaid, self._unsaid = self._unsaid, []
        for channel, size in unsaid:
            self.give_window(channel, size)

    def settle_down(self) -> None:
        """Block in reads from now on; `close` ends them by shutting the wire down."""
        self.wire.settimeout(None)

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
        with data.
        """
        message = Message()
        message.add_byte(cMSG_IGNORE)
        message.add_string(b"")
        inside(self)._send_message(message)

    def _parse_disconnect(self, m: Message) -> None:
        m.get_int()
        self.farewell = m.get_text()

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


def _first(wanted: Sequence[str], possible: Sequence[str]) -> tuple[str, ...]:
    """What is possible, with what is wanted before the rest."""
    return tuple(sorted(possible, key=lambda name: name not in wanted))


def execute(channel: paramiko.Channel, command: str, deadline: Deadline) -> bool:
    """Start a command on a session channel; return whether the server did, in time.

    Its stderr comes with its stdout: what nobody reads of either would stall both.
    """
    channel.set_combine_stderr(True)
    message = Message()
    message.add_byte(cMSG_CHANNEL_REQUEST)
    message.add_int(channel.remote_chanid)
    message.add_string("exec")
    message.add_boolean(True)
    message.add_string(command)
    channel.event.clear()
    channel.event_ready = False
    inside(channel.get_transport())._send_user_message(message)
    if not deadline.wait(channel.event):
        return False
    return channel.event_ready or channel.recv_ready()  # a hasty server may skip the yes


def no_handshake(
    transport: Transport, error: Exception, deadline: Deadline
) -> WayError | BusyError:
    """Return what a failed handshake means: a busy server, a silent one, or none of SSH at all."""
    heard = f"; it said {transport.heard[:200]!r}" if transport.heard else ""
    if isinstance(error, TimeoutError):
        return WayError(
            ConnectError,
            f"it took the connection, and gave no answer within {deadline.seconds:.3g} s",
            "Is it an SSH server that listens there? If it is only slow, give it more time.",
        )
    if isinstance(transport.wire, Command):
        return WayError(
            ConnectError,
            f"its ProxyCommand led to no SSH server{heard}: "
            f"{transport.wire.complaint() or 'it ended without a word'}",
            "Try that command in a shell: it should greet with `SSH-2.0-…`.",
        )
    if (
        not transport.initial_kex_done
        and transport.heard.startswith("SSH-")
        and not isinstance(error, EOFError | OSError)
    ):
        return WayError(ConnectError, f"no handshake with it: {error}", "See `ssh -v`.")
    if transport.heard.startswith(("HTTP", "220")):
        return WayError(ConnectError, f"no SSH server listens there{heard}", "Is the port right?")
    return BusyError(f"{error or 'the server hung up'}{heard}")
