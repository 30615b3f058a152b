"""What may stand after a keyword of ssh_config.

A checker takes the words after it and returns them as they are to be understood; where it cannot,
it raises a ValueError that says what was expected.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from ..hosts import Host

Words = list[str]
Checker = Callable[[Words], Words]

_TIME = re.compile(r"\+?(?:\d+[smhdw]?)+", re.IGNORECASE)
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_SIZE = re.compile(r"\+?(?:\d+\.?\d*|\.\d+)[kmgtpe]?", re.IGNORECASE)
_INTEGER = re.compile(r"\s*[+-]?\d+", re.ASCII)
_DOMAIN = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]|\.(?!\.))*")
_VARIABLE = re.compile(r"[A-Za-z0-9_]+", re.ASCII)
_SERVICES = {"ssh": 22, "http": 80, "https": 443}  # names for ports where an sshd may listen
_LARGEST = 2**31 - 1
_LEAST_BYTES = 16  # between two agreements on keys

YES_OR_NO = {"yes": "yes", "no": "no", "true": "yes", "false": "no"}


def anything(words: Words) -> Words:
    """Whatever there is."""
    return words


def one(words: Words) -> str:
    """Return the only word."""
    if len(words) != 1 or not words[0]:
        raise ValueError(f"one word, not {' '.join(words) or 'none'!r}")
    return words[0]


def text(words: Words) -> Words:
    """One word."""
    return [one(words)]


def choice(meanings: Mapping[str, str], *more: str) -> Checker:
    """One of several words, in upper or lower case.

    Args:
        meanings: What some of them are understood as.
        more: Others, which are understood as themselves.
    """
    understood = {**meanings, **{word: word for word in more}}

    def check(words: Words) -> Words:
        word = one(words)
        if word.lower() not in understood:
            raise ValueError(f"one of {', '.join(understood)}, not {word!r}")
        return [understood[word.lower()]]

    return check


flag = choice(YES_OR_NO)


def number(words: Words) -> Words:
    """A whole number."""
    word = one(words)
    value = int(word) if _INTEGER.fullmatch(word) else -1
    if not 0 <= value <= _LARGEST:
        raise ValueError(f"a number, not {word!r}")
    return [str(value)]


def port(words: Words) -> Words:
    """A port."""
    word = one(words)
    value = int(word) if _INTEGER.fullmatch(word) else _SERVICES.get(word, 0)
    if not 1 <= value <= 65535:
        raise ValueError(f"a port between 1 and 65535, not {word!r}")
    return [str(value)]


def time(words: Words) -> Words:
    """A time, as seconds; or none."""
    word = one(words)
    if word == "none":
        return ["none"]
    if not word.isascii() or _TIME.fullmatch(word) is None or (value := _seconds(word)) > _LARGEST:
        raise ValueError(f"a time such as 90, 1m30s or none, not {word!r}")
    return [str(value)]


def _seconds(word: str) -> int:
    parts = re.findall(r"(\d+)([smhdw]?)", word.lower())
    return sum(int(amount) * _SECONDS[unit] for amount, unit in parts)


def rekeying(words: Words) -> Words:
    """How many bytes, and seconds, may go by until keys are agreed on anew; 0: as usual."""
    size, *more = words
    value = 0 if size == "default" else _bytes(size)
    if 0 < value < _LEAST_BYTES:
        raise ValueError(f"at least {_LEAST_BYTES} bytes, not {size!r}")
    return [str(value), *(time(more) if more and more != ["none"] else [])]


def _bytes(word: str) -> int:
    if not word.isascii() or _SIZE.fullmatch(word) is None:
        raise ValueError(f"a size such as 1G or 500M, not {word!r}")
    amount = word.rstrip("kmgtpeKMGTPE")
    return int(float(amount) * 1024 ** " kmgtpe".index(word[len(amount) :].lower() or " "))


def several(words: Words) -> Words:
    """Some words, or `none` alone."""
    if not all(words):
        raise ValueError("no empty word")
    if len(words) > 1 and "none" in (word.lower() for word in words):
        raise ValueError("none alone, or others without it")
    return words


def domains(words: Words) -> Words:
    """Names of domains."""
    for word in several(words):
        if _DOMAIN.fullmatch(word) is None:
            raise ValueError(f"names of domains, not {word!r}")
    return [word.lower().removesuffix(".") for word in words]


def cnames(words: Words) -> Words:
    """Rules of which names may stand for which."""
    for word in several(words):
        if word.lower() != "none" and word != "*" and not word.partition(":")[2]:
            raise ValueError(f"FROM:TO, lists of patterns, not {word!r}")
    return [word.lower() for word in words]


def variables(words: Words) -> Words:
    """Names of environment variables."""
    if any("=" in word or not word for word in words):
        raise ValueError("names of variables, without values")
    return words


def assignments(words: Words) -> Words:
    """Values of environment variables."""
    if not all("=" in word for word in words):
        raise ValueError("NAME=VALUE")
    return words


def two(words: Words) -> Words:
    """Two words."""
    if len(words) != 2 or not all(words):
        raise ValueError(f"two words, not {' '.join(words) or 'none'!r}")
    return words


def algorithms(words: Words) -> Words:
    """Names of algorithms; as to ssh, a comma may be one too many."""
    word = one(words)
    if word in ("+", "^"):
        raise ValueError(f"names of algorithms between commas, not {word!r}")
    return [word]


def socket_path(words: Words) -> Words:
    """The path of a socket, or the variable that has it."""
    word = one(words)
    if word.startswith("$") and word[1:2] != "{" and _VARIABLE.fullmatch(word[1:]) is None:
        raise ValueError(f"a path, or $ and the name of a variable, not {word!r}")
    return [word]


def jumps(text: str) -> list[Host]:
    """Return the hosts that a ProxyJump names.

    Raises:
        ValueError: One of them is malformed.
    """
    try:
        return [] if text.lower() == "none" else [_jump(hop) for hop in text.split(",")]
    except ValueError as error:
        raise ValueError(f"hosts between commas; {error}") from error


def _jump(text: str) -> Host:
    name, _, service = text.rpartition(":")
    return Host.parse(f"{name}:{_SERVICES[service]}" if service in _SERVICES else text)
