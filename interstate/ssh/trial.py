"""One attempt to log in to one server: what its methods share, and what there is to tell of it."""

from __future__ import annotations

from .conversation import Finish, Handler
from .deadline import Deadline
from .settings import Settings


class Trial:
    """Its mutable state: what was tried, and what was not, for the user to read.

    Args:
        settings: What holds for the host.
        handler: The conversation with the server.
        deadline: When to give up.

    Attributes:
        asked: Whether a person was asked for something, which may have taken long.
        key: What we call the key that was offered last.
        tried: What the server was offered, since it accepted something.
        unsigned: Keys that it would have accepted, if only we could have signed with them.
        locked: Whether a key was of no use because nobody gave its passphrase.
        taken: The methods that it accepted, and wanted another one after.
    """

    def __init__(self, settings: Settings, handler: Handler, deadline: Deadline) -> None:
        self.settings = settings
        self.handler = handler
        self.deadline = deadline
        self.asked = False
        self.key = ""
        self.tried: list[str] = []
        self.unsigned: list[str] = []
        self.locked = False
        self.taken: list[str] = []
        self._unused: list[str] = []

    def request(self, method: str, finish: Finish) -> bool:
        """Make one request; return whether the server has accepted that method by it."""
        handler, user = self.handler, self.settings.user
        return handler.request(user, method, finish, self.deadline) or handler.partial

    def answer(self, answers: list[str]) -> bool:
        """Answer the server's questions; return whether it has accepted the method by it."""
        return self.handler.answer(answers, self.deadline) or self.handler.partial

    def learn_methods(self) -> None:
        """Have the server say which methods it allows, if it has not; or let us in without any."""
        if self.handler.allowed is None:
            self.request("none", lambda message: None)

    def has_taken(self, method: str) -> None:
        """The server has accepted a method, and wants another one after it."""
        self.taken.append(method)
        self.tried.clear()
        self.unsigned.clear()

    def note(self, unused: str) -> None:
        """Note what was not used, and why."""
        self._unused.append(unused)

    @property
    def unused(self) -> str:
        return "; ".join(dict.fromkeys(self._unused))

    @property
    def offer(self) -> str:
        """What the server was offered, as a phrase."""
        tried = ", ".join(dict.fromkeys(self.tried))
        none, nothing = "the server accepted none of", "there was no key to offer"
        before = ""
        if self.taken:
            before = f"the server accepted {' and '.join(self.taken)}, and wants more; "
            none, nothing = "of these none", "there was nothing else to offer"
        if not self.unsigned:
            return f"{before}{none}: {tried}" if tried else f"{before}{nothing}"
        would = f"the server would accept {', '.join(self.unsigned)}, but we could not sign with it"
        return f"{before}{none}: {tried}; {would}" if tried else f"{before}{would}"
