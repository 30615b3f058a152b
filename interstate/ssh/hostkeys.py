"""Host keys: which are known, which of them to ask a server for, and noting new ones.

Strict as ssh is: a key that is not known is refused, unless ssh_config says accept-new or no; then
it is written to the user's first file.  One that differs from what is known, or is revoked, is
refused always; ssh with StrictHostKeyChecking=no would go on and only leave passwords out.
Lines of @cert-authority are ignored.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import logging
import os
import threading
from collections.abc import Iterator

import paramiko

from ..errors import HostKeyError
from .knownfile import Entry, KnownFile
from .settings import Settings
from .trouble import WayError

_log = logging.getLogger(__name__)
_SIGNATURES = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}  # a key's type -> what it signs with


class KnownHosts:
    """The files of host keys that one executor trusts.  Its mutable state: the files, parsed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files: dict[str, KnownFile] = {}

    def algorithms(self, settings: Settings, possible: tuple[str, ...]) -> tuple[str, ...]:
        """Return host key algorithms in the order to ask for: first those that are known here."""
        types = {entry.key_type for entry in self._trusted(settings)}
        known = {name for kind in types for name in _SIGNATURES.get(kind, (kind,))}
        return tuple(sorted(possible, key=lambda name: name not in known))

    def check(self, settings: Settings, key: paramiko.PKey) -> None:
        """Return when a host's key is the known one, or is new and may be.

        Raises:
            WayError: It is unknown, another than the known one, or revoked.
        """
        if self._is_known(settings, key):
            return
        if settings.strict == "yes":
            raise _unknown(settings, key)
        with self._lock:  # many connect at once: one of them writes, the others find it written
            if not self._is_known(settings, key):
                self._note(settings, key)

    def _is_known(self, settings: Settings, key: paramiko.PKey) -> bool:
        text = key.get_base64()
        for entry in self._entries(settings, revoked=True):
            if entry.key == text:
                raise _revoked(settings, key, entry)
        trusted = list(self._trusted(settings))
        if any(entry.key == text for entry in trusted):
            return True
        plain = self._entries(settings, revoked=False, name=settings.address.lower())
        if any(entry.key == text for entry in plain):
            return True  # as ssh: known without its port is known
        if trusted:
            raise _changed(settings, key, trusted)
        return False

    def _trusted(self, settings: Settings) -> Iterator[Entry]:
        return self._entries(settings, revoked=False)

    def _entries(
        self, settings: Settings, revoked: bool, name: str | None = None
    ) -> Iterator[Entry]:
        marker = "@revoked" if revoked else ""
        for path in settings.known_hosts:
            for entry in self._file(path).find(name or settings.key_name):
                if entry.marker == marker:
                    yield entry

    def _file(self, path: str) -> KnownFile:
        return self._files.setdefault(path, KnownFile(path))

    def _note(self, settings: Settings, key: paramiko.PKey) -> None:
        if not settings.writable:
            return
        file = self._file(settings.known_hosts[0])
        name = _hashed(settings.key_name) if settings.hashed else settings.key_name
        try:
            file.append(f"{name} {key.get_name()} {key.get_base64()}")
        except OSError as error:
            _log.warning("the new host key of %s was not noted: %s", settings.key_name, error)


def _hashed(name: str) -> str:
    salt = os.urandom(20)
    return paramiko.HostKeys.hash_host(name, f"|1|{base64.b64encode(salt).decode()}|")


def fingerprint(text: str) -> str:
    """Return the SHA256 fingerprint of a key in base64, as ssh shows it."""
    try:
        digest = hashlib.sha256(base64.b64decode(text)).digest()
    except binascii.Error:
        return "(unreadable)"
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def _shown(key: paramiko.PKey) -> str:
    return f"{key.get_name()} key {fingerprint(key.get_base64())}"


def _unknown(settings: Settings, key: paramiko.PKey) -> WayError:
    files = ", ".join(settings.known_hosts) or "no file"
    return WayError(
        HostKeyError,
        f"its host key is not known: it shows the {_shown(key)} as {settings.key_name} "
        f"(looked in {files})",
        "Compare that fingerprint with what the host's administrator says, and if it is right, "
        f"note it with: {_scan(settings)}",
    )


def _scan(settings: Settings) -> str:
    target = settings.known_hosts[0] if settings.known_hosts else "~/.ssh/known_hosts"
    if settings.jumps or settings.command or settings.key_name == settings.host.name.lower():
        return f"ssh {settings.host.url} true"
    return f"ssh-keyscan -p {settings.port} {settings.address} >> {target}"


def _changed(settings: Settings, key: paramiko.PKey, known: list[Entry]) -> WayError:
    same = [entry for entry in known if entry.key_type == key.get_name()] or known
    expected = "; ".join(
        f"{entry.key_type} key {fingerprint(entry.key)} in {entry.path} line {entry.line}"
        for entry in same
    )
    return WayError(
        HostKeyError,
        f"its host key is not the known one: it shows the {_shown(key)} as {settings.key_name}, "
        f"but known is the {expected}",
        "Either it was installed anew, or somebody is between you and it. Ask its administrator; "
        f"if the key is right, remove the old one with: "
        f"ssh-keygen -R '{settings.key_name}' -f {same[0].path}",
    )


def _revoked(settings: Settings, key: paramiko.PKey, entry: Entry) -> WayError:
    return WayError(
        HostKeyError,
        f"its host key is marked as revoked: the {_shown(key)} in {entry.path} line {entry.line}",
        "Whoever has this key may not be that host: ask its administrator.",
    )
