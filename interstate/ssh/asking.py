"""Asking a person for passphrases and passwords: one at a time, each of them once."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

from ..errors import AuthenticationError, ConnectError
from ..hosts import Host
from .answers import Answers
from .deadline import Clock, Deadline
from .prompts import as_bytes
from .terminal import Terminal
from .trouble import WayError

Ask = Callable[[Host, str], str | None]
Aside = Callable[[], AbstractContextManager[object]]

_LOOK = 0.5  # seconds after which to see again whether it is one's turn
NOBODY = "there is no terminal to ask on, and no password= callable was given"
_AGAIN = "Permission denied, please try again.\n"


@dataclass(frozen=True)
class Whose:
    """Whose password: a user's, on a host that is reached over some hops."""

    user: str
    host: Host
    way: tuple[Host, ...] = ()


class Asker:
    """Whom to ask for secrets: the user's callable, else the person at the terminal, else nobody.

    Either is asked for a user's password once for all hosts that are reached by the same way.  A
    callable, which is told the host, may have a password for each: once these differ, it is asked
    once for each host, and its answers are for that host alone.  The clock of all deadlines stands
    still meanwhile.  Its mutable state: the answers given.

    Args:
        password: A callable given (host, prompt).
        clock: The clock to stop.
        aside: What is entered while somebody is asked on the terminal.
    """

    def __init__(self, password: Ask | None, clock: Clock, aside: Aside = nullcontext) -> None:
        self._password = password
        self._clock = clock
        self._aside = aside
        self._terminal = Terminal()
        self._closed = threading.Event()
        self._turn = threading.RLock()  # held while somebody is asked
        self._changed = threading.Condition()  # guards the next
        self._answers: defaultdict[object, Answers] = defaultdict(self._none_yet)

    def __repr__(self) -> str:
        return f"<asks {'a callable' if self._password else 'on the terminal'}>"

    def can_ask(self) -> bool:
        """Return whether there is anybody to ask."""
        return self._password is not None or self._terminal.is_there()

    @contextmanager
    def turn(self, deadline: Deadline) -> Iterator[None]:
        """Wait until nobody else is being asked; `ask` is called in here.

        Who has it may take it again, to ask several things in a row.
        """
        if not deadline.until(lambda seconds: self._turn.acquire(timeout=seconds)):
            raise WayError(ConnectError, "its turn to ask for a secret never came", "Try again.")
        try:
            yield
        finally:
            self._turn.release()

    def ask(self, host: Host, prompt: str, *, echo: bool = False) -> str | None:
        """Return the answer to a prompt; None when nobody answered, or is asked any more.

        Args:
            host: Who wants to know.
            prompt: What to ask, maybe several lines of it.
            echo: Whether what is typed may be seen.

        Raises:
            WayError: The user's callable failed.
        """
        with self._clock.stopped():
            if self._password is None:
                with self._aside():
                    return self._terminal.ask(prompt, echo=echo)
            return None if self._closed.is_set() else _told(self._password, host, prompt)

    def wait_to_try(self, whose: Whose, who: object, deadline: Deadline) -> bool:
        """Wait until one may try a password; return whether that took any time.

        While none is proven, one host at a time does: of what is mistyped the others should hear
        nothing, for they may all count it against one account, and lock that.

        Args:
            whose: For whom and where.
            who: Tries it; `has_tried` ends its time.
            deadline: When to give up.
        """

        def may(seconds: float) -> bool:
            with self._changed:
                return self._changed.wait_for(
                    lambda: self._answers_for(whose).may_try(who, self._clock.now()),
                    min(seconds, _LOOK),
                )

        if may(0.0):
            return False
        if not deadline.until(may):
            raise WayError(ConnectError, "its turn to try a password never came", "Try again.")
        return True

    def has_tried(self, whose: Whose, who: object) -> None:
        """Whoever may have tried passwords has done so."""
        with self._changed:
            self._answers_for(whose).has_tried(who)
            self._changed.notify_all()

    def known(self, whose: Whose, refused: Collection[str], most: int) -> str | None:
        """Return a password to try that was given already, or None; see `password`."""
        with self._changed:
            return self._answers_for(whose).known(refused, whose.host, most)

    def password(
        self,
        whose: Whose,
        prompt: str,
        refused: Collection[str],
        doubtful: Collection[str],
        most: int,
        deadline: Deadline,
    ) -> str | None:
        """Return a password to try, which somebody has given or is now asked for; None: there is
        none.

        Args:
            whose: For whom and where.
            prompt: What to ask.
            refused: Those that were tried there.
            doubtful: Those of them that may be right nevertheless, if somebody gives them again.
            most: How often to ask.
            deadline: When to give up waiting for one's turn.
        """
        with self.turn(deadline):
            known = self.known(whose, refused, most)
            wrong = set(refused) - set(doubtful)
            again = _AGAIN if refused and self._password is None else ""
            return known or self._new(whose, again + prompt, wrong, most)

    def _new(self, whose: Whose, prompt: str, wrong: Collection[str], most: int) -> str | None:
        for _ in range(most if self._password is None else 1):  # a program would say the same
            with self._changed:
                if not self._answers_for(whose).may_ask(whose.host, most):
                    break
            answer = self.ask(whose.host, prompt)
            with self._changed:
                self._answers_for(whose).given(whose.host, answer)
            if not answer:
                break
            if answer not in wrong:
                return answer
        return None

    def was_right(self, whose: Whose, password: str) -> None:
        """A host has taken a password."""
        with self._changed:
            self._answers_for(whose).was_right(whose.host, password)
            self._changed.notify_all()

    def was_wrong(self, whose: Whose, password: str) -> None:
        """A host has refused one."""
        with self._changed:
            self._answers_for(whose).was_wrong(whose.host, password)
            self._changed.notify_all()

    def is_wrong_elsewhere(self, whose: Whose, most: int) -> bool:
        """Return whether other hosts have refused so many that this one is spared them."""
        with self._changed:
            return self._answers_for(whose).are_wrong_elsewhere(whose.host, most)

    def say(self, text: str) -> bool:
        """Show something to the person at the terminal; return whether there is one."""
        if self._password is not None:
            return False
        with self._aside():
            return self._terminal.say(text)

    def close(self) -> None:
        """Ask nobody any more; a question that is being asked on the terminal ends."""
        self._closed.set()
        self._terminal.close()

    def _answers_for(self, whose: Whose) -> Answers:
        together = self._answers[whose.user, whose.way]
        return self._answers[whose.host] if together.differ else together

    def _none_yet(self) -> Answers:
        return Answers(told=self._password is not None)


def _told(password: Ask, host: Host, prompt: str) -> str | None:
    """What the user's callable returns: any object, for all we know."""
    try:
        answer: object = password(host, prompt)
    except Exception as error:
        raise _failed(f"raised {type(error).__name__}: {error}") from error
    if answer is not None and not isinstance(answer, str):
        raise _failed(f"returned {type(answer).__name__}, and not str")
    try:
        as_bytes(answer or "")
    except UnicodeEncodeError:
        raise _failed("returned a text that cannot be encoded") from None  # it shows all of it
    return answer


def _failed(how: str) -> WayError:
    return WayError(
        AuthenticationError,
        f"the password= callable {how}",
        "It is called with the host and the prompt, and returns the secret.",
    )
