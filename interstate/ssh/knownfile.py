"""One known_hosts file: parsed once, looked up often, appended to."""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import re
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_Signature = tuple[int, int, int] | None


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


class KnownFile:
    """A known_hosts file.  It is read again when it has changed on disk.

    Args:
        path: Where it is; it need not exist.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._signature: _Signature = None
        self._clear()

    def _clear(self) -> None:
        self._lines = 0
        self._literal: dict[str, list[Entry]] = {}
        self._hashed: list[Entry] = []
        self._patterns: list[tuple[list[re.Pattern[str]], list[re.Pattern[str]], Entry]] = []

    def find(self, name: str) -> list[Entry]:
        """Return the entries that hold for a host, `name` or `[name]:port`, in lower case."""
        with self._lock:
            self._refresh()
            found = list(self._literal.get(name, ()))
            found += [entry for entry in self._hashed if _is_hash_of(entry.names[0], name)]
            for wanted, unwanted, entry in self._patterns:
                if _any(wanted, name) and not _any(unwanted, name):
                    found.append(entry)
        return sorted(found, key=lambda entry: entry.line)

    def append(self, line: str) -> None:
        """Write one line at the end, in one piece; the file and its folder are made if need be.

        Raises:
            OSError: It cannot be written.
        """
        with self._lock:
            self._refresh()
            os.makedirs(os.path.dirname(self.path) or ".", mode=0o700, exist_ok=True)
            before = self._signature
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                start = "" if _ends_a_line(file) else "\n"
                os.write(file, f"{start}{line}\n".encode())
                after = _signature(os.fstat(file))
            finally:
                os.close(file)
            self._appended(line, len(start + line) + 1, before, after)

    def _appended(self, line: str, size: int, before: _Signature, after: _Signature) -> None:
        """Take the line over as read, unless somebody else wrote too."""
        if after is not None and after[1] == size + (before[1] if before else 0):
            self._take([line])
            self._signature = after

    def _refresh(self) -> None:
        try:
            now = _signature(os.stat(self.path))
            if now == self._signature:
                return
            with open(self.path, encoding="utf-8", errors="replace") as file:
                lines = file.read().split("\n")
        except OSError:
            now, lines = None, []
        self._clear()
        self._take(lines)
        self._signature = now

    def _take(self, lines: Iterable[str]) -> None:
        for entry in self._entries(lines):
            if entry.names[0].startswith("|"):
                self._hashed.append(entry)
            elif any(set(name) & set("*?!") for name in entry.names):
                self._patterns.append((*_compiled(entry.names), entry))
            else:
                for name in entry.names:
                    self._literal.setdefault(name, []).append(entry)

    def _entries(self, lines: Iterable[str]) -> Iterator[Entry]:
        for line in lines:
            self._lines += 1
            fields = line.split()
            marker = fields.pop(0) if line.startswith("@") else ""
            if len(fields) >= 3 and not line.startswith("#"):
                names, key_type, key = fields[:3]
                named = names if names.startswith("|") else names.lower()
                yield Entry(tuple(named.split(",")), marker, key_type, key, self.path, self._lines)


def _signature(stat: os.stat_result) -> _Signature:
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def _ends_a_line(file: int) -> bool:
    size = os.fstat(file).st_size
    return size == 0 or os.pread(file, 1, size - 1) == b"\n"


def _is_hash_of(hashed: str, name: str) -> bool:
    try:
        _, version, salt, digest = hashed.split("|")
        return version == "1" and base64.b64decode(digest) == hmac.digest(
            base64.b64decode(salt), name.encode(), "sha1"
        )
    except (ValueError, binascii.Error):
        return False


def _compiled(names: Iterable[str]) -> tuple[list[re.Pattern[str]], list[re.Pattern[str]]]:
    """The patterns that a host must match one of, and those that it must not match."""
    wanted = [_pattern(name) for name in names if not name.startswith("!")]
    return wanted, [_pattern(name[1:]) for name in names if name.startswith("!")]


def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(re.escape(name).replace(r"\*", ".*").replace(r"\?", "."))


def _any(patterns: Iterable[re.Pattern[str]], name: str) -> bool:
    return any(pattern.fullmatch(name) for pattern in patterns)
