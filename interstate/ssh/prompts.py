"""What a server asks, in words for whoever is to answer; and which of it asks for a password.

Pure.
"""

from __future__ import annotations

import re

_PASSWORD = re.compile(
    r"\s*(?:\(\S+\)\s+|\S+'s\s+|(?:unix|ldap|ad|domain|account|login|local|system)\s+)?"
    r"password(?:\s+for\s+\S+?)?\s*:?\s*",
    re.IGNORECASE,
)
_ONCE = re.compile(r"one.?time|otp|token|code|factor|\bpin\b", re.IGNORECASE)


def asks_for_password(prompt: str, echo: bool) -> bool:
    """Return whether a prompt asks for a user's password, and not for a code that serves once.

    Its last line says so: PAM's messages are lines before that.
    """
    before, _, last = prompt.rpartition("\n")
    return not (echo or _ONCE.search(before)) and _PASSWORD.fullmatch(last) is not None


def as_bytes(answer: str) -> bytes:
    """Return an answer as it is sent; what was no UTF-8 when it was read is as it was."""
    return answer.encode("utf-8", "surrogateescape")


def introduction(*texts: str) -> str:
    """Return what is to be read before the first prompt, each line of it ended."""
    return "".join(f"{text.rstrip()}\n" for text in texts if text.strip())


def prompt_for(user: str, host: str, prompt: str) -> str:
    """Return a server's prompt with, as ssh has it, who is asked it, and by whom."""
    before, end, last = prompt.rpartition("\n")
    if not last.strip():
        return f"({user}@{host}) {prompt}"
    return f"{before}{end}({user}@{host}) {last}"
