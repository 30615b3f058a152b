"""Public keys and certificates as they are on the wire: types, fingerprints, algorithms.

Pure.  Of a key of any type no more is understood than is needed to offer it.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from .fields import Fields
from .patterns import chosen

SUFFIX = "-cert-v01@openssh.com"
"""What the types of certificates, and the algorithms for them, end with."""

_FIELDS = {  # how many follow the type
    "ssh-rsa": 2,
    "ssh-ed25519": 1,
    "ecdsa-sha2-nistp256": 2,
    "ecdsa-sha2-nistp384": 2,
    "ecdsa-sha2-nistp521": 2,
    "sk-ssh-ed25519@openssh.com": 2,
    "sk-ecdsa-sha2-nistp256@openssh.com": 3,
}
_FOR_A_USER = 1
_NAMES = {"ssh-rsa": "RSA", "ssh-ed25519": "ED25519", "sk-ssh-ed25519@openssh.com": "ED25519-SK"}
_NAMES["sk-ecdsa-sha2-nistp256@openssh.com"] = "ECDSA-SK"
_PLAIN = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "rsa-sha2-512",
    "rsa-sha2-256",
)


def _certified(algorithm: str) -> str:
    return algorithm.removesuffix("@openssh.com") + SUFFIX


ALGORITHMS = (*map(_certified, _PLAIN), *_PLAIN)
"""All that we sign with, in ssh's order; RSA with SHA-1 is none of them."""


@dataclass(frozen=True)
class PublicKey:
    """A public key, or a certificate of one.

    Args:
        blob: It, as RFC 4253 has it on the wire.

    Raises:
        ValueError: That is malformed, or a certificate of an unknown type.
    """

    blob: bytes

    def __post_init__(self) -> None:
        self.rsa_bits  # noqa: B018  # reads all that will be read

    @property
    def kind(self) -> str:
        """Its type, such as "ssh-rsa" or "ssh-rsa-cert-v01@openssh.com"."""
        return Fields(self.blob).string().decode("ascii")

    @property
    def is_certificate(self) -> bool:
        return self.kind.endswith(SUFFIX)

    @property
    def is_for_hosts(self) -> bool:
        """Whether it is a certificate, and not one for a user."""
        if not self.is_certificate:
            return False
        return self._certificate()[1] != _FOR_A_USER

    @property
    def plain(self) -> bytes:
        """The key itself, without what certifies it."""
        return self._certificate()[0] if self.is_certificate else self.blob

    @property
    def rsa_bits(self) -> int | None:
        """How long it is if it is one of RSA."""
        fields = Fields(self.plain)
        if fields.string() != b"ssh-rsa":
            return None
        fields.string()  # the exponent
        return int.from_bytes(fields.string(), "big").bit_length()

    @property
    def fingerprint(self) -> str:
        """The key's, as ssh shows it; a certificate has that of its key."""
        return fingerprint(self.plain)

    def __str__(self) -> str:
        kind = _without_certificate(self.kind)
        name = _NAMES.get(kind, "ECDSA" if kind.startswith("ecdsa-") else kind)
        return f"{name}{'-CERT' * self.is_certificate} {self.fingerprint}"

    def algorithm(self, accepted: Sequence[str], theirs: Collection[str] | None) -> str | None:
        """Return what to sign with, or None.

        Args:
            accepted: The algorithms that we may use, the best first.
            theirs: The signatures that the server says it knows, if it says so; as with ssh that
                counts for RSA alone.
        """
        kind = _without_certificate(self.kind)
        for name in accepted:
            signature = signed_with(name)
            if _is_certified(name) != self.is_certificate:
                continue
            if signature == kind:
                return name
            is_for_rsa = kind == "ssh-rsa" and signature.startswith("rsa-")
            if is_for_rsa and (theirs is None or signature in theirs):
                return name
        return None

    def _certificate(self) -> tuple[bytes, int]:
        """The plain key in a certificate, and what that is for."""
        fields = Fields(self.blob)
        plain = certified_key(fields)
        fields.number(8)  # its own
        return plain, fields.number(4)


def certified_key(fields: Fields) -> bytes:
    """Return the key in a certificate; what that says of it is left to be read.

    Args:
        fields: The certificate, from its beginning.

    Raises:
        ValueError: It is malformed, or of an unknown type.
    """
    certified = fields.text()
    kind = _without_certificate(certified)
    if kind not in _FIELDS:
        raise ValueError(f"an unknown type of certificate: {certified}")
    fields.string()  # a nonce
    begin = len(fields.before)
    for _ in range(_FIELDS[kind]):
        fields.string()
    return string(kind.encode()) + fields.before[begin:]


def fingerprint(key: bytes) -> str:
    """Return the SHA256 fingerprint of a public key, as ssh shows it."""
    digest = hashlib.sha256(key).digest()
    return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"


def from_line(data: bytes) -> PublicKey | None:
    """Return the key that a `.pub` file shows, if that is what this is."""
    fields = data.split(None, 2)
    if len(fields) < 2 or not fields[0].startswith((b"ssh-", b"ecdsa-", b"sk-")):
        return None
    try:
        key = PublicKey(base64.b64decode(fields[1]))
        return key if key.kind.encode() == fields[0] else None
    except ValueError:
        return None


def signed_with(algorithm: str) -> str:
    """Return the algorithm of the signature itself: a certificate's is that of its key."""
    return _without_certificate(algorithm)


def accepted(said: str | None) -> tuple[str, ...]:
    """Return the algorithms to sign with, given what PubkeyAcceptedAlgorithms says."""
    return chosen(said, ALGORITHMS, ALGORITHMS)


def string(data: bytes) -> bytes:
    """Return data as a string of the protocol: with its length before it."""
    return struct.pack(">I", len(data)) + data


def _is_certified(algorithm: str) -> bool:
    return algorithm.endswith(SUFFIX)


def _without_certificate(kind: str) -> str:
    if not _is_certified(kind):
        return kind
    end = "@openssh.com" if kind.startswith("sk-") else ""
    return kind.removesuffix(SUFFIX) + end
