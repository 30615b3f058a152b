"""One known_hosts file: parsed once, looked up often, appended to."""

from __future__ import annotations

import base64
import binascii
import errno
import fcntl
import hmac
import os
import re
import stat
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .patterns import matches_some
from .publickeys import PublicKey, fingerprint

State = tuple[int, int, int, int]
"""How a file stands: when it was written and changed, its size, and which one it is."""

_MARKERS = ("", "@revoked", "@cert-authority")
_TYPES = re.compile(
    r"(sk-)?(ssh-(rsa|dss|ed25519)|ecdsa-sha2-nistp\d+)(-cert-v01)?(@openssh\.com)?"
)
_WORD = re.compile(r"[^ \t]+")
_PASSING = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO)
_TO_WRITE = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK | os.O_CLOEXEC
_PATIENCE, _PAUSE = 1.0, 0.01  # seconds to wait for another process that writes; between attempts


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: a key, and whom it is said to belong to.

    Args:
        names: The names that it holds for: literal, patterns, negated patterns, or one hash.
        marker: "", "@revoked" or "@cert-authority".
        key_type: Its type, such as "ssh-ed25519".
        key: The public key in base64.
        path: The file that it is in.
        line: The number of its line there.
    """

    names: tuple[str, ...]
    marker: str
    key_type: str
    key: str
    path: str
    line: int

    def __str__(self) -> str:
        key = fingerprint(base64.b64decode(self.key))
        return f"{self.key_type} key {key} in {self.path} line {self.line}"


class KnownFile:
    """A known_hosts file.  It is read again when it has changed on disk.

    Args:
        path: Where it is; it need not exist.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._state: State | None = None
        self._patience = _PATIENCE
        self._clear()

    def _clear(self) -> None:
        self._lines = 0
        self._literal: dict[str, list[Entry]] = {}
        self._hashed: list[tuple[bytes, bytes, Entry]] = []  # salt and digest
        self._patterns: list[Entry] = []
        self._found: dict[str, list[Entry]] = {}  # a hashed file takes a hash for each line

    def find(self, name: str) -> list[Entry]:
        """Return the entries that hold for a host, `name` or `[name]:port`, in lower case.

        A file that is not there, or not for us to read, has none.

        Raises:
            OSError: It cannot be read at present, as where this process has too many files open.
        """
        with self._lock:
            self._refresh()
            return self._found_for(name)

    def _found_for(self, name: str) -> list[Entry]:
        if name not in self._found:
            self._found[name] = sorted(self._look_up(name), key=lambda entry: entry.line)
        return self._found[name]

    def _look_up(self, name: str) -> Iterator[Entry]:
        yield from self._literal.get(name, ())
        message = name.encode()
        for salt, digest, entry in self._hashed:
            if hmac.digest(salt, message, "sha1") == digest:
                yield entry
        yield from (entry for entry in self._patterns if matches_some(name, entry.names))

    def append(self, name: str, key_type: str, key: str, *, hashed: bool = False) -> None:
        """Write one line at the end, in one piece; the file and its folder are made if need be.

        Where another process has written that key for that name meanwhile, it stays at that.

        Args:
            name: `name` or `[name]:port`, in lower case.
            key_type: The key's type.
            key: The key in base64.
            hashed: Whether the name is to be hashed.

        Raises:
            OSError: It cannot be written.
        """
        written = _hash_of(name) if hashed else name
        with self._lock:
            os.makedirs(os.path.dirname(self.path) or ".", mode=0o700, exist_ok=True)
            file = self._opened()
            try:
                self._refresh()
                if not any(
                    entry.key == key and not entry.marker for entry in self._found_for(name)
                ):
                    self._write(file, f"{written} {key_type} {key}")
            finally:
                os.close(file)  # this also gives the lock back

    def _opened(self) -> int:
        """The file, locked; unlocked if others keep it for long, as ssh never locks it."""
        give_up = time.monotonic() + self._patience
        while True:
            file = os.open(self.path, _TO_WRITE, 0o600)
            if _locked(file) and _is_at(file, self.path):
                return file
            if time.monotonic() > give_up:
                self._patience = 0.0  # nor do those who come next wait
                return file
            os.close(file)
            time.sleep(_PAUSE)

    def _write(self, file: int, line: str) -> None:
        before = self._state
        start = "" if _ends_a_line(file) else "\n"
        os.write(file, f"{start}{line}\n".encode())
        self._appended(line, len(start + line) + 1, before, state_of(os.fstat(file)))

    def _appended(self, line: str, size: int, before: State | None, after: State) -> None:
        """Take the line over as read, unless somebody else wrote too."""
        if after[2] == size + (before[2] if before else 0):
            self._take([line])
            self._state = after

    def _refresh(self) -> None:
        try:
            if state_of(os.stat(self.path)) == self._state:
                return
            state, data = read(self.path)
        except OSError as error:
            if error.errno in _PASSING:
                raise  # it is not empty: a key that changed is not to be taken for a new one
            state, data = None, b""
        self._clear()
        text = data.decode(errors="replace")
        self._take(text.removesuffix("\n").split("\n") if text else [])
        self._state = state

    def _take(self, lines: Iterable[str]) -> None:
        self._found.clear()
        for entry in self._entries(lines):
            if entry.names[0].startswith("|"):
                self._hashed += [(*hashed, entry) for hashed in _hash_in(entry.names[0])]
            elif any(set(name) & set("*?!") for name in entry.names):
                self._patterns.append(entry)
            else:
                for name in entry.names:
                    self._literal.setdefault(name, []).append(entry)

    def _entries(self, lines: Iterable[str]) -> Iterator[Entry]:
        for line in lines:
            self._lines += 1
            fields = _WORD.findall(line)
            marker = fields.pop(0) if fields and fields[0].startswith("@") else ""
            if len(fields) >= 3 and not fields[0].startswith(("#", "@")) and marker in _MARKERS:
                names, key_type, key = fields[:3]
                named = names if names.startswith("|") else names.lower()
                if key := _key_in(key_type, key, marker):
                    yield Entry(
                        tuple(named.split(",")), marker, key_type, key, self.path, self._lines
                    )


def entries_in(text: str, name: str, source: str) -> list[Entry]:
    """Return the entries of a text that hold for a host; where it is from stands for a path."""
    file = KnownFile(source)
    file._take(text.split("\n"))
    return file._found_for(name)


def read(path: str) -> tuple[State, bytes]:
    """Return how a file stands and what is in it.

    Raises:
        OSError: It cannot be read, or is a pipe: nobody may ever write to that.
    """
    with open(path, "rb", opener=lambda *how: os.open(how[0], how[1] | os.O_NONBLOCK)) as file:
        status = os.fstat(file.fileno())
        if stat.S_ISFIFO(status.st_mode):
            raise OSError(errno.EINVAL, "it is a pipe, not a file", path)
        return state_of(status), file.read()


def state_of(status: os.stat_result) -> State:
    """Return how a file stands: when that is as before, so is what is in it."""
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino


def _key_in(kind: str, text: str, marker: str) -> str:
    """A key in base64 as we write it; "" where it is none of that type, as ssh has it.

    A marked certificate is about its key.  Without a marker it is a key like no other.
    """
    try:
        blob = base64.b64decode("".join(text.split()), validate=True)
        size = int.from_bytes(blob[:4], "big")
        good = _TYPES.fullmatch(kind) and blob[4 : 4 + size] == kind.encode()
        meant = PublicKey(blob).plain if marker else blob
        return base64.b64encode(meant).decode() if good else ""
    except ValueError:
        return ""


def _locked(file: int) -> bool:
    """Whether no other process of ours is writing; where files cannot be locked, nobody knows."""
    if not stat.S_ISREG(os.fstat(file).st_mode):
        return True  # /dev/null is everybody's
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _is_at(file: int, path: str) -> bool:
    """Whether the file is still the one there: ssh-keygen -R puts another in its place."""
    try:
        return os.path.samestat(os.fstat(file), os.stat(path))
    except FileNotFoundError:
        return False


def _hash_of(name: str) -> str:
    salt = os.urandom(20)
    digest = hmac.digest(salt, name.encode(), "sha1")
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


def _ends_a_line(file: int) -> bool:
    size = os.fstat(file).st_size
    return size == 0 or os.pread(file, 1, size - 1) == b"\n"


def _hash_in(name: str) -> Iterator[tuple[bytes, bytes]]:
    """The salt and the digest of a hashed name; nothing if it is not one that we know."""
    try:
        _, version, salt, digest = name.split("|")
        if version == "1":
            yield base64.b64decode(salt), base64.b64decode(digest)
    except (ValueError, binascii.Error):
        return
