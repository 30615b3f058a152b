"""What was found out of a host by `interstate check`, and what is to be remarked on.  Pure.

What is in each of these, and what it is called in JSON, is told in docs/check.md.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from .hosts import Host

_GB = 1e9
_LITTLE = 0.1  # of the memory


class HostKey(NamedTuple):
    """The host key that a host showed."""

    type: str  # such as "ssh-ed25519"
    fingerprint: str  # as ssh shows it
    standing: str  # "known"; "new", and noted; or, refused, "unknown", "changed" or "revoked"


class Login(NamedTuple):
    """How we logged in."""

    user: str
    method: str  # as RFC 4252 names it: "publickey", "password", …
    key: str  # which of ours: a file's path, or what the ssh-agent calls it; "" if it was none


class Python(NamedTuple):
    """The Python that was found there."""

    version: str  # such as "3.12.1"
    executable: str  # its path
    implementation: str  # such as "cpython"
    matches: bool  # it is of our own minor version, so that functions need not be compiled


class Computer(NamedTuple):
    """What it is that we would run on.  None: it does not say, or was not asked."""

    name: str  # as it calls itself
    platform: str  # its kernel, such as "Linux"
    machine: str  # such as "x86_64"
    libc: str  # such as "glibc 2.36"
    cpus: int  # that it lets us use
    memory_bytes: int
    memory_available_bytes: int | None = None
    load: float | None = None  # processes that ran, or wanted to: the last minute's average


class Line(NamedTuple):
    """How fast the way to it is, while others are being looked at, too.  A MB is 10⁶ bytes."""

    round_trip_ms: float  # of a short message that is answered
    down_mb_per_s: float  # from there
    up_mb_per_s: float  # to there


class Problem(NamedTuple):
    """Why a host cannot be used."""

    kind: str  # the exception that a call there would fail with, such as "HostKeyError"
    reason: str  # in few words that are the same for all hosts that it is wrong with
    what: str
    advice: str  # what to do about it; may be ""


class Remark(NamedTuple):
    """What is not wrong, and yet worth knowing."""

    reason: str  # in few words that are the same for all hosts that it holds for
    what: str  # with the host's own numbers


class Check(NamedTuple):
    """What was found out of one host; None: it did not come to that.

    Attributes:
        host: The host, as it was named.
        way: Where one comes by on the way to it, this computer and it included.
        seconds: How long it took until an agent was there, or until it was given up.
        host_key, login, python, computer, line: See there.
        problem: Why it cannot be used; None if it can.
        unmeasured: Why there is no `line`, nor what is measured along with it, though it is good.
    """

    host: Host
    way: Sequence[str]
    seconds: float
    host_key: HostKey | None = None
    login: Login | None = None
    python: Python | None = None
    computer: Computer | None = None
    line: Line | None = None
    problem: Problem | None = None
    unmeasured: str = ""

    @property
    def good(self) -> bool:
        """Whether calls can run there."""
        return self.problem is None

    @property
    def reason(self) -> str:
        """Why it is bad, as its problem has it; "" if it is good."""
        return self.problem.reason if self.problem else ""

    @property
    def remarks(self) -> list[Remark]:
        """What is not wrong, and yet worth knowing."""
        return [*_of_key(self.host_key), *_of_computer(self.computer), *_of_line(self)]

    def described(self) -> dict[str, Any]:
        """Return it as what JSON knows; see docs/check.md for what is in it."""
        parts = ("host_key", "login", "python", "computer", "line", "problem")
        found = {name: getattr(self, name) for name in parts}
        return {
            "host": str(self.host),
            "good": self.good,
            "way": list(self.way),
            "seconds": self.seconds,
            **{name: part and part._asdict() for name, part in found.items()},
            "remarks": [remark.what for remark in self.remarks],
        }


def _of_key(key: HostKey | None) -> Iterator[Remark]:
    if key is not None and key.standing == "new":
        reason = "its host key was new, and accepted as ssh_config says"
        yield Remark(reason, f"{reason}: {key.type} key {key.fingerprint}")


def _of_computer(computer: Computer | None) -> Iterator[Remark]:
    if computer is None:
        return
    load, available = computer.load, computer.memory_available_bytes
    if load is not None and load > computer.cpus:
        yield Remark("it is busy", f"it is busy: a load of {load:.1f} on {computer.cpus} CPUs")
    if available is not None and available < _LITTLE * computer.memory_bytes:
        reason = "it has little memory left"
        free, total = available / _GB, computer.memory_bytes / _GB
        yield Remark(reason, f"{reason}: {free:.1f} of {total:.1f} GB")


def _of_line(check: Check) -> Iterator[Remark]:
    if check.unmeasured:
        reason = f"how fast its line is could not be measured: {check.unmeasured}"
        yield Remark(reason, reason)


def by_remark(checks: Iterable[Check]) -> Mapping[str, list[Check]]:
    """Return those of which the same is remarked on, by that."""
    groups: dict[str, list[Check]] = {}
    for check in checks:
        for remark in check.remarks:
            groups.setdefault(remark.reason, []).append(check)
    return groups


def ours() -> str:
    """Return our own Python's minor version."""
    return f"{sys.version_info[0]}.{sys.version_info[1]}"
