"""Our own keys: files and ssh-agents, read once for one executor."""

from __future__ import annotations

import base64
import re
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paramiko
from paramiko.agent import AgentSSH
from paramiko.message import Message
from paramiko.pkey import UnknownKeyType

from ..hosts import Host
from .asking import NOBODY, Asker
from .deadline import Deadline
from .settings import Settings

_MAGIC = b"openssh-key-v1\0"
_ARMOUR = re.compile(rb"-----BEGIN OPENSSH PRIVATE KEY-----(.*?)-----END", re.DOTALL)
_PASSPHRASES = 3  # as ssh: NumberOfPasswordPrompts
_AGENT_SECONDS = 60.0  # an agent may have to ask a person before it signs

Problem = (OSError, ValueError, TypeError, paramiko.SSHException, UnknownKeyType)


class KeyFile:
    """One private key file.

    Attributes:
        path: Where it is.
        blob: Its public half, as far as it is readable without a passphrase.
        key: The key, once it is there to sign with.
        locked: Whether it needs a passphrase that nobody has given yet.
        missing: Whether there is no such file.
        problem: Why it cannot be used, for the user to read; "" when it can.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.blob: bytes | None = None
        self.key: paramiko.PKey | None = None
        self.locked = self.missing = False
        self.problem = ""
        self._read()

    def _read(self) -> None:
        try:
            data = Path(self.path).read_bytes()
        except OSError as error:
            self.missing = isinstance(error, FileNotFoundError)
            self.problem = f"cannot be read: {error.strerror}"
            return
        public = _public_line(data)  # a public key names which of an agent's keys is meant
        self.blob = public or _public_in(data) or _public_beside(self.path)
        self.locked = _is_encrypted(data)
        if not self.locked and public is None:
            self._load()

    def _load(self) -> None:
        try:
            self.key = paramiko.PKey.from_path(self.path)
            self.blob = self.key.asbytes()
        except Problem as error:
            self.problem = f"cannot be read as a private key: {error}"

    def unlock(self, host: Host, asker: Asker, deadline: Deadline) -> None:
        """Ask for the passphrase, unless somebody has; see `key` and `problem` after."""
        if self.locked and not asker.can_ask():
            self.problem = f"needs a passphrase, and {NOBODY}"
            return
        with asker.turn(deadline):
            for _ in range(_PASSPHRASES):
                if self.locked:
                    self._try(asker.ask(host, f"Enter passphrase for key '{self.path}': "))
            if self.locked:
                self.locked, self.problem = False, "no right passphrase was given for it"

    def _try(self, passphrase: str) -> None:
        try:
            if passphrase:
                # cryptography wants bytes here, and paramiko takes them too
                self.key = paramiko.PKey.from_path(self.path, passphrase.encode())  # type: ignore[arg-type]
                self.locked = False
        except Problem:
            return


class Agent(AgentSSH):
    """An ssh-agent; any number of threads may have it sign at once.

    Args:
        path: Its socket.

    Raises:
        OSError, SSHException: It is not there, or not an agent.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        self._turn = threading.Lock()
        conn = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            conn.settimeout(_AGENT_SECONDS)
            conn.connect(path)
            self._connect(conn)  # type: ignore[attr-defined]
        except BaseException:
            conn.close()
            raise

    def _send_message(self, msg: Any) -> Any:
        with self._turn:
            return super()._send_message(msg)  # type: ignore[misc]

    def close(self) -> None:
        """Leave the agent."""
        self._close()  # type: ignore[attr-defined]


class Keyring:
    """Every key that one executor has looked at.  Its mutable state: files and agents, by path."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files: dict[str, KeyFile] = {}
        self._agents: dict[str, Agent | None] = {}

    def files(self, settings: Settings) -> list[KeyFile]:
        """Return the key files that a host's settings name, readable or not."""
        with self._lock:
            for path in settings.identity_files:
                if path not in self._files:
                    self._files[path] = KeyFile(path)
            return [self._files[path] for path in settings.identity_files]

    def agent_keys(self, settings: Settings) -> list[paramiko.AgentKey]:
        """Return the agent's keys to try: first those that are files too, then the others."""
        if settings.agent is None:
            return []
        named = {file.blob for file in self.files(settings) if file.blob}
        keys = list(self._keys_of(settings.agent))
        ours = [key for key in keys if key.asbytes() in named]
        others = [key for key in keys if key.asbytes() not in named]
        return ours if settings.identities_only else ours + others

    def _keys_of(self, path: str) -> Iterator[paramiko.AgentKey]:
        with self._lock:
            if path not in self._agents:
                self._agents[path] = _agent(path)
            agent = self._agents[path]
        yield from agent.get_keys() if agent else ()

    def close(self) -> None:
        """Leave the agents."""
        with self._lock:
            for agent in self._agents.values():
                if agent is not None:
                    agent.close()
            self._agents.clear()


def _agent(path: str) -> Agent | None:
    try:
        return Agent(path)
    except (OSError, paramiko.SSHException):
        return None  # as ssh: no agent is no error


def _header(data: bytes) -> tuple[str, bytes | None]:
    """The cipher, and the public half, that an OpenSSH private key shows openly."""
    armour = _ARMOUR.search(data)
    message = Message(base64.b64decode(armour[1]) if armour else b"")
    if message.get_bytes(len(_MAGIC)) != _MAGIC:
        return "none", None
    cipher = message.get_text()
    message.get_binary()  # the name of the key derivation, and its options
    message.get_binary()
    return cipher, message.get_binary() if message.get_int() == 1 else None


def _public_in(data: bytes) -> bytes | None:
    try:
        return _header(data)[1]
    except (ValueError, struct.error):
        return None


def _public_line(data: bytes) -> bytes | None:
    fields = data.split()
    if len(fields) < 2 or not fields[0].startswith((b"ssh-", b"ecdsa-", b"sk-")):
        return None
    try:
        return base64.b64decode(fields[1])
    except ValueError:
        return None


def _public_beside(path: str) -> bytes | None:
    try:
        return _public_line(Path(path + ".pub").read_bytes())
    except OSError:
        return None


def _is_encrypted(data: bytes) -> bool:
    try:
        return b"ENCRYPTED" in data[:400] or _header(data)[0] != "none"
    except (ValueError, struct.error):
        return False
