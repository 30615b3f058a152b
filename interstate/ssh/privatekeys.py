"""Private keys: reading them from what a file has, and signing.

paramiko reads fewer of the formats that ssh-keygen and openssl write, and derives the key from a
passphrase twice.  What it is built on itself, cryptography, reads them all.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from .prompts import as_bytes
from .publickeys import from_line, signed_with, string

_Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
_HASHES = {"rsa-sha2-256": hashes.SHA256, "rsa-sha2-512": hashes.SHA512}
_OPENSSH = b"-----BEGIN OPENSSH PRIVATE KEY-----"


class WrongPassphraseError(Exception):
    """Not this one."""


class PrivateKey:
    """A key to sign with.

    Args:
        data: What its file has.
        passphrase: What unlocks it, if anything must.

    Attributes:
        public: Its public half.

    Raises:
        WrongPassphraseError: The passphrase is wrong.
        ValueError: It is none, or not of a kind that can be read.
    """

    def __init__(self, data: bytes, passphrase: str | None = None) -> None:
        self._key = _load(data, as_bytes(passphrase or "") or None)
        line = self._key.public_key().public_bytes(
            serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
        )
        public = from_line(line)
        if public is None:
            raise ValueError("its public half is of no known type")
        self.public = public

    def __repr__(self) -> str:
        return f"<private half of {self.public}>"

    def sign(self, data: bytes, algorithm: str) -> bytes:
        """Return a signature, as it is on the wire."""
        name = signed_with(algorithm)
        return string(name.encode()) + string(self._sign(data, name))

    def _sign(self, data: bytes, name: str) -> bytes:
        if isinstance(self._key, rsa.RSAPrivateKey):
            return self._key.sign(data, padding.PKCS1v15(), _HASHES[name]())
        if isinstance(self._key, ed25519.Ed25519PrivateKey):
            return self._key.sign(data)
        signature = self._key.sign(data, ec.ECDSA(_hash_for(self._key.curve)))
        return b"".join(string(_mpint(number)) for number in decode_dss_signature(signature))


def _load(data: bytes, passphrase: bytes | None) -> _Private:
    openssh = _OPENSSH in data
    load = serialization.load_ssh_private_key if openssh else serialization.load_pem_private_key
    try:
        key = load(data, passphrase)
    except UnsupportedAlgorithm as error:
        raise ValueError(str(error)) from error
    except (ValueError, InvalidTag, TypeError) as error:
        if passphrase:
            raise WrongPassphraseError from error
        raise ValueError("it is none, or damaged") from error
    if not isinstance(key, _Private):
        raise ValueError(f"keys of the kind of {type(key).__name__} are not used any more")
    return key


def _hash_for(curve: ec.EllipticCurve) -> hashes.HashAlgorithm:
    if curve.key_size <= 256:
        return hashes.SHA256()
    return hashes.SHA384() if curve.key_size <= 384 else hashes.SHA512()


def _mpint(number: int) -> bytes:
    return number.to_bytes(number.bit_length() // 8 + 1)
