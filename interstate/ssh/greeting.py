"""The first words of a server: its greeting, or what it says instead, and what that means.

Nothing is heard out that is no SSH: paramiko would go on reading for as long as something comes.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import paramiko
from paramiko.message import Message
from paramiko.packet import Packetizer

from ..errors import ConnectError
from .agreeing import DisagreedError
from .deadline import Deadline
from .trouble import BusyError, WayError
from .wires import Command, inside

if TYPE_CHECKING:
    from .transport import Transport

_OTHERS = re.compile(r"HTTP/|220[ -]|\+OK|\* OK|-ERR|RFB |AMQP")  # how other servers begin
_BUSY = re.compile("exceeded|too many|busy|again|not allowed|overload|refused", re.IGNORECASE)
_LONGEST = 8192  # bytes before a greeting, as ssh has it of a line; ours is of all lines together
_LEAST_OF_KEYS = 1 << 16  # bytes: fewer would have all the time gone to agreeing on new ones
_LARGEST = 1 << 20  # bytes of a packet: ours are of 256 KiB at most
_TURNED_AWAY = "kex_exchange_identification", "ssh_exchange_identification"  # says ssh as a
#                                                       ProxyCommand, when the server hangs up


class Packets(Packetizer):
    """The packets of a connection, and before them the lines until the greeting.

    Attributes:
        heard: The last line that came before the handshake, or as much of it as came.
        unanswered: How many questions of ours the server has left without an answer.
        latest: When it last said something, as `time.monotonic()` counts.
        broken: Whether it was found, by who reads or who writes, that the connection is gone.
        silence: Called when nothing came for as long as the wire waits.
    """

    heard = ""
    unanswered = 0
    latest = -math.inf
    broken = False
    silence: Callable[[], None] | None = None
    _before = 0
    _lifetime, _end = 0, math.inf  # of the keys: seconds, and when they are over

    def renew(self, size: int, seconds: int) -> None:
        """Have keys agreed on anew after so many bytes, each way, and seconds; 0: as usual."""
        if size:
            self.REKEY_BYTES = max(size, _LEAST_OF_KEYS)
        if seconds:
            self._lifetime, self._end = seconds, time.monotonic() + seconds

    def start_handshake(self, timeout: float) -> None:
        """Start no timer."""

    def _check_keepalive(self) -> None:  # a read timed out
        if self.silence is not None:
            self.silence()

    def read_message(self) -> tuple[int, Message]:
        message: tuple[int, Message] = super().read_message()
        self.unanswered = 0
        self.latest = time.monotonic()
        if self.latest >= self._end:
            self._end += self._lifetime
            inside(self)._trigger_rekey()
        return message

    def read_all(self, n: int, check_rekey: bool = False) -> bytes:
        if n > _LARGEST:
            raise paramiko.SSHException("what it says after its greeting is no SSH")
        try:
            data: bytes = super().read_all(n, check_rekey)
        except (EOFError, OSError):
            self.broken = True
            raise
        return data

    def write_all(self, out: Any) -> None:
        try:
            super().write_all(out)
        except EOFError:  # what it says of every failure
            self.broken = True
            raise

    def readline(self, timeout: float) -> str:
        data: bytes = inside(self)._Packetizer__remainder
        while b"\n" not in data:
            self._hear(data)
            data += inside(self)._read_timeout(timeout)
        line, _, rest = data.partition(b"\n")
        inside(self)._Packetizer__remainder = rest
        self._hear(line)
        self._before += len(line)
        return self.heard

    def _hear(self, data: bytes) -> None:
        if data or not self.heard:
            self.heard = data.removesuffix(b"\r").decode("utf-8", "backslashreplace")
        greets = self.heard.startswith("SSH-")
        if not greets and (b"\0" in data or _OTHERS.match(self.heard)):
            raise paramiko.SSHException("that is no greeting of SSH")
        if self._before + len(data) > _LONGEST:
            raise paramiko.SSHException(f"no greeting of SSH in {_LONGEST} bytes")


def no_handshake(
    transport: Transport, error: Exception, deadline: Deadline
) -> WayError | BusyError:
    """Return what a failed handshake means: a busy server, a silent one, or none of SSH at all."""
    if isinstance(error, DisagreedError):
        return error.trouble
    if isinstance(error, TimeoutError):
        return _silent(transport.heard, deadline)
    heard = _quoted(transport.heard)
    if isinstance(transport.wire, Command):
        return _no_command(transport.wire, heard)
    if not transport.heard.startswith("SSH-"):
        return _no_greeting(transport.heard, heard)
    if transport.heard.startswith("SSH-1.") and not transport.heard.startswith("SSH-1.99"):
        return WayError(
            ConnectError,
            f"it speaks version 1 of SSH alone, which protects nothing any more{heard}",
            "Its administrator should install a newer sshd. Or is the port another device's?",
            "it speaks version 1 of SSH alone",
        )
    if not transport.initial_kex_done and not isinstance(error, EOFError | OSError):
        return WayError(
            ConnectError,
            f"no handshake with it: {error}{heard}",
            "See `ssh -v`.",
            f"no handshake with it: {error}",
        )
    return BusyError(f"it hung up during the handshake{heard}")


def _quoted(heard: str) -> str:
    return f"; it said {heard[:200]!r}" if heard else ""


def _silent(heard: str, deadline: Deadline) -> WayError:
    within = f"gave no answer within {deadline.seconds:.3g} s"
    if heard and not heard.startswith("SSH-"):
        return WayError(
            ConnectError,
            f"it took the connection, said {heard[:200]!r}, and {within}",
            "That is no greeting of SSH: is the port right?",
            "no SSH server listens there",
        )
    return WayError(
        ConnectError,
        f"it {'greeted us' if heard else 'took the connection'}, and {within}",
        "Is it an SSH server that listens there? If it is only slow, give it more time.",
        "it took the connection, and gave no answer in time",
    )


def _no_command(command: Command, heard: str) -> WayError | BusyError:
    complaint = command.complaint()
    if any(sign in complaint for sign in _TURNED_AWAY):
        return BusyError(f"its ProxyCommand was turned away: {complaint}")
    return WayError(
        ConnectError,
        f"its ProxyCommand led to no SSH server{heard}: {complaint or 'it ended without a word'}",
        "Try that command in a shell: it should greet with `SSH-2.0-…`, and ask nothing, for here "
        "it has no terminal. A ProxyJump in place of `ssh -W` may ask.",
        "its ProxyCommand led to no SSH server",
    )


def _no_greeting(line: str, heard: str) -> WayError | BusyError:
    """A server that says why it turns us away is busy; any other that says something is no sshd."""
    if not line or (_BUSY.search(line) and not _OTHERS.match(line)):
        return BusyError(f"it hung up before it greeted us{heard}")
    return WayError(
        ConnectError,
        f"no SSH server listens there{heard}",
        "Is the port right?",
        "no SSH server listens there",
    )
