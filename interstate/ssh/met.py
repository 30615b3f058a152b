"""What was seen of a server when we met it: its host key, and by what it let us in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Met:
    """What is known of the last attempt to log in to a host, as far as that came.

    Attributes:
        key_type: The type of the host key that it showed, such as "ssh-ed25519"; "" if none yet.
        fingerprint: That key's, as ssh shows it.
        standing: "known"; "new": it was not known, and was accepted, as ssh_config has it;
            "unknown", "changed" or "revoked": it was refused.
        user: Whom we log in as.
        method: How we authenticated, as RFC 4252 names it; "" if we have not.
        key: Which of our keys it was: a file's path, or what the agent calls it; else "".
    """

    key_type: str = ""
    fingerprint: str = ""
    standing: str = ""
    user: str = ""
    method: str = ""
    key: str = ""
