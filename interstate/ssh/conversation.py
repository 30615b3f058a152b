"""What is said between us and a server until it lets us in, message by message (RFC 4252, 4256)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paramiko.auth_handler import AuthOnlyHandler
from paramiko.common import cMSG_USERAUTH_INFO_RESPONSE, cMSG_USERAUTH_REQUEST
from paramiko.message import Message

from ..printable import printable
from .deadline import Deadline
from .fields import Fields
from .prompts import as_bytes
from .wires import inside

if TYPE_CHECKING:
    from .transport import Transport

Finish = Callable[[Message], object]


@dataclass(frozen=True)
class Questions:
    """What a server asks at once (RFC 4256), all of it its own words.

    Args:
        title: What it is about, or "".
        instructions: What there is to know first, or "".
        prompts: Each with whether what is typed may be seen.
    """

    title: str
    instructions: str
    prompts: tuple[tuple[str, bool], ...]


class Handler(AuthOnlyHandler):
    """One conversation about authentication, held by the thread that wants to log in.

    paramiko's own forgets which methods a server allows, misses an answer that comes fast, knows
    no deadline, and cannot ask about a key without signing.

    Attributes:
        allowed: The methods that the server said it allows; None before it has said so.
        partial: Whether the server wants more after a method that succeeded.
        willing: Whether the server would accept the key that it was asked about.
        questions: What the server asks.
        expired: What it said when it took a password, but wanted another one set.
        proof: What shows an agent whom we are logging in to: see SSHAgent.
    """

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport)
        self.allowed: list[str] | None = None
        self.proof: tuple[bytes, bytes, bytes] | None = None
        self._clear()

    def _clear(self) -> None:
        self.partial = self.willing = False
        self.questions: Questions | None = None
        self.expired = ""
        self.answered = False

    def request(self, user: str, method: str, finish: Finish, deadline: Deadline) -> bool:
        """Make one attempt; return whether we are logged in.

        Args:
            user: Whom to log in as.
            method: As RFC 4252 names it.
            finish: Adds the method's own fields to the message.
            deadline: When to give up.

        Raises:
            TimeoutError: The server was silent.
            EOFError, SSHException, OSError: It hung up, or talks nonsense.
        """
        message = Message()
        message.add_byte(cMSG_USERAUTH_REQUEST)
        for text in (user, "ssh-connection", method):
            message.add_string(text)
        self.auth_method, self.username = method, user
        finish(message)
        return self._exchange(message, deadline)

    def answer(self, answers: list[str], deadline: Deadline) -> bool:
        """Answer the server's questions; return whether we are logged in."""
        message = Message()
        message.add_byte(cMSG_USERAUTH_INFO_RESPONSE)
        message.add_int(len(answers))
        for answer in answers:
            message.add_string(as_bytes(answer))
        return self._exchange(message, deadline)

    def _exchange(self, message: Message, deadline: Deadline) -> bool:
        self._clear()
        event = self.auth_event = threading.Event()
        inside(self.transport)._send_message(message)
        if not deadline.wait(event):
            raise TimeoutError
        if not self.answered:
            raise self.transport.get_exception() or EOFError
        return self.authenticated

    def _parse_userauth_success(self, m: Message) -> None:
        self.answered = True
        inside(super())._parse_userauth_success(m)

    def _parse_userauth_failure(self, m: Message) -> None:
        self.allowed = [name for name in printable(_text(m)).split(",") if name]
        self.partial = m.get_boolean()
        self._answered()

    def _parse_userauth_info_request(self, m: Message) -> None:
        if self.auth_method == "publickey":  # the same number means: that key would do
            self.willing = True
        elif self.auth_method == "password":  # or: change it
            self.expired = _text(m) or "it has expired"
        else:
            self.questions = _questions(Fields(m.get_remainder()))
        self._answered()

    def _answered(self) -> None:
        self.answered = True
        if self.auth_event is not None:
            self.auth_event.set()

    @property
    def signatures(self) -> list[str] | None:
        """The signatures that the server says it knows (RFC 8308), if it says so."""
        said = inside(self.transport).server_extensions.get("server-sig-algs", b"")
        return str(said, "ascii", "replace").split(",") if said else None

    def signed(
        self, user: str, key: bytes, algorithm: str, sign: Callable[[bytes], bytes]
    ) -> Finish:
        """Sign; return what adds the key and its signature to a message.

        Args:
            user: Whom to log in as.
            key: The public key or certificate.
            algorithm: That to name.
            sign: Returns the signature of some bytes.
        """
        to_sign = Message()
        to_sign.add_string(self.transport.session_id or b"")
        to_sign.add_byte(cMSG_USERAUTH_REQUEST)
        for text in (user, "ssh-connection", "publickey"):
            to_sign.add_string(text)
        to_sign.add_boolean(True)
        to_sign.add_string(algorithm)
        to_sign.add_string(key)
        signature = sign(to_sign.asbytes())

        def finish(message: Message) -> None:
            message.add_boolean(True)
            message.add_string(algorithm)
            message.add_string(key)
            message.add_string(signature)

        return finish

    def unsigned(self, key: bytes, algorithm: str) -> Finish:
        """Return what adds a public key to a message that asks whether it would be accepted."""

        def finish(message: Message) -> None:
            message.add_boolean(False)
            message.add_string(algorithm)
            message.add_string(key)

        return finish


def _questions(fields: Fields) -> Questions:
    title, instructions, _ = (_readable(fields) for _ in ("title", "instructions", "language"))
    count = fields.number(4)
    prompts = tuple((_readable(fields), fields.number(1) != 0) for _ in range(count))
    return Questions(title, instructions, prompts)


def _readable(fields: Fields) -> str:
    return fields.string().decode("utf-8", "replace")


def _text(message: Message) -> str:
    return message.get_binary().decode("utf-8", "replace")
