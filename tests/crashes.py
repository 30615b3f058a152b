"""The crash matrix as data: who is struck, by what, in which phase of a call, and what is promised.

The faults are here too, and the calls that meet them.  `docs/reliability_matrix.md` shows the
table; it is rewritten by

    python -m tests.crashes
"""

from __future__ import annotations

import ctypes
import importlib
import os
import random
import re
import resource
import signal
import sys
import time
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any, NamedTuple

PAGE = Path(__file__).parents[1] / "docs" / "reliability_matrix.md"

# ------------------------------------------------------------------------------ the table

UNPICKLING = "unpickling the call"
RUNNING = "running"
IMPORTING = "importing"
PRINTING = "printing"
PICKLING = "pickling the result"
TRAVELLING = "result travels"
INITIALIZER = "initializer"
IN_THE_WORKER = (UNPICKLING, RUNNING, IMPORTING, PRINTING, PICKLING)
PHASES = (*IN_THE_WORKER, TRAVELLING, INITIALIZER)

OUTCOMES = {
    "its result": "The call runs on, and is run once; its result and all that it printed arrive.",
    "its exception": "The call raises here what was raised there.",
    "PicklingError": "The same, as the cause of an error that says what could not be pickled.",
    "RemoteError": "It names what was raised, which is its cause: an exit there is none here.",
    "WorkerDied": "It says how the process ended; what the call had printed is there.",
    "CallTimeout": "The call stands still until its `timeout` has passed, and is killed then.",
    "HostLost": "The call may have had effects. The host is connected to anew.",
    "BrokenSSHExecutor": "No call can run any more, as with a process pool.",
    "waits": "Nobody knows how long an initializer may take: calls wait, until `kill_workers`.",
    "ends first": "What was submitted is finished before the script ends; then nothing is left.",
    "ends at once": "What runs over there is killed before the script has ended.",
    "ends in time": "What runs over there is killed after `reconnect` seconds.",
}
WORKING = (
    "After each of these, but `BrokenSSHExecutor` and `waits`, the executor runs further calls."
)


class Row(NamedTuple):
    """What is promised when somebody is struck: for each phase that it is tried in, an outcome."""

    who: str
    what: str
    outcomes: dict[str, str]


class Cell(NamedTuple):
    """One test."""

    who: str
    what: str
    phase: str
    outcome: str

    def __str__(self) -> str:
        words = f"{self.who}-{self.what}-{self.phase}"
        return re.sub(r"[^\w.=-]+", "_", words)


def _everywhere(outcome: str, phases: Sequence[str] = IN_THE_WORKER, **others: str) -> Any:
    """The same outcome in all phases, but for some that are named by a word of theirs."""
    named = {"pickling": PICKLING, "travelling": TRAVELLING, "initializer": INITIALIZER}
    return dict.fromkeys(phases, outcome) | {named[word]: other for word, other in others.items()}


_BROKEN = "BrokenSSHExecutor"
_ON_THE_WAY = (RUNNING, PRINTING, TRAVELLING)
WORKER, AGENT, SESSION = "worker", "agent", "session"
HOP, NETWORK, CLIENT = "hop", "network", "client"

MATRIX = [
    Row(
        WORKER,
        "exception",
        _everywhere("its exception", pickling="PicklingError", initializer=_BROKEN),
    ),
    Row(WORKER, "sys.exit", _everywhere("RemoteError", initializer=_BROKEN)),
    Row(WORKER, "os._exit", _everywhere("WorkerDied", initializer=_BROKEN)),
    Row(WORKER, "SIGSEGV", _everywhere("WorkerDied", initializer=_BROKEN)),
    Row(WORKER, "SIGKILL", _everywhere("WorkerDied", initializer=_BROKEN)),
    Row(WORKER, "SIGSTOP", _everywhere("CallTimeout", initializer="waits")),
    Row(
        WORKER,
        "memory limit",
        _everywhere("its exception", pickling="PicklingError", initializer=_BROKEN),
    ),
    Row(
        WORKER,
        "memory limit, in small objects",
        _everywhere("its exception", pickling="PicklingError", initializer=_BROKEN),
    ),
    Row(AGENT, "SIGKILL", _everywhere("HostLost", PHASES)),
    Row(AGENT, "SIGSTOP", _everywhere("HostLost", PHASES)),
    Row(SESSION, "SIGKILL", _everywhere("its result", PHASES)),
    Row(SESSION, "SIGSTOP", _everywhere("its result", PHASES)),
    Row(HOP, "SIGKILL", _everywhere("its result", (RUNNING,))),
    Row(HOP, "SIGSTOP", _everywhere("its result", (RUNNING,))),
    Row(NETWORK, "reset", _everywhere("its result", _ON_THE_WAY)),
    Row(NETWORK, "orderly end", _everywhere("its result", _ON_THE_WAY)),
    Row(NETWORK, "frozen, and thawed in time", _everywhere("its result", _ON_THE_WAY)),
    Row(NETWORK, "frozen for longer", _everywhere("HostLost", _ON_THE_WAY)),
    Row(CLIENT, "exception", {RUNNING: "ends first"}),
    Row(CLIENT, "sys.exit", {RUNNING: "ends first"}),
    Row(CLIENT, "Ctrl-C", {RUNNING: "ends at once"}),
    Row(CLIENT, "os._exit", {RUNNING: "ends in time"}),
    Row(CLIENT, "SIGTERM", {RUNNING: "ends in time"}),
    Row(CLIENT, "SIGKILL", {RUNNING: "ends in time"}),
]

ABOUT = {
    WORKER: "The process that runs the call does it to itself. It ends by a signal when a library "
    "crashes or memory runs out; the memory limit is that of `RLIMIT_AS`.",
    AGENT: "The process that supervises the workers of a host. One that does not answer is killed.",
    SESSION: "The process of sshd that serves our connection.",
    HOP: "The same on a jump host, `via=`.",
    NETWORK: "Between us and the host. It is found to be frozen when nothing was heard for three "
    "heartbeats; in time is within `reconnect` seconds after that.",
    CLIENT: "The script that uses the executor. Ctrl-C comes while it waits for a result in the "
    "`with` block, and the exception is raised there.",
}


def cells(*who: str) -> list[Cell]:
    """The cells of those who are struck."""
    return [
        Cell(row.who, row.what, phase, outcome)
        for row in MATRIX
        if row.who in who
        for phase, outcome in row.outcomes.items()
    ]


# ------------------------------------------------------------------------------- the page

_BEGIN = """\
# Reliability matrix

What becomes of a call when a process or the network fails while it is in one of its phases. Each
cell is a test with a real sshd, `tests/test_crash_matrix.py`, which also sees to it that nothing is
left over there at the executor's end: no agent, no worker, and no process that a call has started,
be it in a session of its own. (Where the agent itself is killed, that last is promised of a
worker's process group only.)

This page is made by `python -m tests.crashes`.
"""


def render() -> str:
    """The page with the table."""
    sections = [_BEGIN, *(_section(who) for who in ABOUT), _legend()]
    return "\n".join(sections)


def _section(who: str) -> str:
    rows = [row for row in MATRIX if row.who == who]
    phases = [phase for phase in PHASES if any(phase in row.outcomes for row in rows)]
    table = [["", *phases], ["---"] * (len(phases) + 1)]
    table += [[row.what, *(_promise(row, phase) for phase in phases)] for row in rows]
    lines = "\n".join(f"| {' | '.join(line)} |" for line in table)
    return f"## The {who}\n\n{ABOUT[who]}\n\n{lines}\n"


def _promise(row: Row, phase: str) -> str:
    return row.outcomes.get(phase, "—")


def _legend() -> str:
    lines = "\n".join(f"| {word} | {meaning} |" for word, meaning in OUTCOMES.items())
    return (
        f"## What the words mean\n\n| word | what happens |\n| --- | --- |\n{lines}\n\n{WORKING}\n"
    )


# ------------------------------------------------------ what a worker does to itself
#
# All that goes over there is made inside a function, so that it travels with the call.

Strike = Callable[[], object]


def faults() -> dict[str, Strike]:
    """What a call may do to its own process."""

    def raise_exception() -> None:
        raise LookupError("as it was asked to")

    def leave() -> None:
        sys.exit(3)

    def leave_at_once() -> None:
        os._exit(3)

    def segfault() -> None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        ctypes.string_at(0)

    def kill() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def stop() -> None:
        os.kill(os.getpid(), signal.SIGSTOP)

    def use_up_memory(at_once: int = 1 << 20) -> None:
        with open("/proc/self/statm") as file:
            used = int(file.read().split()[0]) * resource.getpagesize()
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        resource.setrlimit(resource.RLIMIT_AS, (used + (64 << 20), hard))
        held = []
        while True:
            held.append(bytearray(at_once))

    return {
        "exception": raise_exception,
        "sys.exit": leave,
        "os._exit": leave_at_once,
        "SIGSEGV": segfault,
        "SIGKILL": kill,
        "SIGSTOP": stop,
        "memory limit": use_up_memory,
        "memory limit, in small objects": lambda: use_up_memory(4096),
    }


# -------------------------------------------------------------------- where it is done


class Place:
    """A directory in which both sides see what the other has done.

    Args:
        directory: An empty one.

    Attributes:
        session: Whether the child process that a running call starts has a session of its own.
    """

    def __init__(self, directory: Path) -> None:
        self.noted_in = directory / "noted"
        self.go_in = directory / "go"
        self.session = True
        self.noted_in.touch()

    def strike(self, then: Strike, *, child: bool = False) -> Strike:
        """Note that the phase is reached, in which processes, and do something then."""
        noted, session = str(self.noted_in), self.session

        def strike() -> None:
            pids = [os.getpid(), os.getppid()]
            if child:
                sleep = "sleep", ["sleep", "600"], os.environ.copy()
                pids.append(os.posix_spawnp(*sleep, setsid=session))
            with open(noted, "a") as file:
                file.write(" ".join(map(str, pids)) + "\n")
            then()

        return strike

    def wait(self) -> Strike:
        """What waits there until `go` is called here."""
        go = str(self.go_in)

        def wait() -> None:
            deadline = time.monotonic() + 100
            while not os.path.exists(go) and time.monotonic() < deadline:
                time.sleep(0.005)

        return wait

    def go(self) -> None:
        self.go_in.touch()

    @property
    def noted(self) -> list[list[int]]:
        """For each time that the phase was reached: the worker, its agent, and the call's child."""
        lines = self.noted_in.read_text().splitlines(keepends=True)
        return [[*map(int, line.split())] for line in lines if line.endswith("\n")]


# ------------------------------------------------------------------- calls in their phases

RESULT = "the result"
LINES = 2000
SIZE = 24_000_000  # bytes of a result that takes a while on its way
PRINTED = "".join(f"line {n}\n" for n in range(LINES))


def large_result() -> bytes:
    """What the call returns whose result is to travel."""
    return random.Random(SIZE).randbytes(SIZE)


def call(phase: str, strike: Strike) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """A function and its arguments: a call that strikes in that phase."""
    return _CALLS[phase](strike)


def _unpickling(strike: Strike) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    class Struck:
        def __reduce__(self) -> Any:
            return strike, ()

    def call(_: object) -> str:
        return RESULT

    return call, (Struck(),)


def _running(strike: Strike) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    def call() -> str:
        strike()
        return RESULT

    return call, ()


def _importing(strike: Strike) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    def call() -> str:
        class Finder:
            @classmethod
            def find_spec(cls, name: str, *_: object) -> Any:
                loader: Any = cls
                return ModuleSpec(name, loader) if name == "struck" else None

            @staticmethod
            def create_module(_: object) -> None:
                return None

            @staticmethod
            def exec_module(_: object) -> None:
                strike()

        sys.meta_path.insert(0, Finder)
        try:
            importlib.import_module("struck")
        finally:
            sys.meta_path.pop(0)
        return RESULT

    return call, ()


def _printing(strike: Strike) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    def call() -> str:
        class Struck:
            def __str__(self) -> str:
                strike()
                return f"line {LINES // 2}"

        for n in range(LINES):
            print(Struck() if n == LINES // 2 else f"line {n}")
        return RESULT

    return call, ()


def _pickling(strike: Strike) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    class Struck:
        def __reduce__(self) -> Any:
            strike()
            return str, (RESULT,)

    def call() -> object:
        return Struck()

    return call, ()


def _travelling(strike: Strike) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    def call() -> bytes:
        strike()
        return random.Random(SIZE).randbytes(SIZE)

    return call, ()


def _initializer(_: Strike) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    def call() -> str:
        return RESULT

    return call, ()


_CALLS: dict[str, Callable[[Strike], tuple[Callable[..., Any], tuple[Any, ...]]]] = {
    UNPICKLING: _unpickling,
    RUNNING: _running,
    IMPORTING: _importing,
    PRINTING: _printing,
    PICKLING: _pickling,
    TRAVELLING: _travelling,
    INITIALIZER: _initializer,
}


if __name__ == "__main__":
    PAGE.write_text(render())
