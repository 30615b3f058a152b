"""Host certificates (OpenSSH's PROTOCOL.certkeys): what they say, and whether that holds.

A certificate says of a key, for some time, which hosts it belongs to; an authority has signed it.
Whether that authority is trusted is for others to know: here it is whether its word holds.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Sequence
from dataclasses import dataclass

import paramiko
from paramiko.message import Message
from paramiko.pkey import UnknownKeyType

from .fields import Fields
from .publickeys import certified_key

SIGNATURES = (  # as ssh's CASignatureAlgorithms, less what is made by security keys
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
)
_HOST = 2


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a certificate says.

    Args:
        serial: Its number.
        kind: 2 for a host's, 1 for a user's.
        key_id: What its authority calls it.
        principals: The hosts that it is for; none: for all.
        after: The first second that it holds in, since 1970.
        before: The first one that it does not hold in any more.
        critical: What must be understood of it; of a host's certificate nothing is.
        authority: The public key of who signed it.
        signed: What was signed.
        signature: The signature.
    """

    serial: int
    kind: int
    key_id: str
    principals: tuple[str, ...]
    after: int
    before: int
    critical: bytes
    authority: bytes
    signed: bytes
    signature: bytes

    @property
    def signer(self) -> str:
        """The authority's public key in base64, as known_hosts has it."""
        return base64.b64encode(self.authority).decode()

    def problem(self, name: str, allowed: Sequence[str], now: float | None = None) -> str:
        """Return why it does not hold for a host, "" if it does.

        Args:
            name: The host's name or alias, without a port.
            allowed: The algorithms by which an authority may sign.
            now: Seconds since 1970; default: what the clock says.
        """
        now = time.time() if now is None else now
        if self.kind != _HOST:
            return "it is no host's certificate"
        if now < self.after:
            return f"it is not valid before {_date(self.after)}"
        if now >= self.before:
            return f"it has expired on {_date(self.before)}"
        if self.principals and name not in self.principals:
            return f"it is for {', '.join(self.principals)}, not for {name}"
        if self.critical:
            return "it has critical options, which no host's certificate may have"
        return self._unsigned(allowed)

    def _unsigned(self, allowed: Sequence[str]) -> str:
        try:
            algorithm = Fields(self.signature).text()
            if algorithm not in allowed:
                return f"it is signed by {algorithm}, which CASignatureAlgorithms does not allow"
            signer = paramiko.PKey.from_type_string(Fields(self.authority).text(), self.authority)
            good = signer.verify_ssh_sig(self.signed, Message(self.signature))
        except (ValueError, UnknownKeyType, paramiko.SSHException) as error:
            return f"its signature cannot be read: {error}"
        return "" if good else "its signature is wrong"


def certificate_in(blob: bytes) -> Certificate:
    """Return what a certificate says, whoever has made it.

    Raises:
        ValueError: It is malformed.
    """
    fields = Fields(blob)
    certified_key(fields)
    serial, role, key_id = fields.number(8), fields.number(4), fields.text()
    principals = tuple(name.decode("utf-8", "surrogateescape") for name in _strings(fields))
    after, before, critical = fields.number(8), fields.number(8), fields.string()
    fields.string()  # extensions: a host's certificate has none that matter
    fields.string()
    authority, signed = fields.string(), fields.before
    signature = fields.string()
    if fields:
        raise ValueError("there is something after its end")
    return Certificate(
        serial, role, key_id, principals, after, before, critical, authority, signed, signature
    )


def _strings(fields: Fields) -> list[bytes]:
    return list(Fields(fields.string()).strings())


def _date(seconds: int) -> str:
    try:
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
    except (OverflowError, ValueError, OSError):
        return "no day that the calendar has"
