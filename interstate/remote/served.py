"""Questions of imports over there, and answers: their bytes, for every end.  Sans-IO.

A question is words with a NUL between them, so that nothing is unpickled of what a host asks.  An
answer says, to the agent, for how long it holds and which other questions it answers as well; the
rest is for who asked: a head, which says what it is, and a body.
"""

from __future__ import annotations

import marshal
import struct
import zlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from .wire import Bytes

    Head = tuple[Any, ...]  # one of the kinds of answers, and what there is to say
    Entry = tuple[str, str, int, int, int]  # kind, file, where in the body, sizes; see below

# what is asked for
MODULE = "module"  # name, whether it is there, its Python's magic number in hex
SUBMODULES = "submodules"  # the package's name
DATA = "data"  # a package's name, and the parts of a file's path in it
FOLDER = "folder"  # likewise
METADATA = "metadata"  # a distribution's name

# kinds of answers
MODULES = "modules"  # Entries by name, names of installed modules, the Python that has sent them
ABSENT = "absent"  # facts: what is known of it here
PATH = "path"  # folders over there to look in
ERROR = "error"  # why there is no answer
CONTENT = "content"  # the body is what was asked for
NAMES = "names"  # what is in a package or a folder: pairs (name, whether it is one itself)
TEXTS = "texts"  # a distribution's metadata: a dict of its files

# kinds of Entries: a file's source and bytecode are packed in the body, one after the other
PLAIN = "module"
PACKAGE = "package"
NAMESPACE = "namespace"
REFUSED = "refused"  # in place of the source: why it cannot be sent
PACKAGES = (PACKAGE, NAMESPACE)

# for how long an answer holds
FOR_GOOD = 0
FOR_A_MOMENT = 1
UNTIL_CALLS = 2  # come that were submitted after it was given
UNCHANGED = 3  # what you have holds on, until other calls come

ASK, FORGET = b"?", b"!"  # what a worker's message to its agent begins with; then the question

LONGEST = 1 << 14  # bytes of such a message
MOMENT = 1.0  # seconds
STAMP = 16  # bytes, of what may change: if it is the same, the content is

_AGENT_PART = struct.Struct("!BI")
_HEAD = struct.Struct("!I")


def question(*words: str) -> bytes:
    """Return a question's bytes."""
    return "\0".join(words).encode("utf-8", "surrogatepass")


def words_of(question: bytes) -> list[str]:
    """Return a question's words; raises ValueError if it is none."""
    return question.decode("utf-8", "surrogatepass").split("\0")


def may_change(question: bytes) -> bool:
    """Whether the answer is to be looked at again for each call."""
    return question.startswith((b"data\0", b"folder\0"))


def packed(content: bytes) -> bytes:
    """Return a module's source or bytecode as it is in a body."""
    return zlib.compress(content, 3)  # more would delay the first import


def unpacked(content: Bytes) -> bytes:
    return zlib.decompress(content)


def answer(
    head: Head,
    body: Bytes = b"",
    *,
    holds: int = FOR_GOOD,
    also: Iterable[bytes] = (),
    stamp: bytes = b"",
) -> bytes:
    """Return the bytes of an answer.

    Args:
        holds: For how long.
        also: Other questions that it answers.
        stamp: Of what may change.
    """
    for_agent = marshal.dumps((stamp, tuple(also)), 2)
    return b"".join((_AGENT_PART.pack(holds, len(for_agent)), for_agent, for_asker(head), body))


def for_asker(head: Head) -> bytes:
    """Return what who asked gets of an answer, without its body."""
    packed = marshal.dumps(head, 2)
    return _HEAD.pack(len(packed)) + packed


def cut(content: Bytes) -> tuple[int, bytes, tuple[bytes, ...], memoryview]:
    """Return for how long an answer holds, its stamp, what else it answers, and the rest."""
    holds, size = _AGENT_PART.unpack_from(content)
    rest = memoryview(content)[_AGENT_PART.size :]
    stamp, also = marshal.loads(rest[:size])  # noqa: S302  # ours
    return holds, stamp, also, rest[size:]


def head_and_body(content: Bytes) -> tuple[Head, memoryview]:
    """Return these of what who asked gets."""
    (size,) = _HEAD.unpack_from(content)
    body = memoryview(content)[_HEAD.size + size :]
    head: Head = marshal.loads(memoryview(content)[_HEAD.size : _HEAD.size + size])  # noqa: S302
    return head, body
