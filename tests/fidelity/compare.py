"""What came back beside what was raised: where they differ, and the words for it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from .describe import Description

EQUAL = "equal"
EXIT = "as cause"
WITHOUT = "without"
IN_WORDS = "in words"
ATTRIBUTES = "attributes"
CHAIN = "chain"
NO_TRACEBACK = "no traceback"
TEXT_ONLY = "text"
LINES = "lines"
CARETS = "carets"
ANOTHER = "another"
LOST = "lost"
NOT_SENT = "not sent"

GOOD = (EQUAL, EXIT, WITHOUT, IN_WORDS)  # what is promised, the one or the other
_REMOTE = re.compile(r" \(remote( \d+)?\)$")  # what the name of a file ends with that is not here
_HOST = re.compile(r"<.+, worker \d+, Python [\d.]+>$")  # the file of the frame that says where

_CARETS = re.compile(r"^[ ~^]+\n", re.MULTILINE)
_ORDER = (ATTRIBUTES, CHAIN, LINES, CARETS, NO_TRACEBACK, TEXT_ONLY)
_SHOWN = 8  # differences; who has more of them has them in all of a chain
_EXITS = ("builtins.KeyboardInterrupt", "builtins.SystemExit", "builtins.GeneratorExit")
_REMOTE_ERROR = re.compile(r"interstate\.([a-z.]+\.)?RemoteError")
_TEXT = "concurrent.futures.process._RemoteTraceback"
_WORDS = {
    "args": ATTRIBUTES,
    "text": ATTRIBUTES,
    "notes": CHAIN,
    "suppress_context": CHAIN,
    "cause": CHAIN,
    "context": CHAIN,
}


class Judged(NamedTuple):
    """What came back, in a few words of the legend, and where that differs from what was raised."""

    word: str
    differences: list[str]


class Difference(NamedTuple):
    """Where two descriptions differ, and how."""

    path: str
    wanted: Any
    got: Any
    word: str

    def __str__(self) -> str:
        return f"{self.path}: {_short(self.wanted)} → {_short(self.got)}"


def judge(
    raised: Description,
    came: Description,
    *,
    left_out: Collection[str] = (),
    foreign: Collection[str] = (),
    strict: bool = True,
) -> Judged:
    """Say what came back.

    Args:
        raised: What was raised, as it was where it ran.
        came: What came back.
        left_out: Where in it is what cannot be pickled, as paths of differences.
        foreign: The ends of the names of files that are not here, or others here.
        strict: Whether a frame must say on which host it was, and file names that they are not
            of here; else more frames may be in front.
    """
    found = list(_Comparing(foreign, strict).exceptions(raised, came, ""))
    if not found:
        return Judged(EQUAL, [])
    for word in (EXIT, WITHOUT, IN_WORDS):
        if _CHECKS[word](raised, came, found, left_out, foreign):
            return Judged(word, [])
    words = {difference.word for difference in found}
    word = ANOTHER if ANOTHER in words else ", ".join(sorted(words, key=_ORDER.index))
    return Judged(word, [str(difference) for difference in found[:_SHOWN]])


# ---------------------------------------------------------------------------- deliberate


def _is_an_exit(
    raised: Description, came: Description, _: Any, left_out: Any, foreign: Collection[str]
) -> bool:
    if raised["class"] not in _EXITS or not _REMOTE_ERROR.fullmatch(came["class"]):
        return False
    named = raised["class"].rpartition(".")[2]
    where = any(_HOST.match(frame[0]) for frame in came["frames"])
    if not isinstance(came["cause"], dict):
        return False
    found = list(_Comparing(foreign, strict=True).exceptions(raised, came["cause"], "cause."))
    return named in came["text"] and where and not found


def _is_without(
    raised: Description,
    came: Description,
    found: list[Difference],
    left_out: Collection[str],
    _: Any,
) -> bool:
    """Only what cannot be pickled is missing, or stood for, and a note tells of it."""
    noted = [difference for difference in found if difference.path.endswith("notes")]
    others = [difference for difference in found if difference not in noted]
    told = " ".join(map(_more_notes, noted))
    return bool(others) and all(
        difference.path in left_out and _stands_for(difference) and _tells(told, difference)
        for difference in others
    )


def _more_notes(noted: Difference) -> str:
    """The notes that came, but for those that were there."""
    before, after = (
        value["items"] if isinstance(value, dict) else [] for value in (noted.wanted, noted.got)
    )
    return " ".join(after[len(before) :]) if after[: len(before)] == before else ""


def _tells(told: str, difference: Difference) -> bool:
    return repr(difference.path.rpartition(".")[2]) in told or difference.wanted["repr"] in told


def _stands_for(difference: Difference) -> bool:
    _, wanted, got, _ = difference
    return got == _ABSENT or (isinstance(got, dict) and got.get("repr") == wanted.get("repr"))


def _is_in_words(raised: Description, came: Description, *_: Any) -> bool:
    if not _REMOTE_ERROR.fullmatch(came["class"]):
        return False
    said = came["attributes"]
    names = [frame[2] for frame in raised["frames"]]
    in_text = all(f"in {name}" in said["remote_traceback"] for name in names)
    return said["type_name"] == f"'{raised['class']}'" and in_text


_CHECKS = {EXIT: _is_an_exit, WITHOUT: _is_without, IN_WORDS: _is_in_words}


# --------------------------------------------------------------------------- differences


class _Comparing:
    def __init__(self, foreign: Collection[str], strict: bool) -> None:
        self._foreign = tuple(foreign)
        self._strict = strict

    def exceptions(self, raised: Description, came: Description, path: str) -> Iterator[Difference]:
        if raised["class"] != came["class"]:
            yield Difference(f"{path}class", raised["class"], came["class"], ANOTHER)
            return
        came, text = _without_text(came)
        for name, word in _WORDS.items():
            yield from self.values(raised[name], came[name], f"{path}{name}", word)
        yield from self._attributes(raised["attributes"], came["attributes"], f"{path}attributes")
        if text:
            yield Difference(f"{path}frames", "a traceback", text, TEXT_ONLY)
        else:
            strict = self._strict and not path
            yield from self.frames(raised["frames"], came["frames"], f"{path}frames", strict)

    def values(self, raised: Any, came: Any, path: str, word: str) -> Iterator[Difference]:
        if raised == came:
            return
        if not (isinstance(raised, dict) and isinstance(came, dict)):
            yield Difference(path, raised, came, word)
        elif "class" in raised and "class" in came:
            for difference in self.exceptions(raised, came, f"{path}."):
                other = difference.word == ANOTHER
                yield difference._replace(word=word) if other else difference
        elif "traceback" in raised and "traceback" in came:
            yield from self.frames(raised["traceback"], came["traceback"], path, False)
        elif raised.get("type") == came.get("type") and "items" in raised:
            yield from self._items(raised["items"], came["items"], path, word)
        else:
            yield Difference(path, raised, came, word)

    def _attributes(
        self, raised: dict[str, Any], came: dict[str, Any], path: str
    ) -> Iterator[Difference]:
        for name in sorted({*raised, *came}):
            inner = raised.get(name, _ABSENT), came.get(name, _ABSENT)
            yield from self.values(*inner, f"{path}.{name}", ATTRIBUTES)

    def _items(
        self, raised: list[Any], came: list[Any], path: str, word: str
    ) -> Iterator[Difference]:
        if path.endswith("notes") or len(raised) != len(came):
            yield Difference(path, {"items": raised}, {"items": came}, word)
            return
        for index, pair in enumerate(zip(raised, came, strict=True)):
            yield from self.values(*pair, f"{path}[{index}]", word)

    def frames(
        self, raised: list[Any], came: list[Any], path: str, strict: bool
    ) -> Iterator[Difference]:
        hosts = [n for n, frame in enumerate(came) if _HOST.match(frame[0])]
        if strict and len(hosts) != 1:
            yield Difference(path, "a frame that says where", f"{len(hosts)} of them", LINES)
        came = came[hosts[-1] + 1 :] if hosts else came[-len(raised) :] if raised else came
        if len(raised) != len(came):
            word = LINES if came else NO_TRACEBACK if path == "frames" else CHAIN
            yield Difference(path, f"{len(raised)} frames", f"{len(came)} frames", word)
            return
        for index, (there, here) in enumerate(zip(raised, came, strict=True)):
            named = here[0] if self._named_well(there[0], here[0]) else "another file"
            got = [_REMOTE.sub("", named), *here[1:]]
            if there != got:
                word = CARETS if _without_carets(there) == _without_carets(got) else LINES
                yield Difference(f"{path}[{index}]", there, here, word)

    def _named_well(self, there: str, here: str) -> bool:
        """Whether a file has a name of its own here if, and only if, it is another one here."""
        return not self._strict or there.endswith(self._foreign) == (
            _REMOTE.search(here) is not None
        )


_ABSENT = "absent"


def _without_carets(frame: list[Any]) -> list[Any]:
    *where, shown = frame
    return [*where, _CARETS.sub("", shown)]


def _without_text(came: Description) -> tuple[Description, str]:
    """What a process pool has for a cause is the traceback as text."""
    cause = came["cause"]
    if not isinstance(cause, dict) or cause.get("class") != _TEXT:
        return came, ""
    as_raised = {"cause": repr(None), "suppress_context": False}
    return {**came, **as_raised}, cause["text"]


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 300 else f"{text[:300]}…"
