"""Which method of authentication is next, as ssh decides it (RFC 4252, 5.1).

Pure: told what the server allows, and which methods have nothing left to try.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence


class Methods:
    """Its mutable state: those that may yet be tried, the preferred ones first.

    Args:
        preferred: The methods that we may use, in order.
    """

    def __init__(self, preferred: Sequence[str]) -> None:
        self._left = list(dict.fromkeys(preferred))

    def __repr__(self) -> str:
        return f"<left: {', '.join(self._left) or 'nothing'}>"

    def next(self, allowed: Collection[str] | None) -> str | None:
        """Return the method to try, "none" to learn what is allowed, or None: there is no other.

        Args:
            allowed: What the server says it allows; None before it has said so.  A key is offered
                without asking first.
        """
        if allowed is None:
            return "publickey" if self._left[:1] == ["publickey"] else "none"
        return next((method for method in self._left if method in allowed), None)

    def exhausted(self, method: str) -> None:
        """A method has nothing left to try."""
        if method in self._left:
            self._left.remove(method)
