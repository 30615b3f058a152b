"""`interstate check`: looks at hosts, several at a time, and finds out what is to be said of each.

A host is good when our agent has come up on it, as it would for a call.  What is measured besides
is asked of a program of its own, on the same connection (see `probing`); that it could not be
measured makes no host bad.
"""

from __future__ import annotations

import contextlib
import queue
import re
import sys
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from typing import Any

from . import boot, noagent, probing
from .errors import HostError
from .found import Check, Computer, HostKey, Line, Login, Problem, Python
from .hosts import Host
from .ssh import SSH

PATIENCE = 10.0  # seconds
_AT_ONCE = 32  # hosts
_MEASURED_AT_ONCE = 4  # of these at most; they would measure one another
_FEW = 16  # hosts for each that is measured at a time
_MEASURING = 5.0  # seconds that it may take at most
_WAIT = 0.2  # seconds
_FAREWELL = 1.0  # seconds that threads may take to end, once all connections have
_MB = 1e6
_OPTIONS = {  # what is said to who writes a program, and on the command line
    "as via=": "by --via",
    "connect_timeout=": "--timeout",
    "give it more time.": "give it more time: --timeout.",
    "Give it more time.": "Give it more time: --timeout.",
    "give it more time, ": "give it more time (--timeout), ",
    ", or pass password=": "",
    ", and no password= callable was given": "",
    "Host.identity_file, or ": "",
    "; or use Host.identity_file, which is the only key tried": "",
}
_PATH = re.compile(r" \([^()]*/[^()]*\)")
_NO_AGENT = "If another Python there would do, name it: --python PATH."


def look_at(
    hosts: Sequence[Host], ssh: SSH, start: boot.Start, timeout: float
) -> Generator[tuple[int, Check]]:
    """Yield the number of each host and what was found, as they answer.

    Its end, and its `close`, end what is under way, and with it all connections.

    Args:
        hosts: Which.
        ssh: What opens ways to them; closed in the end.
        start: What starts an agent there.
        timeout: How long a host may take to let us in, and how long until its agent is there then,
            seconds.
    """
    measured = threading.Semaphore(min(_MEASURED_AT_ONCE, 1 + len(hosts) // _FEW))
    todo, over = iter([*enumerate(hosts)]), threading.Event()
    lock = threading.Lock()  # guards todo
    done: queue.SimpleQueue[tuple[int, Check]] = queue.SimpleQueue()

    def work() -> None:
        while not over.is_set():
            with lock:
                index, host = next(todo, (-1, None))
            if host is None:
                return
            done.put((index, _Look(host, ssh, start, timeout, measured).check()))

    names = [f"interstate check {n}" for n in range(min(_AT_ONCE, len(hosts)))]
    threads = [threading.Thread(target=work, name=name, daemon=True) for name in names]
    try:
        for thread in threads:
            thread.start()
        for _ in hosts:
            yield _next(done)
    finally:
        over.set()
        ssh.close()
        _join(threads)


def _next(done: queue.SimpleQueue[tuple[int, Check]]) -> tuple[int, Check]:
    """Wait for an answer; a Ctrl-C that comes just as a wait begins is seen when that ends."""
    while True:
        with contextlib.suppress(queue.Empty):
            return done.get(timeout=_WAIT)


def _join(threads: Sequence[threading.Thread]) -> None:
    """Wait a moment for them: one may be stuck in looking up a name, and nobody needs that."""
    end = time.monotonic() + _FAREWELL
    for thread in threads:
        if thread.ident is not None:
            thread.join(max(0.0, end - time.monotonic()))


class _Look:
    """One look at one host.  What it has found so far is in `_found`, as the fields of a Check."""

    def __init__(
        self,
        host: Host,
        ssh: SSH,
        start: boot.Start,
        timeout: float,
        measured: threading.Semaphore,
    ) -> None:
        self._host = host
        self._ssh = ssh
        self._start = start
        self._timeout = timeout
        self._measured = measured
        self._begun = time.monotonic()
        self._found: dict[str, Any] = {}

    def check(self) -> Check:
        try:
            self._look()
        except BaseException as error:  # whatever it is: somebody waits for a Check
            self._found["problem"] = self._problem(error)
        seconds = self._found.pop("seconds", time.monotonic() - self._begun)
        met = self._ssh.met(self._host)
        key = HostKey(met.key_type, met.fingerprint, met.standing)
        login = Login(met.user, met.method, met.key)
        return Check(
            self._host,
            self._ssh.way(self._host).split(" → "),
            round(seconds, 4),
            host_key=key if met.key_type else None,
            login=login if met.method else None,
            **self._found,
        )

    def _look(self) -> None:
        deadline = self._begun + self._timeout
        stream = self._ssh.open(self._host, self._start.command, deadline)
        with contextlib.closing(stream):
            with _within(self._timeout, stream):
                hello = boot.await_hello(stream, self._start)[0]
            self._found["seconds"] = time.monotonic() - self._begun
            self._found["python"] = _python(hello)
            self._found["computer"] = _computer(hello)
            try:
                self._measure(stream)
            except (HostError, boot.NoAgentError, OSError) as error:
                self._found["unmeasured"] = _in_short(error)

    def _measure(self, stream: boot.Stream) -> None:
        limit = min(self._timeout, _MEASURING)
        deadline = time.monotonic() + limit
        beside = self._ssh.beside(stream, self._host, self._start.command, deadline)
        with contextlib.closing(beside):
            with _within(limit, beside):
                facts = probing.begin(beside, self._start)
            computer = self._found["computer"]
            self._found["computer"] = computer._replace(
                memory_available_bytes=facts.available, load=facts.load
            )
            with self._measured, _within(limit, beside):
                speeds = probing.measure(beside)
        self._found["line"] = Line(
            round(speeds.round_trip * 1e3, 3),
            round(speeds.down / _MB, 3),
            round(speeds.up / _MB, 3),
        )

    def _problem(self, error: BaseException) -> Problem:
        if isinstance(error, _LateError):
            error = noagent.too_late(error.seconds, error.said)
        kind, reason, what = type(error).__name__, _in_short(error), str(error)
        if isinstance(error, HostError):
            what = what.removeprefix(f"{self._host}: ")
            what, _, advice = what.partition(f" (way: {self._ssh.way(self._host)})")
            advice = advice.removeprefix(". ")
            return Problem(kind, reason, *map(_as_options, (what, advice)))
        if isinstance(error, boot.NoAgentError):
            what, looked, _ = error.what.partition(f" (looked for {self._start.sought})")
            advice = f"{_NO_AGENT} Looked for was {self._start.sought}." if looked else _NO_AGENT
            advice = _as_options(error.advice) or advice
            return Problem("BootError", reason, what + error.printed, advice)
        if isinstance(error, OSError):
            return Problem("HostLost", reason, reason, "Try again.")
        return Problem(kind, f"it could not be looked at: {error!r}", repr(error), "")


class _LateError(OSError):
    """What was waited for did not come in time."""

    def __init__(self, seconds: float, said: bytes) -> None:
        super().__init__(f"it took more than {seconds:g} s")
        self.seconds = seconds
        self.said = said


@contextlib.contextmanager
def _within(seconds: float, stream: boot.Stream) -> Iterator[None]:
    """Close a stream if this takes longer: it ends the wait for what does not come."""
    end = time.monotonic() + seconds
    try:
        with boot.closed_after(seconds, stream):
            yield
    except (boot.NoAgentError, OSError) as error:
        if time.monotonic() < end:
            raise
        said = error.said if isinstance(error, boot.NoAgentError) else b""
        raise _LateError(seconds, said) from error


def _in_short(error: BaseException) -> str:
    """What went wrong, in words that are the same for every host."""
    if isinstance(error, HostError):
        return error.reason
    if isinstance(error, boot.NoAgentError):
        return _PATH.sub("", error.what.partition(" (looked for ")[0])
    return str(error) if isinstance(error, _LateError) else f"the connection was lost: {error}"


def _as_options(text: str) -> str:
    """The same in terms of the command line."""
    for said, meant in _OPTIONS.items():
        text = text.replace(said, meant)
    return text


def _python(hello: boot.Hello) -> Python:
    matches = hello.python[:2] == sys.version_info[:2]
    version = ".".join(map(str, hello.python))
    return Python(version, hello.executable, hello.implementation, matches)


def _computer(hello: boot.Hello) -> Computer:
    return Computer(
        hello.hostname, hello.platform, hello.machine, hello.libc, hello.cpus, hello.memory
    )
