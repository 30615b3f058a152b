"""Our own keys: files and ssh-agents, read once for one executor."""

from __future__ import annotations

import base64
import errno
import logging
import os
import re
import stat
import threading

from ..hosts import Host
from .asking import Asker
from .deadline import Deadline
from .fields import Fields
from .identities import Identity, in_order, too_short
from .privatekeys import PrivateKey, WrongPassphraseError
from .publickeys import PublicKey, from_line
from .settings import Settings
from .sshagent import AgentError, SSHAgent

NOT_UNLOCKED = "no right passphrase was given for it"  # a problem of a KeyFile
_MAGIC = b"openssh-key-v1\0"
_ARMOUR = re.compile(rb"-----BEGIN OPENSSH PRIVATE KEY-----(.*?)-----END", re.DOTALL)
_OTHERS = 0o077
_LARGEST = 1 << 20  # bytes of a key file, as OpenSSH
_log = logging.getLogger("interstate")


class KeyFile:
    """One private key file.

    Attributes:
        path: Where it is.
        public: Its public half, as far as it is readable without a passphrase.
        private: The key, once it is there to sign with.
        locked: Whether it needs a passphrase that nobody has given yet.
        missing: Whether there is no such file.
        exposed: Whether it is not used because others can read it.
        problem: Why it cannot be used, for the user to read; "" when it can.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.public: PublicKey | None = None
        self.private: PrivateKey | None = None
        self.locked = self.missing = self.exposed = False
        self.problem = ""
        self._data = b""
        self._read()

    def __repr__(self) -> str:
        return f"<key file {self.path}{': ' * bool(self.problem)}{self.problem}>"

    def _read(self) -> None:
        try:
            self._data = _contents(self.path)
        except OSError as error:
            self.missing = isinstance(error, FileNotFoundError)
            self.problem = f"cannot be read: {error.strerror}"
        public = from_line(self._data)  # which of an agent's keys is meant
        self.public = public or _public_in(self._data) or _shown_in(f"{self.path}.pub")
        if self.problem:
            return
        if public is not None:
            self.problem = "is a public key, and no agent has its private half"
        elif self.public is not None and self.public.kind.startswith("sk-"):
            self.problem = "is on a security key, and not in an agent: see ssh-add"
        else:
            self.problem = _too_open(self.path)
            self.exposed = bool(self.problem)
        if not self.problem:
            self.locked = _is_encrypted(self._data)
            self._load()

    def _load(self, passphrase: str | None = None) -> None:
        if self.locked and passphrase is None:
            return
        try:
            self.private = PrivateKey(self._data, passphrase)
            self.public = self.private.public
        except ValueError as error:
            self.problem = f"cannot be read as a private key: {error}"
        self.locked, self._data = False, b""

    def unlock(self, host: Host, asker: Asker, most: int, deadline: Deadline) -> None:
        """Ask for the passphrase, unless somebody has; see `private` and `problem` after.

        Args:
            host: For which host the key is needed first.
            asker: Whom to ask.
            most: How often, at least once.
            deadline: When to give up waiting for one's turn.
        """
        with asker.turn(deadline):
            for _ in range(most):
                if not self.locked:
                    return
                passphrase = asker.ask(host, f"Enter passphrase for key '{self.path}': ")
                if not passphrase:
                    break
                self._try(passphrase)
            if self.locked:
                self.locked, self._data = False, b""
                self.problem = NOT_UNLOCKED

    def _try(self, passphrase: str) -> None:
        try:
            self._load(passphrase)
        except WrongPassphraseError:
            return


class Keyring:
    """Every key that one executor has looked at.

    Its mutable state: files and their certificates, by path; of which files was warned.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files: dict[str, KeyFile] = {}
        self._certificates: dict[str, PublicKey | None] = {}
        self._warned: set[str] = set()

    def file(self, path: str) -> KeyFile:
        """Return a key file, readable or not."""
        with self._lock:
            if path not in self._files:
                self._files[path] = KeyFile(path)
            return self._files[path]

    def identities(
        self, settings: Settings, proof: tuple[bytes, bytes, bytes] | None = None
    ) -> tuple[list[Identity], list[str]]:
        """Return what there is to offer to a host, in order, and why something else is not.

        Args:
            settings: What holds for the host.
            proof: What shows an agent which host that is: see SSHAgent.
        """
        notes: list[str] = []
        named = [self._named(path, notes) for path in settings.certificates]
        agent: list[Identity] = []
        if settings.agent is not None:
            try:
                agent = SSHAgent(settings.agent, proof).identities()
            except AgentError as error:  # as with ssh, no agent is no error
                notes.append(str(error))
        offered = in_order(
            self._of_files(settings),
            [one for one in named if one],
            agent,
            only=settings.identities_only,
        )
        least = settings.algorithms.smallest_rsa
        short = [one for one in offered if too_short(one, least)]
        notes += [f"{one} has fewer bits than RequiredRSASize, {least}" for one in short]
        return [one for one in offered if one not in short], notes

    def _of_files(self, settings: Settings) -> list[Identity]:
        found: list[Identity] = []
        for path in settings.identity_files:
            found.append(Identity(path, self.file(path).public, path))
            if settings.certificates:
                continue  # as with ssh, where some are named, none are looked for
            for beside in (f"{path}-cert", f"{path}-cert.pub"):
                key = self._certificate(beside)
                if key is not None and key.is_certificate and not key.is_for_hosts:
                    found.append(Identity(beside, key, path))
                    break
        return found

    def _named(self, path: str, notes: list[str]) -> Identity | None:
        key = self._certificate(path)
        if key is None or not key.is_certificate or key.is_for_hosts:
            notes.append(f"{path} is no user's certificate")
            return None
        return Identity(path, key)

    def _certificate(self, path: str) -> PublicKey | None:
        with self._lock:
            if path not in self._certificates:
                self._certificates[path] = _shown_in(path)
            return self._certificates[path]

    def warn(self, file: KeyFile) -> None:
        """Warn, once, of a file whose key would be taken if only we could read it to ourselves."""
        with self._lock:
            new = file.path not in self._warned
            self._warned.add(file.path)
        if new and file.exposed:
            _log.warning("the key %s is not used: it %s", file.path, file.problem)


def _too_open(path: str) -> str:
    status = os.stat(path)
    if status.st_uid != os.getuid() or not status.st_mode & _OTHERS:
        return ""
    return f"can be read by others (its mode is {status.st_mode & 0o777:04o}): chmod 600 {path}"


def _header(data: bytes) -> tuple[str, PublicKey | None]:
    """The cipher, and the public half, that an OpenSSH private key shows openly."""
    armour = _ARMOUR.search(data)
    fields = Fields(base64.b64decode(armour[1]) if armour else b"")
    if fields.take(len(_MAGIC)) != _MAGIC:
        raise ValueError("no private key of OpenSSH's")
    cipher = fields.text()
    fields.string()  # the name of the key derivation, and its options
    fields.string()
    return cipher, PublicKey(fields.string()) if fields.number(4) == 1 else None


def _public_in(data: bytes) -> PublicKey | None:
    try:
        return _header(data)[1]
    except ValueError:
        return None


def _is_encrypted(data: bytes) -> bool:
    try:
        return b"ENCRYPTED" in data[:400] or _header(data)[0] != "none"
    except ValueError:
        return False


def _contents(path: str) -> bytes:
    """Read a file; what is none, or has no end, is an error, for nobody knows how long it takes."""
    with open(path, "rb", opener=_at_once) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is no file")
        data = file.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    return data


def _at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)


def _shown_in(path: str) -> PublicKey | None:
    try:
        return from_line(_contents(path))
    except OSError:
        return None
