"""Asking a person for passphrases and passwords: one at a time, each of them once."""

from __future__ import annotations

import getpass
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..errors import AuthenticationError, ConnectError
from ..hosts import Host
from .deadline import Clock, Deadline
from .trouble import WayError

Ask = Callable[[Host, str], str]

NOBODY = "there is no terminal to ask on, and no password= callable was given"


class Asker:
    """Whom to ask for secrets: the user's callable, else the terminal, else nobody.

    The clock of all deadlines stands still meanwhile.  Its mutable state: the passwords given.

    Args:
        password: A callable given (host, prompt).
        clock: The clock to stop.
    """

    def __init__(self, password: Ask | None, clock: Clock) -> None:
        self._password = password
        self._clock = clock
        self._lock = threading.Lock()
        self._passwords: dict[tuple[str, Host], str] = {}

    @property
    def attempts(self) -> int:
        """How often a wrong password is worth another question."""
        return 1 if self._password is not None else 3

    def can_ask(self) -> bool:
        """Return whether there is anybody to ask."""
        return self._password is not None or (sys.stdin is not None and sys.stdin.isatty())

    @contextmanager
    def turn(self, deadline: Deadline) -> Iterator[None]:
        """Wait until nobody else is being asked; `ask` is called in here."""
        if not deadline.acquire(self._lock):
            raise WayError(ConnectError, "its turn to ask for a secret never came", "Try again.")
        try:
            yield
        finally:
            self._lock.release()

    def ask(self, host: Host, prompt: str) -> str:
        """Return the answer to a prompt; "" when nobody answered.

        Raises:
            WayError: The user's callable failed.
        """
        with self._clock.stopped():
            if self._password is None:
                return _from_terminal(prompt)
            try:
                return self._password(host, prompt) or ""
            except Exception as error:
                raise WayError(
                    AuthenticationError,
                    f"the password= callable raised {type(error).__name__}: {error}",
                    "It is called with the host and the prompt, and returns the secret.",
                ) from error

    def password(self, user: str, host: Host, refused: str | None, deadline: Deadline) -> str:
        """Return a user's password on a host, asked for once; anew if `refused` is what it was."""
        with self.turn(deadline):
            if self._passwords.get((user, host)) == refused:
                self._passwords[user, host] = self.ask(host, f"{user}@{host.name}'s password: ")
            return self._passwords[user, host]

    def forget(self, user: str, host: Host) -> None:
        """Forget a password that was refused, so that a later attempt asks anew."""
        self._passwords.pop((user, host), None)


def _from_terminal(prompt: str) -> str:
    try:
        return getpass.getpass(prompt)
    except (EOFError, OSError):
        return ""
