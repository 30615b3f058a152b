"""What came in place of an agent, in words: what happened, what to do, and what was printed."""

from __future__ import annotations

from .errors import HostError
from .printable import printable

_LONGEST, _MOST_LINES = 2000, 20  # characters and lines of what was printed that are shown

TRY = "`ssh HOST echo hello` should print hello, and nothing after it."
NOT_RUN = (
    "What we ask for is not run there: a ForceCommand, a login shell such as nologin, or an `exec` "
    f"or `exit` in a script such as ~/.bashrc runs in its place. {TRY}"
)
NOT_READ = (
    "It did not find on its standard input what was sent there: a script that is run at the login, "
    "such as ~/.bashrc, reads it, closes it or redirects it."
)
ENDLESS = f"So does a ForceCommand, or a script that is run at the login, such as ~/.bashrc. {TRY}"
LATE = (
    "What is run at the login, such as ~/.bashrc or a ForceCommand, is slow, waits for something, "
    f"or runs another shell in its place. {TRY} If it is only slow, give it more time: "
    "connect_timeout=."
)


class NoAgentError(Exception):
    """No agent came up; the message says what came instead.

    Args:
        what: What happened.
        said: What was printed until then.
        advice: What to do, in sentences.

    Attributes:
        what: What happened, and whether nothing was printed.
        printed: The end of what was printed, as the message has it.
    """

    def __init__(self, what: str, said: bytes | None = None, advice: str = "") -> None:
        text = _shown(said or b"")
        silent = ", and it printed nothing" if said is not None and not text else ""
        self.what = f"{printable(what)}{silent}"  # it may have words of whoever answered
        self.said = said or b""
        self.advice = advice
        self.printed = f"\nThe last that it printed:\n{text}" if text else ""
        super().__init__(f"{self.what}{f'. {advice}' if advice else ''}{self.printed}")


def too_late(seconds: float, said: bytes) -> NoAgentError:
    """What there is to say when the time is over.

    Args:
        seconds: How long there was.
        said: What was printed until then.
    """
    return NoAgentError(f"we are logged in, and no agent came up within {seconds:g} s", said, LATE)


def in_short(obstacle: Exception) -> str:
    """What was in the way to an agent, in words that are the same for every host."""
    if isinstance(obstacle, NoAgentError):
        return obstacle.what
    return obstacle.reason if isinstance(obstacle, HostError) else str(obstacle)


def _shown(said: bytes) -> str:
    """The end of what was printed, without what would make a terminal do things."""
    text = said[-_LONGEST:].decode(errors="replace").replace("\r", "")
    lines = printable(text, "\N{REPLACEMENT CHARACTER}").strip().split("\n")
    return "\n".join(lines[-_MOST_LINES:])
