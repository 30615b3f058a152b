"""A server that asks: for passwords, and by keyboard-interactive whatever a test has it ask.

It is played, by paramiko's server: a real sshd asks only by way of PAM, or of accounts with
passwords, which a test cannot have everywhere.

    with AskingServer(keys, tmp_path, Rules(password="x")) as server:
        hosts = server.hosts(50)
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import paramiko
from paramiko.common import (
    AUTH_FAILED,
    AUTH_PARTIALLY_SUCCESSFUL,
    AUTH_SUCCESSFUL,
    OPEN_SUCCEEDED,
)
from paramiko.server import InteractiveQuery

from interstate.hosts import Host

from .sshd import Keys, loopback_addresses

Round = tuple[str, str, Sequence[tuple[str, bool]]]  # a title, instructions, prompts
Judge = Callable[[str, list[str]], bool]  # given the host's address, and the answers


@dataclass(frozen=True)
class Rules:
    """What lets in.

    Attributes:
        steps: The methods that must succeed, one after another; of each any one between commas.
        password: Right on a host that `passwords` does not have.
        passwords: The right ones by address.
        rounds: What keyboard-interactive asks, round by round.
        expired: What is said in place of letting in by a password: another one must be set.
        judge: Whether the answers of all rounds are right; default: the first is the password.
    """

    steps: Sequence[str] = ("password",)
    password: str = ""
    passwords: dict[str, str] = field(default_factory=dict)
    rounds: Sequence[Round] = (("", "", [("Password: ", False)]),)
    expired: str = ""
    judge: Judge | None = None

    def is_right(self, address: str, password: str) -> bool:
        return password == self.passwords.get(address, self.password)


class AskingServer:
    """It listens on loopback addresses, as `hosts` hands them out.

    Args:
        keys: Its host key; the client's key is accepted.
        directory: For its known_hosts.
        rules: What lets in.

    Attributes:
        tried: What was tried, as (address, method, what): a password, or all answers.
    """

    def __init__(self, keys: Keys, directory: Path, rules: Rules) -> None:
        self.rules = rules
        self.tried: list[tuple[str, str, object]] = []
        self.client_key = paramiko.PKey.from_path(keys.client)
        self._key = paramiko.PKey.from_path(keys.host)
        self._known = directory / "known_of_asking"
        self._transports: list[paramiko.Transport] = []
        self._port = 0
        self._listeners: dict[str, tuple[socket.socket, threading.Thread]] = {}

    def __enter__(self) -> AskingServer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for listener, thread in self._listeners.values():
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            listener.close()
        for transport in self._transports:
            transport.close()
            transport.join(60)

    def hosts(self, count: int = 1) -> list[Host]:
        addresses = loopback_addresses(count)
        for address in addresses:
            if address not in self._listeners:
                self._listen(address)
        port = self._port
        line = f"{self._key.get_name()} {self._key.get_base64()}"
        known = "".join(f"[{address}]:{port} {line}\n" for address in addresses)
        self._known.write_text(known)
        return [
            Host(address, "me", port, known_hosts_file=str(self._known)) for address in addresses
        ]

    def _listen(self, address: str) -> None:
        listener = socket.create_server((address, self._port), backlog=128)
        self._port = listener.getsockname()[1]
        thread = threading.Thread(target=self._serve, args=(listener,), name="asking server")
        self._listeners[address] = listener, thread
        thread.start()

    def _serve(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                address = connection.getsockname()[0]
                transport = paramiko.Transport(connection)
                self._transports.append(transport)
                transport.add_server_key(self._key)
                session = _Session(self, address, transport)
                transport.start_server(event=threading.Event(), server=session)


class _Session(paramiko.ServerInterface):
    def __init__(self, server: AskingServer, address: str, transport: paramiko.Transport) -> None:
        self.transport = transport
        self._server = server
        self._rules = server.rules
        self._address = address
        self._steps = list(server.rules.steps)
        self._answers: list[str] = []
        self._rounds: list[Round] = []

    def get_allowed_auths(self, username: str) -> str:
        return self._steps[0] if self._steps else ""

    def _is_wanted(self, method: str) -> bool:
        return bool(self._steps) and method in self._steps[0].split(",")

    def _outcome(self, method: str, right: bool) -> int:
        if not (right and self._is_wanted(method)):
            return AUTH_FAILED
        self._steps.pop(0)
        return AUTH_PARTIALLY_SUCCESSFUL if self._steps else AUTH_SUCCESSFUL

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        return self._outcome("publickey", key == self._server.client_key)

    def check_auth_password(self, username: str, password: str) -> int:
        self._server.tried.append((self._address, "password", password))
        if self._rules.expired:
            self._want_another()
        return self._outcome("password", self._rules.is_right(self._address, password))

    def _want_another(self) -> None:
        message = paramiko.Message()
        message.add_byte(bytes([60]))  # SSH_MSG_USERAUTH_PASSWD_CHANGEREQ
        message.add_string(self._rules.expired)
        message.add_string("")
        self.transport._send_message(message)  # type: ignore[attr-defined]

    def check_auth_interactive(self, username: str, submethods: str) -> int | InteractiveQuery:
        if not self._is_wanted("keyboard-interactive"):
            return AUTH_FAILED
        self._answers, self._rounds = [], list(self._rules.rounds)
        return self._next_round()

    def _next_round(self) -> InteractiveQuery:
        title, instructions, prompts = self._rounds.pop(0)
        return InteractiveQuery(title, instructions, *prompts)

    def check_auth_interactive_response(self, responses: list[str]) -> int | InteractiveQuery:
        self._answers += responses
        if self._rounds:
            return self._next_round()
        answers = [*self._answers]
        self._server.tried.append((self._address, "keyboard-interactive", answers))
        judge = self._rules.judge
        if judge is not None:
            return self._outcome("keyboard-interactive", judge(self._address, answers))
        right = self._rules.is_right(self._address, answers[0])
        return self._outcome("keyboard-interactive", right)

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        threading.Thread(target=self._run, args=(channel,)).start()
        return True

    def _run(self, channel: paramiko.Channel) -> None:
        with contextlib.suppress(OSError, EOFError):  # the client has read it, and is gone
            channel.sendall(b"ok")
            channel.close()
