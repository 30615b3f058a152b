"""What is said between us and a server until it lets us in, message by message (RFC 4252, 4256)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import paramiko
from paramiko.auth_handler import AuthOnlyHandler
from paramiko.common import cMSG_USERAUTH_INFO_RESPONSE, cMSG_USERAUTH_REQUEST
from paramiko.message import Message

from .deadline import Deadline
from .wires import inside

if TYPE_CHECKING:
    from .transport import Transport

Finish = Callable[[Message], object]


class Handler(AuthOnlyHandler):
    """One conversation about authentication, held by the thread that wants to log in.

    paramiko's own forgets which methods a server allows, misses an answer that comes fast, knows
    no deadline, and cannot ask about a key without signing.

    Attributes:
        allowed: The methods that the server said it allows; None before it has said so.
        partial: Whether the server wants more after a method that succeeded.
        willing: Whether the server would accept the key that it was asked about.
        questions: What the server asks, as (prompt, echo).
    """

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport)
        self.allowed: list[str] | None = None
        self._clear()

    def _clear(self) -> None:
        self.partial = self.willing = False
        self.questions: list[tuple[str, bool]] | None = None
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
            EOFError: It hung up.
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
            message.add_string(answer)
        return self._exchange(message, deadline)

    def _exchange(self, message: Message, deadline: Deadline) -> bool:
        self._clear()
        event = self.auth_event = threading.Event()
        inside(self.transport)._send_message(message)
        if not deadline.wait(event):
            raise TimeoutError
        if not self.answered:
            raise EOFError
        return self.authenticated

    def _parse_userauth_success(self, m: Message) -> None:
        self.answered = True
        inside(super())._parse_userauth_success(m)

    def _parse_userauth_failure(self, m: Message) -> None:
        self.allowed = m.get_list()
        self.partial = m.get_boolean()
        self._answered()

    def _parse_userauth_info_request(self, m: Message) -> None:
        if self.auth_method == "publickey":  # the same number means: that key would do
            self.willing = True
        else:
            for _ in ("title", "instructions", "language"):
                m.get_binary()
            self.questions = [(m.get_text(), m.get_boolean()) for _ in range(m.get_int())]
        self._answered()

    def _answered(self) -> None:
        self.answered = True
        if self.auth_event is not None:
            self.auth_event.set()

    def signed(self, user: str, key: paramiko.PKey) -> Finish:
        """Sign; return what adds the key and its signature to a message.

        Raises:
            SSHException, OSError: The agent does not sign, or no algorithm would do.
        """
        kind, bits = inside(self)._get_key_type_and_bits(key)
        algorithm = inside(self)._finalize_pubkey_algorithm(kind)
        blob = inside(self)._get_session_blob(key, "ssh-connection", user, algorithm)

        signature = key.sign_ssh_data(blob, algorithm)

        def finish(message: Message) -> None:
            message.add_boolean(True)
            message.add_string(algorithm)
            message.add_string(bits)
            message.add_string(signature)

        return finish

    def unsigned(self, blob: bytes) -> Finish:
        """Return what adds a public key to a message that asks whether it would be accepted."""
        kind = Message(blob).get_text()
        algorithm = inside(self)._finalize_pubkey_algorithm(kind)

        def finish(message: Message) -> None:
            message.add_boolean(False)
            message.add_string(algorithm)
            message.add_string(blob)

        return finish
