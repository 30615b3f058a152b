"""What is said of many hosts at once: as ranges that name the same hosts, and by reason."""

from __future__ import annotations

import copy
import pickle
import re
import time
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interstate.errors import (
    BrokenSSHExecutor,
    ConnectError,
    FileTransferError,
    HostError,
    HostLost,
    HostMemoryError,
)
from interstate.hosts import Host, expand
from interstate.summary import _runs, by_reason, failures, named

pytestmark = pytest.mark.once

PIECES = st.sampled_from(
    [
        "node-",
        "n",
        "1",
        "10.0.",
        ".",
        "9",
        "007",
        "08",
        "09",
        "10",
        "99",
        "100",
        ":22",
        ":23",
        "me@",
        "2@",
        ".cluster.local",
        "9" * 17,
        "9" * 18,
        "0" * 19,
    ]
)
TEXTS = st.one_of(
    st.lists(PIECES, min_size=1, max_size=5).map("".join),
    st.from_regex(r"(me@)?node-[0-9]{1,3}(\.rack[0-9])?(:22[0-9])?", fullmatch=True),
    st.sampled_from(["[fe80::1]", "[fe80::2]:22", "node-[08-11]", "r[1-2]n[01-03]", "::1"]),
)


@st.composite
def some_hosts(draw: st.DrawFn) -> list[Host]:
    """Hosts that can be written as text, in any order, some more than once."""
    hosts: list[Host] = []
    for text in draw(st.lists(TEXTS, max_size=12)):
        try:
            hosts += expand(text)
        except ValueError:
            continue
    return hosts


def ranges(hosts: Iterable[Host]) -> list[str]:
    return [run.text() for run in _runs(hosts)]


@given(some_hosts())
def test_ranges_name_the_same_hosts_in_the_same_order(hosts: list[Host]) -> None:
    assert (expand(ranges(hosts)) if hosts else ranges(hosts)) == hosts


@given(st.lists(st.integers(0, 30), min_size=1), st.integers(1, 3))
def test_hosts_that_differ_in_one_number_are_one_text(numbers: list[int], width: int) -> None:
    hosts = [Host(f"node-{number:0{width}d}.cluster") for number in dict.fromkeys(numbers)]
    (text,) = ranges(hosts)
    assert expand(text) == hosts


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["node-[003-019]"], ["node-[003-019]"]),
        (["node-[8-11]"], ["node-[8-11]"]),
        (["node-9", "node-09", "node-10"], ["node-[9,09-10]"]),
        (["node-[1-3,7,9-10]"], ["node-[1-3,7,9-10]"]),
        (["me@127.0.1.[1-3]:22"], ["me@127.0.1.[1-3]:22"]),
        (["gate:[22-24]"], ["gate:[22-24]"]),
        (["r[1-2]n[1-3]"], ["r1n[1-3]", "r2n[1-3]"]),
        (["alpha", "beta"], ["alpha", "beta"]),
        (["a1", "a1"], ["a1", "a1"]),
        ([], []),
    ],
)
def test_ranges_are_written_as_people_do(texts: list[str], expected: list[str]) -> None:
    assert ranges(expand(texts) if texts else []) == expected


@given(st.sets(st.integers(0, 10**21)), st.sampled_from([1, 3, 18, 19, 20]))
def test_what_is_told_of_hosts_names_each_of_them_once(numbers: set[int], width: int) -> None:
    hosts = [Host(f"n{number:0{width}d}.x1.local") for number in sorted(numbers)] * 2
    told, _, more = named(hosts).partition(" and ")
    listed = re.sub(r"\[[^]]*\]|(, )", lambda found: " " if found[1] else found[0], told).split()
    missing = int(more.split()[0]) if more else 0
    assert (expand(listed) if listed else []) == hosts[: len(numbers) - missing]


def test_digits_of_other_scripts_are_left_as_they_are() -> None:
    hosts = [Host(f"n\N{ARABIC-INDIC DIGIT ONE}-{number}") for number in (1, 2)]
    assert ranges(hosts) == ["n\N{ARABIC-INDIC DIGIT ONE}-[1-2]"]
    assert ranges(Host(f"n\N{SUPERSCRIPT TWO}{number}") for number in "ab") == ["n²a", "n²b"]


def test_a_name_of_thousands_of_digits_is_as_good_as_any() -> None:
    hosts = [Host("1" * 5000 + end) for end in "23"]
    assert expand(ranges(hosts)) == hosts


def test_ten_thousand_hosts_are_told_of_at_once() -> None:
    hosts = [Host(f"me@r{rack}n{node:04d}") for rack in range(5) for node in range(2000)]
    before = time.process_time()
    assert named(hosts) == ", ".join(f"me@r{rack}n[0000-1999]" for rack in range(5))
    assert failures(map(refused, hosts)).startswith("10000 hosts: connection refused: me@r0n[0000-")
    assert time.process_time() - before < 5


def test_of_many_ranges_the_rest_is_counted() -> None:
    hosts = [Host(f"{letter}-1") for letter in "abcdefghijklmno"]
    assert named(hosts).endswith("l-1 and 3 more")
    assert named(hosts[:3]) == "a-1, b-1, c-1"
    assert named(hosts[:1] * 40) == "a-1"


def refused(host: Host) -> HostError:
    return ConnectError(f"{host}: cannot connect to {host}: no", host, "connection refused")


def test_hosts_that_failed_for_the_same_reason_are_a_line() -> None:
    hosts = expand("node-[001-020]")
    errors: list[HostError] = [
        HostLost(f"{hosts[0]} (here → {hosts[0]}): its agent has ended", hosts[0])
    ]
    errors += [refused(host) for host in hosts[2:19]]
    assert failures(errors) == (
        "17 hosts: connection refused: node-[003-019]\n"
        "node-001 (here → node-001): its agent has ended"
    )
    assert list(by_reason(errors)) == ["connection refused", "its agent has ended"]


@pytest.mark.parametrize("again", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy])
@pytest.mark.parametrize("kind", [ConnectError, FileTransferError, HostMemoryError])
def test_an_error_is_whole_after_pickling(
    again: Callable[[HostError], HostError], kind: type[HostError]
) -> None:
    error = again(kind("a: no", Host("a"), "connection refused"))
    assert (error.host, error.reason) == (Host("a"), "connection refused")
    assert str(error) == "a: no"


def test_an_executors_error_is_whole_after_pickling() -> None:
    errors = {str(host): refused(host) for host in expand("n[1-3]")}
    error = pickle.loads(pickle.dumps(BrokenSSHExecutor(failures(errors.values()), errors)))
    assert str(error) == "3 hosts: connection refused: n[1-3]"
    assert error.errors["n2"].host == Host("n2")


@pytest.mark.parametrize(
    "message",
    ["a: gone", "a (this computer → hop → a): gone", "gone", "a: gone\n  at b: c"],
    ids=["host", "way", "bare", "more"],
)
def test_a_reason_is_the_message_without_the_host(message: str) -> None:
    assert ConnectError(message, Host("a")).reason == "gone"
