"""The text of ssh_config files, as directives.  Pure: other files come from a callable."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .checkers import jumps
from .keywords import ALIASES, BLOCKS, CHECKERS, LINES, OBSOLETE
from .patterns import matches_list, networks
from .words import shift, split

_DEEPEST = 16  # as ssh: READCONF_MAX_DEPTH
_WITH_VALUE = {
    *("command", "exec", "host", "localnetwork", "localuser", "originalhost"),
    *("sessiontype", "tagged", "user", "version"),
}
_EMPTY_TOO = {"command", "tagged"}
_LONE = {"all", "canonical", "final"}

Included = Callable[[str], Iterable[tuple[str, str]]]
"""Given a pattern of Include: the (path, text) of each file."""


@dataclass(frozen=True, slots=True)
class Criterion:
    """One condition of a Match line."""

    name: str
    value: str
    negated: bool


@dataclass(frozen=True, slots=True)
class Directive:
    """One line.

    Args:
        keyword: In lower case.
        values: What it says; for ProxyCommand and the like, one text.
        criteria: The conditions of a Match line.
        files: What Include has brought, file by file.
    """

    keyword: str
    values: tuple[str, ...] = ()
    criteria: tuple[Criterion, ...] = ()
    files: tuple[tuple[Directive, ...], ...] = ()


class Reader:
    """Reads files.

    Args:
        included: Where the files of Include come from.
        ignored: What IgnoreUnknown has named so far; more is added.
    """

    def __init__(self, included: Included, ignored: list[str]) -> None:
        self._included = included
        self._ignored = ignored

    def read(self, path: str, text: str, depth: int = 0) -> tuple[Directive, ...]:
        """Return what a file says.

        Raises:
            ValueError: A line is malformed; the message names it, and what was expected.
        """
        read = []
        for number, line in enumerate(text.split("\n"), 1):
            try:
                directive = self._directive(_line_of_c(line), depth)
            except _LocatedError:
                raise
            except ValueError as error:
                raise _LocatedError(f"ssh_config {path} line {number}: {error}") from error
            if directive is not None:
                read.append(directive)
        return tuple(read)

    def _directive(self, line: str, depth: int) -> Directive | None:
        keyword, rest = _keyword(line)
        if not keyword or keyword.startswith("#"):
            return None
        keyword = ALIASES.get(keyword, keyword)
        if not rest:
            raise ValueError(f"{keyword}: expected something after it")
        try:
            return self._understood(keyword, rest, depth)
        except _LocatedError:
            raise
        except ValueError as error:
            raise ValueError(f"{keyword}: expected {error}") from error

    def _understood(self, keyword: str, rest: str, depth: int) -> Directive | None:
        words = split(rest)
        if keyword == "match":
            return Directive(keyword, criteria=_match(rest, words))
        if keyword == "include":
            return Directive(keyword, files=tuple(self._files(words, depth + 1)))
        if keyword in LINES:
            return Directive(keyword, (_line(keyword, rest),))
        if keyword not in CHECKERS and keyword not in BLOCKS:
            self._check_ignored(keyword)
            return None
        if not all(words) if keyword == "host" else not words:
            raise ValueError("something after it")
        values = CHECKERS[keyword](words) if keyword in CHECKERS else words
        if keyword == "ignoreunknown":
            self._ignored += values
        return Directive(keyword, tuple(values))

    def _check_ignored(self, keyword: str) -> None:
        if keyword not in OBSOLETE and not any(
            matches_list(keyword, one, lower=True) for one in self._ignored
        ):
            raise ValueError(
                "a keyword of ssh_config; if your ssh knows it, put "
                f"`IgnoreUnknown {keyword}` before it"
            )

    def _files(self, patterns: list[str], depth: int) -> Iterable[tuple[Directive, ...]]:
        if depth > _DEEPEST:
            raise ValueError(
                f"files that do not include one another, more than {_DEEPEST} deep: "
                f"{' '.join(patterns)}"
            )
        for pattern in patterns:
            if not pattern:
                raise ValueError("no empty path")
            for path, text in self._included(pattern):
                yield self.read(path, text, depth)


class _LocatedError(ValueError):
    """It says which file and line it is about: the innermost, where Include is nested."""


def _line_of_c(line: str) -> str:
    """A line as ssh sees it: a NUL is its end."""
    return line.partition("\0")[0].rstrip(" \t\r\n\f")


def _keyword(line: str) -> tuple[str, str]:
    try:
        keyword, rest = shift(line)
        if not keyword:  # the blanks before it were a word
            keyword, rest = shift(rest)
    except ValueError:  # it has a quote in it, not closed: ssh leaves such a line out
        return "", ""
    return keyword.lower(), rest


def _line(keyword: str, rest: str) -> str:
    text = rest.lstrip(" \t\r\n=")
    if keyword == "proxyjump":
        text = text.partition("#")[0].rstrip(" \t\r\n")
        jumps(text)
    return text


def _match(rest: str, words: list[str]) -> tuple[Criterion, ...]:
    try:
        return tuple(_criteria(_shifted(rest)))
    except ValueError:
        with contextlib.suppress(ValueError):  # since 9.9 ssh takes quotes as everywhere else
            return tuple(_criteria(_parted(words)))
        raise


def _shifted(rest: str) -> list[str]:
    words = []
    while rest and not rest.startswith("#"):
        word, rest = shift(rest)
        words.append(word)
    return words


def _parted(words: list[str]) -> list[str]:
    """Words, where what is before and after the `=` of a criterion counts as two."""
    found: list[str] = []
    for word in words:
        name, equals, value = word.partition("=")
        is_criterion = equals and name.removeprefix("!").lower() in _WITH_VALUE
        found += [name, value] if is_criterion else [word]
    return found


def _criteria(words: list[str]) -> Iterable[Criterion]:
    if not words:
        raise ValueError("criteria")
    left, said = list(words), 0
    while left and left != [""]:
        word = left.pop(0)
        negated, name = word.startswith("!"), word.removeprefix("!").lower()
        said += 1
        if name == "all" and (left or said > 2):
            raise ValueError("`all` alone")
        if name not in _WITH_VALUE | _LONE:
            raise ValueError(f"criteria ({', '.join(sorted(_WITH_VALUE | _LONE))}), not {word!r}")
        yield Criterion(name, _value(name, left) if name in _WITH_VALUE else "", negated)


def _value(name: str, left: list[str]) -> str:
    """Take the value of a criterion from the words that are left."""
    if not left or (not left[0] and name not in _EMPTY_TOO):
        raise ValueError(f"something after {name}")
    if name == "localnetwork":
        networks(left[0])
    return left.pop(0)
