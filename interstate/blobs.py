"""Large things that calls need: each distinct content once, whoever passes it.

A content is looked for by its digest, and only where another of its size was there before: what is
the first of its size is digested on a thread of its own while it is already being sent.
"""

from __future__ import annotations

import hashlib
import itertools
import threading
import weakref
from collections import OrderedDict

_QUICK = 1 << 20  # bytes; less than that is digested at once
_REMEMBERED = 10_000  # contents whose numbers are kept, though nobody here has them any more

Digest = tuple[int, bytes]  # a content's size and hash


class Blob:
    """A content that does not change, and the number that every host knows it by."""

    __slots__ = ("__weakref__", "content", "number")

    def __init__(self, number: int, content: bytes) -> None:
        self.number = number
        self.content = content

    def __repr__(self) -> str:
        return f"<Blob {self.number}: {len(self.content):,} bytes>"


class Blobs:
    """All that were made; any thread may ask for more."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards all of these
        self._new = itertools.count(1)
        self._alive: weakref.WeakValueDictionary[int, Blob] = weakref.WeakValueDictionary()
        self._owners: weakref.WeakValueDictionary[int, Blob] = weakref.WeakValueDictionary()
        self._numbers: OrderedDict[Digest, int] = OrderedDict()
        self._sizes: dict[int, threading.Event] = {}  # set when the first of a size is digested

    def take(self, view: memoryview) -> Blob:
        """Return the Blob with that content: one that is there, if it was seen before.

        Args:
            view: The content; what may still be changed is copied.
        """
        owner = self._owners.get(id(view.obj))
        if owner is not None and owner.content is _fixed(view):
            return owner
        with self._lock:
            digested = self._sizes.get(view.nbytes)
            if digested is None:
                if len(self._sizes) == _REMEMBERED:
                    self._sizes.clear()  # some contents may be sent once more
                digested = self._sizes[view.nbytes] = threading.Event()
                first = self._made(next(self._new), _fixed(view))
            else:
                first = None
        if first is None:
            digested.wait()
            return self._known(view)
        if view.nbytes < _QUICK:
            self._digest(first, digested)
        else:
            threading.Thread(target=self._digest, args=(first, digested), daemon=True).start()
        return first

    def _known(self, view: memoryview) -> Blob:
        digest = _digest(view)
        with self._lock:
            number = self._remember(digest, next(self._new))
            return self._alive.get(number) or self._made(number, _fixed(view))

    def _digest(self, first: Blob, digested: threading.Event) -> None:
        digest = _digest(memoryview(first.content))
        with self._lock:
            self._remember(digest, first.number)
        digested.set()

    def _remember(self, digest: Digest, number: int) -> int:
        """The number of a content: a known one, or now this."""
        number = self._numbers.setdefault(digest, number)
        self._numbers.move_to_end(digest)
        if len(self._numbers) > _REMEMBERED:
            self._numbers.popitem(last=False)
        return number

    def _made(self, number: int, content: bytes) -> Blob:
        blob = self._alive[number] = self._owners[id(content)] = Blob(number, content)
        return blob


def _fixed(view: memoryview) -> bytes:
    """The content as it is now."""
    whole = view.obj
    return whole if type(whole) is bytes and len(whole) == view.nbytes else bytes(view)


def _digest(view: memoryview) -> Digest:
    return view.nbytes, hashlib.sha256(view).digest()


blobs = Blobs()
