"""How a worker has ended, in as much detail as can be had.

A crash leaves the stacks of the worker's threads in a pipe that is for nothing else: in the call's
stderr they would have to be told from what the call prints there, and the crashes of its children.
What the pipe does not take, 64 KB as a rule, is dropped; nobody waits for it to be read.
"""

from __future__ import annotations

import os

from .lean import signal, suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .memory import Verdict

_CRASHES = frozenset(  # what ends a process and has it write its stacks before
    -number
    for number in (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL)
)
_LONGEST = 1 << 16  # bytes of stacks that are passed on
_BEGIN = "Fatal Python error: "
_OURS = '  File "<interstate/remote/payload.py>"'
_RUNS_CALLS = " in run_call"


def prepare(stacks: int) -> None:
    """In a worker: have a crash write its stacks to a descriptor, but none of a child's."""
    with suppress(ImportError, OSError, RuntimeError):  # another kind of Python
        import faulthandler

        faulthandler.enable(stacks)
        os.register_at_fork(after_in_child=_Once(stacks))


class _Once:
    """In the first child only: its children may have something of their own by that number."""

    def __init__(self, stacks: int) -> None:
        self._stacks = stacks

    def __call__(self) -> None:
        stacks, self._stacks = self._stacks, -1
        if stacks < 0:
            return
        with suppress(OSError):  # no more files may be open
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, stacks, inheritable=False)
            os.close(null)


def report(status: int, stacks: int, verdict: Verdict) -> bytes:
    """The content of a DIED.

    Args:
        status: The exit status; negative: the number of the signal that ended the worker.
        stacks: Where it may have written those.
        verdict: Whether it was for want of memory, and words for what happened, if there are any.
    """
    out_of_memory, words = verdict
    facts = {
        "exit_status": str(status),
        "stack": _quoted(_read(stacks) if status in _CRASHES else ""),
        "out_of_memory": {True: "true", False: "false", None: "null"}[out_of_memory],
        "words": _quoted(words),
    }
    return f"{{{', '.join(f'{_quoted(name)}: {fact}' for name, fact in facts.items())}}}".encode()


def _quoted(text: str) -> str:
    """Text as JSON."""
    try:
        from _json import encode_basestring_ascii  # the rest of json takes long to import
    except ImportError:
        from json.encoder import encode_basestring_ascii
    return encode_basestring_ascii(text)


def _read(stacks: int) -> str:
    try:
        written = os.read(stacks, _LONGEST).decode("ascii", "replace")
    except BlockingIOError:
        return ""
    return trimmed(written)


def trimmed(written: str) -> str:
    """The last crash that is told of, each stack down to where the call began.

    A child that was forked without Python's knowledge may have told of an earlier one.
    """
    kept, below_call = [], False
    for line in written[max(0, written.rfind(_BEGIN)) :].splitlines():
        below_call = line.startswith("  ") and (below_call or _begins_call(line))
        if not below_call:
            kept.append(line)
    return "\n".join(kept).strip()


def _begins_call(line: str) -> bool:
    return line.startswith(_OURS) and line.endswith(_RUNS_CALLS)
