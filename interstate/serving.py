"""Answers what imports over there ask for: the user's own modules, and data of their packages.

Answers are made on a thread of their own, since to make them takes a while, and asks the user's
finders.  A host is told of nothing but modules that can be imported here, and files in the folders
of the user's own packages; nothing is imported because it asks.
"""

from __future__ import annotations

import logging
import os
import queue
import stat
import threading
import time
import zipfile
import zipimport
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import IO, NamedTuple

from . import installed, projects
from .bundles import Bundle, names_in
from .errors import InterstateError
from .remote import served, wire

_REUSED = 1.0  # seconds in which hosts that ask the same get the same
_LARGEST = 1 << 28  # bytes of a data file
_ENDING = 5.0  # seconds that the user's finders, and providing, may take when all is over

Provide = Callable[[int, str], Sequence[str] | None]
Reply = Callable[[bytes], None]

_log = logging.getLogger("interstate")


class _Question(NamedTuple):
    host: int  # its index
    number: int
    text: bytes
    stamp: bytes  # of what the host has of it
    reply: Reply


class Serving:
    """Answers questions until it is closed.

    Args:
        provide: Called with a host's index and the name of a module at the top that is neither the
            user's own nor installed over there, on a thread that may wait; returns folders over
            there to look for it in, or None: it is not to be had.
    """

    def __init__(self, provide: Provide | None = None) -> None:
        self._provide = provide
        self._questions: queue.SimpleQueue[_Question | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="interstate imports", daemon=True)
        self._lock = threading.Lock()  # guards the next two
        self._providers: list[threading.Thread] = []
        self._closed = False
        self._obstacle = ""  # why there is no thread
        self._made: dict[tuple[str, bool], tuple[float, bytes]] = {}

    def start(self) -> None:
        """Have the thread there: when the interpreter ends, none may be had any more."""
        try:
            self._thread.start()
        except RuntimeError as error:  # it ends now, or there are too many
            self._obstacle = f"no thread for its answer could be started there: {error}"

    def ask(self, host: int, number: int, content: wire.Bytes, reply: Reply) -> None:
        """Take a host's question in; returns at once.

        Args:
            host: Its index.
            number: The question's.
            content: A stamp, and the question.
            reply: Takes the frame with the answer, on some thread.
        """
        stamp, text = bytes(content[: served.STAMP]), bytes(content[served.STAMP :])
        question = _Question(host, number, text, stamp, reply)
        if self._obstacle:
            answer = served.answer((served.ERROR, self._obstacle), holds=served.FOR_A_MOMENT)
            reply(wire.encode(wire.SERVED, number, answer))
            return
        with self._lock:
            if not self._closed:
                self._questions.put(question)

    def close(self) -> None:
        """Answer nothing any more, and wait for the end of the threads."""
        with self._lock:
            self._closed = True
            threads = [*self._providers, *([] if self._obstacle else [self._thread])]
        self._questions.put(None)
        deadline = time.monotonic() + _ENDING
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _run(self) -> None:
        while (question := self._questions.get()) is not None:
            if not self._closed:
                self._settle(question, self._answer)

    @staticmethod
    def _settle(question: _Question, make: Callable[[_Question], bytes | None]) -> None:
        """Reply with what is made, or why it cannot be made: somebody waits for it."""
        try:
            answer = make(question)
        except BaseException as error:  # also of the user's finders
            _log.debug("cannot answer what an import asks for", exc_info=error)
            why = error if isinstance(error, InterstateError) else repr(error)
            what = f"what it asked for could not be found where the call comes from: {why}"
            answer = served.answer((served.ERROR, what), holds=served.FOR_A_MOMENT)
        if answer is not None:
            question.reply(wire.encode(wire.SERVED, question.number, answer))

    def _answer(self, question: _Question) -> bytes | None:
        """The answer; None: it comes later."""
        kind, *words = served.words_of(question.text)
        if kind == served.MODULE and len(words) == 3:
            name, there, magic = words
            answer = self._module(name, magic)
            if answer is None and not there and self._may_be_provided(name):
                self._begin_to_provide(question, name)
                return None
            return answer or _absent(name, bool(there))
        if kind in (served.DATA, served.FOLDER) and words:
            return _file_of(kind, words[0], words[1:], question.stamp)
        if kind == served.SUBMODULES and len(words) == 1:
            return _submodules(words[0])
        if kind == served.METADATA and len(words) == 1:
            return _metadata(words[0])
        raise ValueError(f"no import asks {question.text[:64]!r}")

    def _module(self, name: str, magic: str) -> bytes | None:
        """The bundle with a module; None: it is not one of the user's."""
        with_code = magic == installed.MAGIC
        when, made = self._made.get((name, with_code), (float("-inf"), b""))
        if time.monotonic() - when < _REUSED:
            return made
        spec = projects.find(name)
        if spec is None:
            return None
        bundle = Bundle(name, spec, with_code)
        also = [
            served.question(served.MODULE, top, there, magic)
            for top in bundle.tops
            for there in ("", "1")
        ]
        made = bundle.answer(also)
        now = time.monotonic()
        self._made = {key: old for key, old in self._made.items() if now - old[0] < _REUSED}
        self._made[name, with_code] = now, made
        return made

    # ----------------------------------------------------------------------- providing

    def _may_be_provided(self, name: str) -> bool:
        return self._provide is not None and "." not in name and projects.may_be_own(name)

    def _begin_to_provide(self, question: _Question, name: str) -> None:
        """Have a module put where that host can import it, however long that takes."""

        def make(question: _Question) -> bytes:
            folders = self._provide(question.host, name) if self._provide is not None else None
            if folders is None:
                return _absent(name, False)
            return served.answer((served.PATH, list(folders)), holds=served.FOR_A_MOMENT)

        thread = threading.Thread(
            target=self._settle, args=(question, make), name=f"interstate {name}", daemon=True
        )
        with self._lock:
            self._providers = [other for other in self._providers if other.is_alive()]
            if not self._closed:
                thread.start()
                self._providers.append(thread)


def _absent(name: str, there: bool) -> bytes:
    """The answer for a module that is not one of the user's."""
    facts = {} if there or "." in name else installed.facts_about(name)
    holds = served.FOR_GOOD if there else served.FOR_A_MOMENT
    return served.answer((served.ABSENT, facts), holds=holds)


def _submodules(package: str) -> bytes:
    spec = projects.find(package)
    path = projects.search_path(package) if spec is not None else None
    names: dict[str, bool] = {}
    for folder in path or ():
        if projects.is_own_path(os.path.join(folder, "_")):
            for name in sorted(names_in(folder)):
                inner = projects.find(f"{package}.{name}")
                if inner is not None and inner.origin is not None:
                    names[name] = inner.submodule_search_locations is not None
    return served.answer((served.NAMES, list(names.items())), holds=served.FOR_A_MOMENT)


def _metadata(name: str) -> bytes:
    texts = installed.metadata_of_own(name)
    if texts is None:
        return served.answer((served.ABSENT, {}))
    return served.answer((served.TEXTS, texts))


# ------------------------------------------------------------------------------------ data


def _file_of(kind: str, package: str, parts: list[str], stamp: bytes) -> bytes:
    """What is in a file or a folder of one of the user's packages."""
    path = find_file(package, parts)
    if path is None:
        return _archived(kind, package, parts, stamp)
    if (kind == served.FOLDER) != path.is_dir():
        return _no_file()
    if kind == served.FOLDER:
        return _names((each.name, each.is_dir()) for each in path.iterdir())
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            return _no_file()
        return _content(str(path), file, status.st_size, _stamp(status), stamp)


def _archived(kind: str, package: str, parts: list[str], stamp: bytes) -> bytes:
    """Likewise, of a package in a zip archive."""
    spec = projects.find(package) if all(map(_is_plain_part, parts)) else None
    where = spec.submodule_search_locations if spec is not None else None
    if spec is None or not where or not isinstance(spec.loader, zipimport.zipimporter):
        return _no_file()
    inside = os.path.relpath(where[0], spec.loader.archive).replace(os.sep, "/")
    with open(spec.loader.archive, "rb") as opened, zipfile.ZipFile(opened) as archive:
        path = zipfile.Path(archive, f"{inside}/").joinpath(*parts)
        if kind == served.FOLDER and path.is_dir():
            return _names((each.name, each.is_dir()) for each in path.iterdir())
        if kind == served.FOLDER or not path.is_file():
            return _no_file()
        with archive.open(path.at) as file:
            size, now = archive.getinfo(path.at).file_size, _stamp(os.fstat(opened.fileno()))
            return _content(str(path), file, size, now, stamp)


def _stamp(status: os.stat_result) -> bytes:
    return b"".join(n.to_bytes(8, "big") for n in (status.st_mtime_ns, status.st_size))


def _no_file() -> bytes:
    return served.answer((served.ABSENT, {}), holds=served.UNTIL_CALLS)


def _names(entries: Iterable[tuple[str, bool]]) -> bytes:
    return served.answer((served.NAMES, sorted(entries)), holds=served.UNTIL_CALLS)


def _content(name: str, file: IO[bytes], size: int, now: bytes, stamp: bytes) -> bytes:
    """What is in a file, unless the host has it."""
    if now == stamp:
        return served.answer((), holds=served.UNCHANGED)
    if size > _LARGEST:
        limit = f"{name} is larger than {_LARGEST >> 20} MB: pass its content to the call"
        return served.answer((served.ERROR, limit), holds=served.UNTIL_CALLS)
    return served.answer((served.CONTENT,), file.read(), holds=served.UNTIL_CALLS, stamp=now)


def find_file(package: str, parts: Sequence[str]) -> Path | None:
    """Return the path of a file or folder of one of the user's packages; None: there is none.

    It leads nowhere but into the package's own folder, whatever links are there.
    """
    if not projects.is_name(package) or not all(map(_is_plain_part, parts)):
        return None
    for folder in projects.folders_of(package):
        path = folder.joinpath(*parts).resolve()
        if path.is_relative_to(folder) and (path.is_file() or path.is_dir()):
            return path
    return None


def _is_plain_part(part: str) -> bool:
    return part not in ("", ".", "..") and not set(part) & {"/", "\\", "\0", os.sep}
