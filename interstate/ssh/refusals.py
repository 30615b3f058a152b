"""Why a server does not open a channel: told to whoever asked for that one.

paramiko keeps one such error for all of a connection, with words of its own: of many that are
refused at once, as behind a hop, most would learn nothing.
"""

from __future__ import annotations

import threading

import paramiko
from paramiko.message import Message
from paramiko.transport import ServiceRequestingTransport

from ..printable import printable
from .wires import inside

_EXPECTED = paramiko.SSHException, EOFError, OSError


class Refusing(ServiceRequestingTransport):
    """A transport that keeps each refusal for the thread that it is meant for."""

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        self._refused: dict[int, paramiko.ChannelException] = {}
        self._asked = threading.local()  # which channel a thread asks for

    def _next_channel(self) -> int:
        number: int = inside(super())._next_channel()
        self._asked.number = number
        return number

    def get_exception(self) -> Exception | None:
        refused = self._refused.pop(getattr(self._asked, "number", -1), None)
        error = refused or super().get_exception()
        if error is None or isinstance(error, _EXPECTED):
            return error
        odd = paramiko.SSHException(f"what it says is no SSH ({type(error).__name__}: {error})")
        odd.__cause__ = error  # whatever paramiko stumbled over
        return odd

    def _parse_channel_open_failure(self, m: Message) -> None:
        number, code = m.get_int(), m.get_int()
        told = printable(m.get_binary().decode("utf-8", "replace"))
        with self.lock:
            event = self.channel_events.pop(number, None)
            if event is not None:
                self._refused[number] = paramiko.ChannelException(code, told)
                inside(self)._channels.delete(number)
                event.set()
