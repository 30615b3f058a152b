"""execute(): the three main uses, on a real sshd and on loopback hosts, with and without a hop."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import interstate
from interstate import Environ, ExecuteError, Host, execute

from .gates import Gate
from .kinds import KINDS
from .sshd import Keys, Sshd, loopback_addresses

LONG = 200.0  # seconds that each of many hosts may take to connect to


@pytest.fixture(params=KINDS)
def hosts(
    request: pytest.FixtureRequest, sshd: Sshd, loopback_hosts: list[Host]
) -> Iterator[list[Host]]:
    """Several hosts; the first may serve as the jump host of the others."""
    if request.param == "sshd":
        yield sshd.hosts(4)
    else:
        with interstate.loopback.hosts(4) as hosts:
            yield hosts


def test_one_job_on_one_host_prints_here_and_returns_here(
    hosts: list[Host], capfd: pytest.CaptureFixture[str]
) -> None:
    def job(environ: Environ) -> tuple[int, int]:
        for i in range(3):
            print(i)
        os.system("echo a child")
        return environ["index"], environ["count"]

    assert execute(job, host=hosts[0]) == (0, 1)
    assert capfd.readouterr().out == "0\n1\n2\na child\n"


def test_output_of_one_host_appears_while_the_job_runs(host: Host, gate: Gate) -> None:
    wait_there = gate.wait

    def job() -> str:
        print("now")
        wait_there()
        return "seen"

    assert execute(job, host=host, output=lambda *_: gate.open()) == "seen"


def test_a_job_cut_into_slices_covers_the_whole(
    hosts: list[Host], capsys: pytest.CaptureFixture[str]
) -> None:
    number = 2 * 2 * 3 * 5 * 7 * 1009

    def factors(environ: Environ) -> list[int]:
        first, last = environ["start_slice"] * number, environ["end_slice"] * number
        found = [n for n in range(int(first) + 1, int(last) + 1) if number % n == 0]
        for n in found:
            print(n)
        return found

    found = execute(factors, hosts=hosts)
    assert sorted(n for part in found for n in part) == [
        n for n in range(1, number + 1) if number % n == 0
    ]
    lines = capsys.readouterr().out.splitlines()
    assert sorted(lines) == sorted(
        f"[{host}] {n}" for host, part in zip(hosts, found, strict=True) for n in part
    )


def test_a_host_behind_a_jump_host_runs_a_job_without_argument(hosts: list[Host]) -> None:
    def job() -> str:
        return os.environ["SSH_CONNECTION"]

    assert execute(job, host=hosts[1], via=hosts[0]).split()[3] == str(hosts[1].port)
    assert len(execute(job, hosts=hosts[2:], via=hosts[:2])) == 2


def test_one_failing_host_of_one_raises_its_own_exception(host: Host) -> None:
    def job() -> None:
        raise LookupError("over there")

    with pytest.raises(LookupError, match="over there") as caught:
        execute(job, host=host)
    assert caught.traceback[-1].name == "job"
    with pytest.raises(LookupError, match="over there"):
        execute(job, hosts=[host])


def test_some_failing_hosts_of_many_are_named_and_the_results_of_others_kept(
    hosts: list[Host],
) -> None:
    def job(environ: Environ) -> int:
        if environ["index"] % 2:
            raise LookupError(environ["index"])
        return int(environ["index"])

    with pytest.raises(ExecuteError, match="2 of 4 hosts") as caught:
        execute(job, hosts=hosts)
    assert [error.args for error in caught.value.exceptions] == [(1,), (3,)]
    assert str(hosts[1]) in str(caught.value.exceptions[0].__notes__)
    assert caught.value.results[0] == 0
    assert caught.value.results[2] == 2
    assert isinstance(caught.value.results[1], LookupError)
    results = execute(job, hosts=hosts, return_exceptions=True)
    assert [type(result) for result in results] == [int, LookupError, int, LookupError]


def test_sys_exit_of_a_job_among_many_is_a_remote_error(hosts: list[Host]) -> None:
    with pytest.raises(ExecuteError) as caught:
        execute(lambda environ: exit(environ["index"]), hosts=hosts)
    assert {type(error) for error in caught.value.exceptions} == {interstate.RemoteError}


@pytest.mark.parametrize(
    ("arguments", "error", "quoted"),
    [
        ({"host": "a", "hosts": ["b"]}, TypeError, "'b'"),
        ({}, TypeError, "host=None"),
        ({"host": "ftp://a"}, ValueError, "ftp://a"),
        ({"host": "a-[1-2]"}, ValueError, "a-[1-2]"),
        ({"hosts": []}, ValueError, "no hosts"),
        ({"hosts": "a-[2-1]"}, ValueError, "a-[2-1]"),
        ({"host": "a", "via": "http://b"}, ValueError, "http://b"),
        ({"host": "a", "connect_timeout": 0}, ValueError, "0"),
        ({"host": "a", "connect_timeout": "soon"}, TypeError, "'soon'"),
        ({"host": "a", "workers_per_host": 0}, ValueError, "0"),
        ({"host": "a", "workers_per_host": 1.5}, TypeError, "1.5"),
        ({"host": "a", "output": "loud"}, ValueError, "'loud'"),
        ({"host": "a", "initializer": 3}, TypeError, "initializer must be callable"),
        ({"host": "a", "password": "secret"}, TypeError, "password"),
        ({"host": "a", "python": "it's"}, ValueError, "it's"),
        ({"host": "a", "nonsense": 1}, TypeError, "nonsense"),
    ],
)
def test_bad_arguments_are_refused_at_once_and_quoted(
    arguments: dict[str, Any], error: type[Exception], quoted: str
) -> None:
    with pytest.raises(error) as caught:
        execute(lambda: None, **arguments)
    assert quoted in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("fn", [3, lambda a, b: None, lambda *, key: None])
def test_what_is_no_job_is_refused_at_once(fn: Any) -> None:
    with pytest.raises(TypeError, match=r"fn must be"):
        execute(fn, host="nowhere.invalid")


def test_functions_are_given_the_environ_when_they_ask_for_it(host: Host) -> None:
    assert execute(lambda environ: environ.index, host=host) == 0
    assert execute(lambda environ=None: environ is not None, host=host) is True
    assert execute(lambda n=7: n, host=host) == 7
    assert execute(lambda *args: len(args), host=host) == 0
    assert execute(os.getpid, host=host) > 0


def test_the_same_host_twice_is_two_links(host: Host) -> None:
    pids = execute(os.getppid, hosts=[host, host])
    assert len(set(pids)) == 2


@pytest.mark.once
def test_a_hundred_hosts_take_one_execute_and_nothing_is_lost(tmp_path: Path, keys: Keys) -> None:
    with Sshd(tmp_path, keys, listen=loopback_addresses(100)) as sshd:
        hosts = sshd.hosts(100)
        results = execute(
            lambda environ: (environ["index"], environ["host"]),
            hosts=hosts,
            output="capture",
            connect_timeout=LONG,
        )
    assert results == [(index, str(host)) for index, host in enumerate(hosts)]


@pytest.mark.once
@pytest.mark.usefixtures("unhurried_ends")
def test_fifty_hosts_behind_a_hop_share_one_connection_to_it(tmp_path: Path, keys: Keys) -> None:
    with Sshd(tmp_path, keys, listen=loopback_addresses(51)) as sshd:
        hop, *hosts = sshd.hosts(51)
        options: dict[str, Any] = {"output": "capture", "connect_timeout": LONG}
        assert execute(lambda: 1, hosts=hosts, via=hop, **options) == [1] * 50
        assert sshd.log.count(f" {hop.name} port {hop.port} rdomain") <= 1
        assert sshd.log.count("Accepted publickey") == 51
