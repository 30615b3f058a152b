"""What there is to log in with by public key, in the order in which ssh offers it.

Pure: what the files and the agent have goes in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from .publickeys import PublicKey


@dataclass(frozen=True)
class Identity:
    """A key, or a certificate, to offer.

    Args:
        name: What the user knows it as: a file's path, or what the agent calls it.
        key: What is offered; None if that only shows when the file is unlocked.
        path: The file of its private half; "" if only the agent has that.
        in_agent: Whether the agent signs with it.
    """

    name: str
    key: PublicKey | None
    path: str = ""
    in_agent: bool = False

    def __str__(self) -> str:
        return f"{self.name} ({self.key})" if self.key else self.name


def in_order(
    files: Iterable[Identity],
    certificates: Iterable[Identity],
    agent: Iterable[Identity],
    *,
    only: bool,
) -> list[Identity]:
    """Return what to offer, as `pubkey_prepare` of OpenSSH has it.

    The certificates that were named; what the agent has of the files, in the agent's order; what
    else the agent has; the other files.

    Args:
        files: Those of IdentityFile, each before its own certificate.
        certificates: Those of CertificateFile.
        agent: What the agent has.
        only: Leave out what only the agent has (IdentitiesOnly).
    """
    left = list(files)
    of_both: list[Identity] = []
    others: list[Identity] = []
    for held in agent:
        file = next((one for one in left if one.key == held.key), None)
        if file is not None:
            left.remove(file)
            of_both.append(replace(file, in_agent=True))
        elif not only:
            others.append(held)
    return [*certificates, *of_both, *others, *left]


def too_short(identity: Identity, least: int) -> bool:
    """Return whether it is a key of RSA that has fewer bits than that."""
    bits = identity.key.rsa_bits if identity.key else None
    return bits is not None and bits < least


def signer(identity: Identity, among: Sequence[Identity]) -> Identity | None:
    """Return whose private half signs for an identity: for a certificate, that is its key's."""
    if identity.key is None or not identity.key.is_certificate or identity.in_agent:
        return identity
    for other in among:
        if other.key is not None and other.key.blob == identity.key.plain:
            return other
    return next((one for one in among if one.key is None and one.path == identity.path), None)
