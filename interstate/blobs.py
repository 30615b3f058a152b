"""Large things that calls need: each distinct content once, whoever passes it.

A content is compared with the last one of its size, while that is here, else looked for by its
digest, and only where another of its size was there before: what is the first of its size is
digested on a thread of its own while it is already being sent.
"""

from __future__ import annotations

import hashlib
import itertools
import threading
import weakref
from collections import OrderedDict
from typing import Any

_QUICK = 1 << 20  # bytes; less than that is digested at once
_REMEMBERED = 10_000  # contents whose numbers, and sizes, are kept when nobody here has them

Digest = tuple[int, bytes]  # a content's size and hash


class Blob:
    """A content that does not change, and the number that every host knows it by."""

    __slots__ = ("__weakref__", "content", "number")
    on_disk = False  # over there

    def __init__(self, number: int, content: bytes) -> None:
        self.number = number
        self.content = content

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.number}: {self.size:,} bytes>"

    @property
    def size(self) -> int:
        """How large it is, bytes."""
        return len(self.content)


class Blobs:
    """All that were made; any thread may ask for more."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards all of these
        self._new = itertools.count(1)
        self._alive: weakref.WeakValueDictionary[int, Blob] = weakref.WeakValueDictionary()
        self._owners: weakref.WeakValueDictionary[int, Blob] = weakref.WeakValueDictionary()
        self._latest: weakref.WeakValueDictionary[int, Blob] = weakref.WeakValueDictionary()
        self._numbers: OrderedDict[Digest, int] = OrderedDict()
        # by size; set when the first of it is digested
        self._sizes: OrderedDict[int, threading.Event] = OrderedDict()

    def take(self, view: memoryview) -> Blob:
        """Return the Blob with that content: one that is there, if it was seen before.

        Args:
            view: The content; what may still be changed is copied.
        """
        owner = self._owners.get(id(view.obj))
        if owner is not None and owner.content is view.obj and view.nbytes == len(owner.content):
            return owner
        latest = self._latest.get(view.nbytes)
        if latest is not None and latest.content.startswith(view):  # ten times a digest's speed
            return latest
        with self._lock:
            digested = self._sizes.get(view.nbytes)
            if digested is None:
                digested = self._sizes[view.nbytes] = threading.Event()
                _shorten(self._sizes)
                first = self._made(next(self._new), _fixed(view))
            else:
                first = None
        if first is None:
            digested.wait()
            return self._known(view)
        if view.nbytes < _QUICK:
            self._digest(first, digested)
        else:
            self._digest_meanwhile(first, digested)
        return first

    def new_number(self) -> int:
        """Return a number for something else that hosts know by one."""
        return next(self._new)

    def _known(self, view: memoryview) -> Blob:
        content = _fixed(view)  # first of all: it may change while it is looked at
        digest = _digest(memoryview(content))
        with self._lock:
            number = self._remember(digest, next(self._new))
            return self._alive.get(number) or self._made(number, content)

    def _digest_meanwhile(self, first: Blob, digested: threading.Event) -> None:
        try:
            threading.Thread(target=self._digest, args=(first, digested), daemon=True).start()
        except RuntimeError:  # there are too many threads, or the interpreter ends
            self._digest(first, digested)

    def _digest(self, first: Blob, digested: threading.Event) -> None:
        digest = _digest(memoryview(first.content))
        with self._lock:
            self._remember(digest, first.number)
        digested.set()

    def _remember(self, digest: Digest, number: int) -> int:
        """The number of a content: a known one, or now this."""
        number = self._numbers.setdefault(digest, number)
        self._numbers.move_to_end(digest)
        _shorten(self._numbers)
        return number

    def _made(self, number: int, content: bytes) -> Blob:
        blob = self._alive[number] = self._owners[id(content)] = Blob(number, content)
        self._latest[len(content)] = blob
        return blob


def _shorten(remembered: OrderedDict[Any, Any]) -> None:
    if len(remembered) > _REMEMBERED:
        remembered.popitem(last=False)


def _fixed(view: memoryview) -> bytes:
    """The content as it is now."""
    whole = view.obj
    return whole if type(whole) is bytes and len(whole) == view.nbytes else bytes(view)


def _digest(view: memoryview) -> Digest:
    return view.nbytes, hashlib.sha256(view).digest()


blobs = Blobs()
