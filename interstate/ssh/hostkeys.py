"""Host keys: which are known, which of them to ask a server for, and noting new ones.

As ssh has it: a key that is not known is refused, unless ssh_config says accept-new or no; then
it is written to the user's first file.  A certificate of an authority that is known is as good as
a known key; one that does not hold counts as the key that it is about.  Stricter than ssh is that
a key other than the known one, or a revoked one, is refused always; with StrictHostKeyChecking=no
ssh would go on, and only leave passwords out.
"""

from __future__ import annotations

import base64
import logging
import math
import os
import re
import shlex
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace

import paramiko

from ..errors import HostKeyError
from . import knowncommand
from .certificates import SIGNATURES, Certificate, certificate_in
from .knownfile import Entry, KnownFile, State, read, state_of
from .met import Met
from .patterns import chosen
from .publickeys import SUFFIX, fingerprint
from .revocations import Revocations
from .settings import Settings
from .trouble import WayError

_log = logging.getLogger(__name__)
_SIGNATURES = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}  # a key's type -> what it signs with
_TYPES = {name: kind for kind, names in _SIGNATURES.items() for name in names}
_ODD = re.compile(r"[\s@?*#\[\]|'\"\\]")  # of a name, in known_hosts


@dataclass(frozen=True, slots=True)
class HostKey:
    """What a server shows.

    Args:
        kind: The key's type, such as "ssh-ed25519".
        text: The public key in base64.
        bits: How many it has.
        certificate: What an authority says of it, if it came with that.
        flaw: Why the certificate that it came with cannot be read, or "".
        presented: The type and the base64 text of what it shows, be it a certificate.
    """

    kind: str
    text: str
    bits: int
    certificate: Certificate | None = None
    flaw: str = ""
    presented: tuple[str, str] = ("", "")

    @classmethod
    def of(cls, key: paramiko.PKey) -> HostKey:
        """Return what paramiko has taken from the server."""
        kind, text = key.get_name(), key.get_base64()
        shown = cls(kind, text, key.get_bits(), presented=(kind, text))
        if key.public_blob is None:
            return shown
        blob = base64.b64encode(key.public_blob.key_blob).decode()
        shown = replace(shown, presented=(key.public_blob.key_type, blob))
        try:
            return replace(shown, certificate=certificate_in(key.public_blob.key_blob))
        except ValueError as error:
            return replace(shown, flaw=str(error))

    @property
    def algorithms(self) -> tuple[str, ...]:
        """The host key algorithms that show such a key, without a certificate."""
        return _SIGNATURES.get(self.kind, (self.kind,))

    @property
    def fingerprint(self) -> str:
        """Its SHA256 fingerprint, as ssh shows it."""
        return fingerprint(base64.b64decode(self.text))

    def __str__(self) -> str:
        return f"{self.kind} key {self.fingerprint}"


class KnownHosts:
    """The files of host keys that one executor trusts.  Its mutable state: the files, parsed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files: dict[str, KnownFile] = {}
        self._revoked: dict[str, tuple[State, Revocations]] = {}

    def algorithms(
        self, settings: Settings, wanted: Sequence[str], seconds: float = math.inf
    ) -> tuple[str, ...]:
        """Return host key algorithms in the order to ask for: first those that are known here.

        As with ssh, the order stays as it is when the first of them is known, or when ssh_config
        gives all of them.

        Args:
            settings: What holds for the host.
            wanted: The algorithms.
            seconds: How long a KnownHostsCommand may take.

        Raises:
            WayError: That fails.
        """
        said = settings.algorithms.host_keys
        if said is not None and said[:1] not in ("+", "-"):
            return tuple(wanted)
        entries = self._entries(settings, settings.key_name)
        entries += knowncommand.ask(settings, settings.key_name, seconds)
        known = {entry.key_type for entry in entries if not entry.marker}
        certified = any(entry.marker == "@cert-authority" for entry in entries)
        if wanted and _type_of(wanted[0]) in known:
            return tuple(wanted)

        def last(name: str) -> bool:
            return _type_of(name) not in known and not (certified and name.endswith(SUFFIX))

        return tuple(sorted(wanted, key=last))

    def check(
        self,
        settings: Settings,
        key: HostKey,
        met: Met,
        *,
        offered: Sequence[str] = (),
        local: bool = False,
        seconds: float = math.inf,
    ) -> None:
        """Return when a host's key is the known one, or is new and may be.

        Args:
            settings: What holds for the host.
            key: What it shows.
            met: Where it is written down how that stands.
            offered: The host key algorithms that it was asked for; none: any.
            local: Whether it is this computer, as its address tells.
            seconds: How long a KnownHostsCommand may take.

        Raises:
            WayError: It is unknown, another than the known one, or revoked.
        """
        met.key_type, met.fingerprint = key.kind, key.fingerprint
        try:
            self._check_revoked(settings, key)
            if local and settings.localhost_unchecked:
                met.standing = "new"
                return
            shown = (*key.presented, met.fingerprint)
            told = knowncommand.ask(settings, settings.key_name, seconds, shown)
            met.standing = "known" if self._stands(settings, key, offered, told) else "new"
        except _RefusedError as refusal:
            met.standing = refusal.standing
            raise refusal from None

    def _stands(
        self, settings: Settings, key: HostKey, offered: Sequence[str], told: list[Entry]
    ) -> bool:
        """Whether it is known; False: it is new, and may be."""
        if self._is_known(settings, key, offered, told):
            return True
        if settings.strict == "yes" or not settings.writable or _ODD.search(settings.address):
            raise _unknown(settings, key, _flaw(settings, key))
        with self._lock:  # many connect at once: one of them writes, the others find it written
            if not self._is_known(settings, key, offered, told):
                self._note(settings, key)
        return False

    def _is_known(
        self, settings: Settings, key: HostKey, offered: Sequence[str], told: list[Entry]
    ) -> bool:
        """Whether it is, by the name with its port, or else by that without."""
        entries = self._entries(settings, settings.key_name) + told
        bare = [] if settings.aliased else self._entries(settings, settings.bare_name)
        revoked = [entry for entry in (*entries, *bare) if entry.marker == "@revoked"]
        for entry in revoked:
            if entry.key == key.text or (key.certificate and entry.key == key.certificate.signer):
                raise _revoked(key, entry)
        if _vouched_for(settings, key, entries) or _vouched_for(settings, key, bare):
            return True
        if offered and not set(offered) & set(key.algorithms):
            raise _not_asked_for(settings, key)
        known = [entry for entry in entries if not entry.marker]
        if any(entry.key == key.text for entry in known):
            return True
        if known:
            raise _changed(settings, key, known)
        return any(entry.key == key.text and not entry.marker for entry in bare)

    def _entries(self, settings: Settings, name: str) -> list[Entry]:
        found: list[Entry] = []
        for path in settings.known_hosts:
            try:
                found += self._file(path).find(name)
            except OSError as error:
                raise _unreadable(f"the file of known host keys {path}", error) from error
        return found

    def _file(self, path: str) -> KnownFile:
        return self._files.setdefault(path, KnownFile(path))

    def _note(self, settings: Settings, key: HostKey) -> None:
        file = self._file(settings.known_hosts[0])
        try:
            file.append(settings.key_name, key.kind, key.text, hashed=settings.hashed)
        except OSError as error:
            _log.warning("the new host key of %s was not noted: %s", settings.key_name, error)

    def _check_revoked(self, settings: Settings, key: HostKey) -> None:
        path = settings.revoked
        if path is None:
            return
        try:
            revoked = self._revocations(path).revokes(base64.b64decode(key.text), key.certificate)
        except (OSError, ValueError) as error:
            raise _unreadable(f"the file of its RevokedHostKeys {path}", error) from error
        if revoked:
            raise _revoked(key, path)

    def _revocations(self, path: str) -> Revocations:
        """What a file of RevokedHostKeys says; it is read again when it has changed."""
        kept = self._revoked.get(path)
        if kept is None or kept[0] != state_of(os.stat(path)):
            state, data = read(path)
            kept = self._revoked[path] = state, Revocations(data)
        return kept[1]


class _RefusedError(WayError):
    """A host key was refused.

    Args:
        standing: As in Met.
        what, advice, reason: As of a WayError.
    """

    def __init__(self, standing: str, what: str, advice: str, reason: str = "") -> None:
        super().__init__(HostKeyError, what, advice, reason)
        self.standing = standing


def _type_of(algorithm: str) -> str:
    """The type of key that an algorithm is about."""
    plain = algorithm.removesuffix(SUFFIX)
    return _TYPES.get(plain, plain)


def _vouched_for(settings: Settings, key: HostKey, entries: Sequence[Entry]) -> bool:
    """Whether an authority that is known says that it is the host's."""
    certificate = key.certificate
    return certificate is not None and (
        any(
            entry.marker == "@cert-authority" and entry.key == certificate.signer
            for entry in entries
        )
        and not _flaw(settings, key)
    )


def _flaw(settings: Settings, key: HostKey) -> str:
    """Why the certificate does not hold, "" if it does or there is none."""
    if key.certificate is None:
        return key.flaw
    allowed = chosen(settings.algorithms.authorities, SIGNATURES, SIGNATURES)
    return key.certificate.problem(settings.bare_name, allowed)


def _unknown(settings: Settings, key: HostKey, flaw: str) -> WayError:
    files = ", ".join(settings.known_hosts) or "no file"
    certified = f"; the certificate that it came with does not do: {flaw}" if flaw else ""
    return _RefusedError(
        "unknown",
        f"its host key is not known: it shows the {key} as {settings.key_name} "
        f"(looked in {files}){certified}",
        "Compare that fingerprint with what the host's administrator says, and if it is right, "
        f"{_noting(settings, key)}",
        "its host key is not known",
    )


def _noting(settings: Settings, key: HostKey) -> str:
    """What notes this key and no other, whatever the way to the host and its name there."""
    path = settings.known_hosts[0] if settings.writable else os.devnull
    if path == os.devnull:
        return "note it in a UserKnownHostsFile that you name in ssh_config"
    folder = os.path.dirname(path)
    made = "" if not folder or os.path.isdir(folder) else f"mkdir -p {shlex.quote(folder)}; "
    line = shlex.quote(f"{settings.key_name} {key.kind} {key.text}")
    return f"note it with:\n{made}echo {line} >> {shlex.quote(path)}"


def _changed(settings: Settings, key: HostKey, known: list[Entry]) -> WayError:
    same = [entry for entry in known if entry.key_type == key.kind] or known
    return _RefusedError(
        "changed",
        f"its host key is not the known one: it shows the {key} as {settings.key_name}, "
        f"but known is the {'; '.join(map(str, same))}",
        "Either it was installed anew, or somebody is between you and it. Ask its administrator; "
        f"if the key is right, remove the old one{_removing(settings.key_name, same[0])}",
        "its host key is not the known one",
    )


def _removing(name: str, entry: Entry) -> str:
    if entry.path == knowncommand.SOURCE:
        return ": it is what KnownHostsCommand says"
    if any(set(one) & set("*?!") for one in entry.names):  # ssh-keygen passes over patterns
        return f": it is line {entry.line} of {entry.path}"
    return f" with:\nssh-keygen -R {shlex.quote(name)} -f {shlex.quote(entry.path)}"


def _revoked(key: HostKey, where: Entry | str) -> WayError:
    place = where if isinstance(where, str) else f"{where.path} line {where.line}"
    what = f"the {key}" if key.certificate is None else f"the {key}, or who certified it,"
    return _RefusedError(
        "revoked",
        f"its host key is marked as revoked: {what} in {place}",
        "Whoever has this key may not be that host: ask its administrator.",
        "its host key is marked as revoked",
    )


def _unreadable(file: str, error: Exception) -> WayError:
    what = f"{file} cannot be read: {(isinstance(error, OSError) and error.strerror) or error}"
    return _RefusedError(
        "unknown",
        what,
        "No host key is accepted then. Mend the file, or that line of ssh_config.",
        what,
    )


def _not_asked_for(settings: Settings, key: HostKey) -> WayError:
    flaw = _flaw(settings, key) or "its authority is not known"
    return _RefusedError(
        "unknown",
        f"its host certificate does not do: {flaw}; and the {key} alone is not to be accepted",
        f"That is what HostKeyAlgorithms {settings.algorithms.host_keys} in ssh_config says.",
        "its host certificate does not do",
    )
