"""Patterns of ssh_config: names with * and ?, lists of them, of networks and of algorithms."""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Iterable, Sequence


@functools.lru_cache(maxsize=1 << 14)  # a config for a thousand hosts has thousands
def _compiled(pattern: str) -> re.Pattern[str]:
    """A `*` takes as little as will do, for good: to try more again and again could take years."""
    first, *parts = ["".join(map(_one, part)) for part in pattern.split("*")]
    last = [f".*{part}" for part in parts[-1:]]
    middle = [f"(?>.*?{part})" for part in parts[:-1]]
    return re.compile("".join([first, *middle, *last]), re.DOTALL)


def _one(letter: str) -> str:
    return "." if letter == "?" else re.escape(letter)


def matches(text: str, pattern: str) -> bool:
    """Return whether a pattern, in which only * and ? are special, is all of a text."""
    if "*" not in pattern and "?" not in pattern:
        return text == pattern
    return _compiled(pattern).fullmatch(text) is not None


def matches_list(text: str, patterns: str, *, lower: bool = False) -> bool:
    """Return whether one of several patterns does, and none that begins with `!`.

    Args:
        text: What to compare.
        patterns: Separated by commas.
        lower: Whether the patterns are taken in lower case; the text is the caller's to lower.
    """
    return matches_some(text, (patterns.lower() if lower else patterns).split(","))


def matches_some(text: str, patterns: Iterable[str]) -> bool:
    """The same, for patterns that are apart already."""
    found = False
    for pattern in patterns:
        negated = pattern.startswith("!")
        if matches(text, pattern[negated:]):
            if negated:
                return False
            found = True
    return found


def chosen(said: str | None, usual: Sequence[str], possible: Iterable[str]) -> tuple[str, ...]:
    """Return the algorithms to offer, in order.

    Args:
        said: What ssh_config says: names or patterns, which replace the usual ones; after `+` they
            are added to these, after `^` put before them, after `-` taken away.
        usual: What is offered when it says nothing, in order.
        possible: All that there are; other names are left out.
    """
    if said is None:
        return tuple(usual)
    sign, names = (said[0], said[1:]) if said[:1] in ("+", "-", "^") else ("", said)
    if sign == "-":
        return tuple(name for name in usual if not matches_list(name, names))
    before, after = [*usual] * (sign == "+"), [*usual] * (sign == "^")
    all_of_them = list(possible)
    named = [one for name in names.split(",") for one in all_of_them if matches(one, name)]
    return tuple(dict.fromkeys(before + named + after))


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def networks(text: str) -> list[Network]:
    """Return the networks that a list names.

    Args:
        text: Addresses, or networks as `10.0.0.0/8`, separated by commas.

    Raises:
        ValueError: One of them is malformed.
    """
    try:
        return [ipaddress.ip_network(one) for one in text.split(",")]
    except ValueError as error:
        raise ValueError(f"networks such as 10.0.0.0/8 between commas; {error}") from error
