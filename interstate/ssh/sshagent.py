"""The ssh-agent: which keys it has, and having it sign (draft-ietf-sshm-ssh-agent).

What it signs with is its own affair, be it a key of a type unknown here or on a security key: what
it says is passed on as it is.
"""

from __future__ import annotations

import itertools
import socket
import struct
import time

from ..printable import printable
from .fields import Fields
from .identities import Identity
from .publickeys import PublicKey, signed_with, string

_REQUEST_IDENTITIES, _IDENTITIES = 11, 12
_SIGN_REQUEST, _SIGN_RESPONSE = 13, 14
_EXTENSION, _BIND = 27, b"session-bind@openssh.com"
_FLAGS = {"rsa-sha2-256": 2, "rsa-sha2-512": 4}
_LARGEST = 1 << 18  # bytes of an answer, as OpenSSH
_SOON, _PATIENCE = 10.0, 60.0  # seconds: it may have to ask a person before it signs


class AgentError(Exception):
    """The agent is not there, or does not do it."""


class SSHAgent:
    """An ssh-agent; any number of threads may use it at once, and each asks on its own connection.

    Args:
        path: Its socket.
        proof: The host key, the session's identifier and the host's signature of that, which show
            who is logged in to: some keys are for some hosts alone (`ssh-add -h`).
    """

    def __init__(self, path: str, proof: tuple[bytes, bytes, bytes] | None = None) -> None:
        self._path = path
        self._proof = proof

    def identities(self) -> list[Identity]:
        """Return its keys and certificates, in its order.

        Raises:
            AgentError: It is not there.
        """
        answer = Fields(self._ask(bytes([_REQUEST_IDENTITIES]), _IDENTITIES, _SOON))
        try:
            pairs = [(answer.string(), answer.string()) for _ in range(answer.number(4))]
        except ValueError as error:
            raise AgentError(f"the agent's answer is malformed: {error}") from error
        return list(filter(None, itertools.starmap(_identity, pairs)))

    def sign(self, key: PublicKey, data: bytes, algorithm: str) -> bytes:
        """Return the agent's signature, as it is on the wire.

        Raises:
            AgentError: It is not there, or refuses.
        """
        flags = struct.pack(">I", _FLAGS.get(signed_with(algorithm), 0))
        request = bytes([_SIGN_REQUEST]) + string(key.blob) + string(data) + flags
        try:
            return Fields(self._ask(request, _SIGN_RESPONSE, _PATIENCE)).string()
        except ValueError as error:
            raise AgentError(f"the agent's answer is malformed: {error}") from error

    def _ask(self, request: bytes, expected: int, seconds: float) -> bytes:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                end = time.monotonic() + seconds
                connection.settimeout(seconds)
                connection.connect(self._path)
                if self._proof is not None:  # an agent that does not know of that says no
                    self._exchange(connection, _binding(*self._proof), end)
                answer = self._exchange(connection, request, end)
        except (OSError, ValueError) as error:
            raise AgentError(f"the agent at {self._path}: {error}") from error
        if answer[0] != expected:
            raise AgentError("the agent refuses")
        return answer[1:]

    def _exchange(self, connection: socket.socket, request: bytes, end: float) -> bytes:
        connection.sendall(string(request))
        (length,) = struct.unpack(">I", _exactly(connection, 4, end))
        if not 0 < length <= _LARGEST:
            raise AgentError(f"the agent at {self._path} is none")
        return _exactly(connection, length, end)


def _binding(*proof: bytes) -> bytes:
    is_forwarding = b"\0"
    return bytes([_EXTENSION]) + b"".join(map(string, (_BIND, *proof))) + is_forwarding


def _identity(blob: bytes, comment: bytes) -> Identity | None:
    """What the agent has; None for what is of a kind that is yet to come: it is not offered."""
    try:
        key = PublicKey(blob)
    except ValueError:
        return None
    name = printable(comment.decode(errors="replace") or key.kind)
    return Identity(f"the agent's {name}", key, in_agent=True)


def _exactly(connection: socket.socket, size: int, end: float) -> bytes:
    data = b""
    while len(data) < size:
        connection.settimeout(max(end - time.monotonic(), 0.001))
        more = connection.recv(size - len(data))
        if not more:
            raise OSError("it hung up")
        data += more
    return data
