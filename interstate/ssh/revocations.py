"""RevokedHostKeys: a file of public keys, or a KRL (OpenSSH's PROTOCOL.krl), that never hold.

Pure.  What cannot be read is an error, as with ssh: no host is let by unchecked.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable

from .certificates import Certificate
from .fields import Fields
from .publickeys import PublicKey

_MAGIC = b"SSHKRL\n\0"
_CERTIFICATES, _KEYS, _SHA1, _SHA256 = 1, 2, 3, 5  # sections
_SERIALS, _RANGE, _BITMAP, _IDS = 0x20, 0x21, 0x22, 0x23  # and those of certificates


class Revocations:
    """What a file revokes.

    Args:
        data: What is in it.

    Raises:
        ValueError: It is neither of the two, or has something that is not understood.
    """

    def __init__(self, data: bytes) -> None:
        self._keys: set[bytes] = set()
        self._prints: set[bytes] = set()
        self._certificates: list[tuple[bytes, Callable[[Certificate], bool]]] = []
        if data.startswith(_MAGIC):
            self._read(Fields(data[len(_MAGIC) :]))
        else:
            self._keys = set(_listed(data))

    def revokes(self, key: bytes, certificate: Certificate | None = None) -> bool:
        """Return whether a public key, or its certificate, is revoked."""
        if certificate is None:
            return self._has(key)
        return (
            self._has(key)
            or self._has(certificate.authority)
            or any(
                signer in (certificate.authority, b"") and means(certificate)
                for signer, means in self._certificates
            )
        )

    def _has(self, key: bytes) -> bool:
        return key in self._keys or not self._prints.isdisjoint(
            (hashlib.sha256(key).digest(), hashlib.sha1(key, usedforsecurity=False).digest())
        )

    def _read(self, fields: Fields) -> None:
        version = fields.number(4)
        if version != 1:
            raise ValueError(f"it is a KRL of version {version}, not 1")
        fields.take(3 * 8)  # its number, its date, flags
        fields.string()  # reserved
        fields.string()  # a comment
        while fields:
            kind, section = fields.number(1), Fields(fields.string())
            if kind == _CERTIFICATES:
                self._read_certificates(section)
            elif kind == _KEYS:
                self._keys.update(section.strings())
            elif kind in (_SHA1, _SHA256):
                self._prints.update(section.strings())
            else:
                raise ValueError(f"its KRL has a section of type {kind}, which is not known here")

    def _read_certificates(self, section: Fields) -> None:
        authority = section.string()
        section.string()  # reserved
        while section:
            kind, part = section.number(1), Fields(section.string())
            self._certificates.append((authority, _meaning(kind, part)))


def _meaning(kind: int, part: Fields) -> Callable[[Certificate], bool]:
    """What a part of a KRL says of an authority's certificates."""
    if kind == _SERIALS:
        serials = set()
        while part:
            serials.add(part.number(8))
        return lambda one: one.serial != 0 and one.serial in serials
    if kind == _RANGE:
        first, last = part.number(8), part.number(8)
        return lambda one: one.serial != 0 and first <= one.serial <= last
    if kind == _BITMAP:
        offset, bits = part.number(8), int.from_bytes(part.string(), "big")
        return lambda one: (
            one.serial > max(offset - 1, 0) and bool(bits >> (one.serial - offset) & 1)
        )
    if kind == _IDS:
        ids = {one.decode("utf-8", "surrogateescape") for one in part.strings()}
        return lambda one: one.key_id in ids
    raise ValueError(f"its KRL says something of type {kind} of certificates, not known here")


def _listed(data: bytes) -> list[bytes]:
    """The public keys of a text, one a line."""
    keys = []
    for number, line in enumerate(data.split(b"\n"), 1):
        words = line.split()
        if not words or words[0].startswith(b"#"):
            continue
        try:
            key = base64.b64decode(words[1], validate=True)
            good = Fields(key).string() == words[0]
        except (ValueError, IndexError):
            good = False
        if not good:
            raise ValueError(f"its line {number} is no public key")
        keys.append(PublicKey(key).plain)
    return keys
