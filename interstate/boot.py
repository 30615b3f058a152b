"""Turns a login into an agent: builds the shipment from remote/, starts it, awaits its HELLO.

One line is run over there, the same for every login shell.  It looks for an interpreter and gives
it a stage 0, which prints a marker (whatever a login script printed before is skipped by it) and
its version, then reads the shipment from its standard input and runs it.
"""

from __future__ import annotations

import contextlib
import getpass
import re
import secrets
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

from .noagent import ENDLESS, NOT_READ, NOT_RUN
from .noagent import NoAgentError as NoAgentError
from .remote import wire
from .shipment import packed_errand, shipment, sources

# All three stand in single quotes, for any shell: no quote, backslash, exclamation mark or newline.
_SHELL = (  # options may be in the environment, where this sh is bash
    "set +efu; s=$0; o=$1; m=$2; shift; shift; "
    't() { test -f "$1" && test -x "$1" && exec "$1" -c "$s" interstate-agent "$o" $m; }; '
)
_NAMED = (  # what `python=` names: an environment's folder, a path, or a name to be found on PATH
    'p=$1; case $p in "~/"*) p=$HOME/${p#??};; esac; '
    'case $p in */*) test -d "$p" && p=$p/bin/python;; *) p=$(command -v "$p");; esac; '
    't "$p"; echo; echo $m none'
)
_SEARCH = (  # for each version, in turn; pyenv's shims start nothing, unless told what
    "for v; do n=python$v; IFS=:; "
    'for d in $PATH; do case $d in */shims) ;; *) t "$d/$n";; esac; done; IFS=; '
    'h=$HOME; for p in "${PYENV_ROOT:-$h/.pyenv}"/versions/$v*/bin/$n '
    '"$h"/.local/share/uv/python/cpython-$v.*/bin/$n '
    '"$h"/*conda*/bin/$n "$h"/*forge*/bin/$n "$h"/*conda*/envs/*/bin/$n "$h"/*forge*/envs/*/bin/$n '
    '"$h"/.conda/envs/*/bin/$n "$h"/*mamba*/bin/$n "$h"/*mamba*/envs/*/bin/$n '
    '"$h"/.asdf/installs/python/$v*/bin/$n "$h"/.local/share/mise/installs/python/$v*/bin/$n '
    '"$h"/.local/bin/$n /usr/local/bin/$n /usr/bin/$n /usr/local/*/bin/$n /opt/*/bin/$n '
    "/opt/*/envs/*/bin/$n /opt/*/*/bin/$n /Library/Frameworks/Python.framework/Versions/$v/bin/$n; "
    'do t "$p"; done; done; echo; echo $m none'
)
_PLACES = "PATH, pyenv, uv, conda, asdf, mise, ~/.local, /usr/local and /opt"
_ANNOUNCE = (
    "import sys;sys.path[:1]=[];"
    'w=sys.stdout;w.write("%c%s %d.%d.%d %s%c"'
    "%((10,sys.argv[3])+tuple(sys.version_info[:3])+(sys.executable,10)));"
    "w.flush();import io,marshal,zlib,_frozen_importlib_external as f;"
    'q=io.BufferedReader(io.FileIO(0,"rb",False),1);r=q.read;'
)
_SYNC = (  # leave out what comes before the marker
    'm=sys.argv[3].encode();b=[b""];'
    "list(iter(lambda:b.__setitem__(0,(b[0]+(r(1)or sys.exit()))[-len(m):])or b[0],m));"
)
_RUN = (
    "h=r(10);h=h if h.isdigit()else(q.readline()and r(10));"  # a script may have read the line
    "s=marshal.loads(zlib.decompress(r(int(h))));"
    'c=s["loader"];exec(marshal.loads(c[1])if s["magic"]==f.MAGIC_NUMBER else c[0],'
    '{"__name__":"interstate.remote.loader","shipment":s})'
)
_OF_STAGE0, _OF_OURS = b'File "<string>", line 1', b"<interstate/"  # in tracebacks
_AGAIN = "-again"
_UNSAFE = re.compile(r"['\\!\n\r\0]")
_NOISE = 1 << 20  # bytes that a login script may print
_READ = 1 << 16
_LONGEST_HELLO = 1 << 16  # bytes
_ABSURD = 1 << 62  # CPUs, or bytes of memory
OLDEST = (3, 9)  # of the Pythons over there
_NEWEST = (3, 19)  # that is looked for by its name
_TOO_OLD = ("3.8", "3.7", "3.6", "2.7")  # looked for in order to say that they are


class AgentGoneError(Exception):
    """There is no such agent any more."""


class Stream(Protocol):
    """What bytes travel on: a channel, a pair of pipes, a socket."""

    def read(self, n: int, /) -> bytes:
        """Wait for bytes and return at most `n`; none at the end."""

    def pump(self, receive: Callable[[bytes], object], /) -> None:
        """Hand what comes to `receive`, on whatever thread, until the end; raises what it raises.

        Nobody may `read` any more.
        """

    def write(self, data: wire.Bytes, /) -> None:
        """Write all of `data`; raises OSError when the other end is gone."""

    def write_now(self, data: bytes, /) -> bool:
        """Write all of `data` if that is sure not to block; return whether it is written."""

    def close(self) -> None:
        """End it for both ends; who waits in `read` or `write` is woken."""

    @property
    def lost(self) -> bool:
        """Whether the way to the other end is known to be gone."""

    @property
    def finished(self) -> bool:
        """Whether the other end has ended, in order; else what led to it may be lost."""


class Hello(NamedTuple):
    """What an agent says of itself."""

    protocol: int
    python: tuple[int, int, int]
    magic: str
    executable: str
    cpus: int
    memory: int  # bytes
    platform: str
    hostname: str
    pid: int
    time: float  # Unix time by the clock over there
    door: bytes  # the socket that another channel may come by
    implementation: str  # of Python
    abiflags: str
    machine: str  # as wheels name it
    libc: str  # and its version


class Start(NamedTuple):
    """How to start an agent, and what its answer begins with.

    Attributes:
        command: The line to run.
        again: The same for a shell that a script at the login runs in place of that line: it goes
            before all that is sent, for such a shell takes what is sent for its commands.
        marker: What the answer begins with.
        sought: The interpreters that it looks for.
    """

    command: str
    again: bytes
    marker: bytes
    sought: str


def prepare(python: str | None = None) -> Start:
    """Return what starts an agent.

    Args:
        python: The interpreter's path or name over there, or the folder of its environment; None:
            one of our minor version, wherever such are installed, else the newest that there is.

    Raises:
        ValueError: `python` has a character that not every shell takes as it is.
    """
    script, *candidates = (_SEARCH, *_versions()) if python is None else (_NAMED, python)
    if python is not None and (_UNSAFE.search(python) or not python):
        raise ValueError(f"python={python!r}: a path with quotes, backslashes or '!' can't be used")
    marker = f"interstate-{secrets.token_hex(8)}"

    def line(stage0: str, marker: str) -> str:
        words = (_SHELL + script, stage0, owner(), marker, *candidates)
        return "exec /bin/sh -c " + " ".join(f"'{word}'" for word in words)

    command = line(_ANNOUNCE + _RUN, marker)
    again = line(_ANNOUNCE + _SYNC + _RUN, marker + _AGAIN).encode() + b"\n"
    newest, oldest = (f"{major}.{minor}" for major, minor in (_NEWEST, OLDEST))
    anything = f"python{oldest} to python{newest}, python3 and python, in {_PLACES}"
    return Start(command, again, marker.encode(), anything if python is None else python)


def _versions() -> list[str]:
    """What may follow "python" in the name of an interpreter, the best first."""
    ours = sys.version_info[:2]
    others = ((3, minor) for minor in range(_NEWEST[1], OLDEST[1] - 1, -1))
    dotted = [f"{major}.{minor}" for major, minor in (ours, *others)]
    return [*dict.fromkeys(dotted), "3", "", *_TOO_OLD]


def await_hello(stream: Stream, start: Start) -> tuple[Hello, int, bytes]:
    """Write the shipment and wait for the agent's HELLO.

    Returns:
        The HELLO, how many bytes it was, and those that came after it.

    Raises:
        NoAgentError: Something else came, or the end.
        OSError: The stream broke.
    """
    said = begin(stream, start, shipment())
    while True:
        with_header = len(said) >= wire.HEADER.size
        kind, _, length = wire.HEADER.unpack_from(said) if with_header else (wire.HELLO, 0, 0)
        size = wire.HEADER.size + length
        if kind == wire.SOURCES and not length:
            stream.write(sources())
            said = said[size:]
            continue
        if kind != wire.HELLO or length > _LONGEST_HELLO:
            raise _failed(_all_of(stream, said))
        if with_header and len(said) >= size:
            return _parse(said[wire.HEADER.size : size]), size, said[size:]
        data = stream.read(_READ)
        if not data:
            raise NoAgentError("the agent ended before it said HELLO", said)
        said += data


def dismiss(stream: Stream, start: Start, door: bytes, patience: float) -> None:
    """End an agent by another channel than its own, and what runs there; see `resume`."""
    with contextlib.suppress(AgentGoneError):
        resume(stream, start, door, (wire.DISMISSED, 0), patience)


def resume(
    stream: Stream, start: Start, door: bytes, errand: tuple[int, int], patience: float
) -> tuple[int, bytes]:
    """Have an agent that has lost its channel take over a new one.

    Args:
        stream: Of the line that starts agents.
        door: As the agent's HELLO says.
        errand: How many bytes have come from it so far, and the number of this attempt: of two that
            are under way, the agent takes the later one.
        patience: How long it may take to answer, seconds; then it is ended.

    Returns:
        How many bytes it has received, and those that came after it said so.

    Raises:
        AgentGoneError: It is not there, or did not answer.
        NoAgentError: Something else came, or the end.
        OSError: The stream broke.
    """
    said = begin(stream, start, packed_errand(door, errand, patience))
    while len(said) < wire.HEADER.size:
        data = stream.read(_READ)
        if not data:
            raise NoAgentError("the login ended before the agent answered", said)
        said += data
    kind, number, size = wire.HEADER.unpack_from(said)
    if kind == wire.GONE:
        raise AgentGoneError
    if kind != wire.RESUMED or size:
        raise NoAgentError("the agent gave no answer that we know", said)
    return number, said[wire.HEADER.size :]


@contextlib.contextmanager
def closed_after(seconds: float, stream: Stream) -> Iterator[None]:
    """Close a stream unless this ends first: it ends the wait for an answer that does not come."""
    alarm = threading.Timer(max(0.0, seconds), stream.close)
    alarm.daemon = True
    alarm.start()
    try:
        yield
    finally:
        alarm.cancel()
        alarm.join()


def begin(stream: Stream, start: Start, program: bytes) -> bytes:
    """Have Python run a program: the shipment, or another in its place.

    Args:
        stream: Of the line that starts agents.
        start: That line.
        program: See `shipment.shipment` and `shipment.packed_program`.

    Returns:
        What it has said so far.

    Raises:
        NoAgentError: No Python came up.
        OSError: The stream broke.
    """
    with contextlib.suppress(OSError):  # who did not want it says why, in what we read now
        stream.write(start.again + program)
    said, again = _skip_to_marker(stream, start)
    if again:  # whatever a shell has not taken of the program is still on its way
        stream.write(start.marker + _AGAIN.encode() + program)
    return said


def owner() -> str:
    """Who we are, for those who look at the processes over there: `user@computer`."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a user with no name
        user = "unknown"
    return re.sub(r"[^\w.@-]", "_", f"{user}@{socket.gethostname()}", flags=re.ASCII)


# ------------------------------------------------------------------------------ answer


def _skip_to_marker(stream: Stream, start: Start) -> tuple[bytes, bool]:
    """Read until the marker's line is there, see that this Python will do.

    Returns:
        What follows, and whether it was a shell's input that started it.
    """
    answer = re.compile(re.escape(start.marker) + b"(%s)? (.*)\n" % _AGAIN.encode())
    said = b""
    while not (found := answer.search(said)):
        data = stream.read(_READ)
        if not data:
            raise NoAgentError("the login ended before any Python started", said, NOT_RUN)
        said += data
        if len(said) > _NOISE:
            raise NoAgentError("the login prints without end", said, ENDLESS)
    line = found[2].decode("utf-8", "replace")
    _check_version(line, start.sought, said[: found.start()])
    return said[found.end() :], found[1] is not None


def _check_version(answer: str, sought: str, before: bytes) -> None:
    version, _, executable = answer.partition(" ")
    if version == "none":
        raise NoAgentError(f"no Python was found there (looked for {sought})", before)
    numbers = tuple(int(part) for part in version.split(".") if part.isdecimal())
    if numbers < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise NoAgentError(
            f"the Python found there is {version} ({executable}), and {oldest} is the oldest that "
            f"will do (looked for {sought}); say by python= where there is another one"
        )


def _amount(text: str) -> int:
    number = int(text)
    if not 0 <= number < _ABSURD:
        raise ValueError("nobody has so many")
    return number


_FIELDS: dict[str, Callable[[str], Any]] = {
    "protocol": int,
    "python": lambda text: tuple(map(int, text.split("."))),
    "magic": str,
    "executable": str,
    "cpus": _amount,
    "memory": _amount,
    "platform": str,
    "hostname": str,
    "pid": int,
    "time": float,
    "door": bytes.fromhex,
    "implementation": str,
    "abiflags": str,
    "machine": str,
    "libc": str,
}


def _parse(content: bytes) -> Hello:
    words = content.decode("utf-8", "replace").split("\0")
    facts = dict(zip(words[::2], words[1::2], strict=False))
    try:
        hello = Hello(**{name: parse(facts[name]) for name, parse in _FIELDS.items()})
    except (KeyError, ValueError) as error:
        raise NoAgentError(f"the agent's HELLO is none: {error!r}") from None
    if hello.protocol != wire.VERSION:
        raise NoAgentError(
            f"the agent speaks version {hello.protocol} of our protocol, not {wire.VERSION}"
        )
    return hello


def _all_of(stream: Stream, said: bytes) -> bytes:
    while len(said) < _NOISE and (data := stream.read(_READ)):
        said += data
    return said


def _failed(said: bytes) -> NoAgentError:
    """Why what follows the marker is no frame: a traceback, which may be that of stage 0 itself."""
    if _OF_STAGE0 in said and _OF_OURS not in said:
        return NoAgentError("a Python started, and got nothing to run", said, NOT_READ)
    return NoAgentError("the agent failed", said)
