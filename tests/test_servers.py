"""OpenSSH's sshd and dropbear, each as a host and as a hop, are the same to whoever uses them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from interstate import CallTerminated, Host, SSHExecutor, boot, execute
from interstate.ssh import SSH, Stream

from . import dropbear, logins, processes
from .dropbear import Dropbear
from .proxy import Proxy
from .sshd import Keys, Sshd

pytestmark = pytest.mark.once

PATIENCE = 60.0
ADDRESSES = tuple(f"127.0.0.{n}" for n in range(1, 9))
LARGE, LARGE_BY_HOP = 50, 16  # MB
MANY = 16  # hosts
LONGEST_LINE = 9000  # characters that dropbear takes: MAX_CMD_LEN
LOGGED_IN = "Accepted publickey", "Pubkey auth succeeded"

Server = Sshd | Dropbear


class Place(NamedTuple):
    """A server, and the hop that it is reached by, if any."""

    server: Server
    hop: Server | None


@pytest.fixture(scope="module")
def rsa(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The path of another client's key."""
    path = tmp_path_factory.mktemp("rsa") / "rsa"
    command = ["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", str(path)]
    subprocess.run(command, check=True)
    return path


@pytest.fixture(scope="module")
def openssh(
    tmp_path_factory: pytest.TempPathFactory, keys: Keys, rsa: Path, droplet: Dropbear
) -> Iterator[Sshd]:
    """An sshd; it is there for what dropbear is compared with."""
    options = [f"AuthorizedKeysFile {keys.client}.pub {rsa}.pub"]
    directory = tmp_path_factory.mktemp("openssh")
    with Sshd(directory, keys, listen=ADDRESSES, options=options) as openssh:
        yield openssh


@pytest.fixture(scope="module")
def droplet(tmp_path_factory: pytest.TempPathFactory, keys: Keys, rsa: Path) -> Iterator[Dropbear]:
    """A dropbear."""
    if why := dropbear.missing():
        pytest.skip(why)
    directory = tmp_path_factory.mktemp("dropbear")
    with Dropbear(directory, [keys.client, rsa], addresses=ADDRESSES) as droplet:
        yield droplet


@pytest.fixture(params=logins.SERVERS)
def place(request: pytest.FixtureRequest, openssh: Sshd, droplet: Dropbear) -> Place:
    """One of the servers, and the hop that it is reached by, if any."""
    servers: dict[str, Server] = {"OpenSSH": openssh, "dropbear": droplet}
    server, _, hop = request.param.partition(" behind ")
    return Place(servers[server], servers.get(hop))


def via(place: Place) -> Host | None:
    return place.hop.host() if place.hop else None


def executor(place: Place, host: Host | None = None, **options: Any) -> SSHExecutor:
    usual = {"workers_per_host": 1, "python": sys.executable, "ssh_config": None}
    way = {"via": via(place), **usual, **options}
    return SSHExecutor(host or place.server.host(), **way)


def logged_in(server: Server) -> int:
    """How many connections have been let in."""
    return sum(server.log.count(words) for words in LOGGED_IN)


def test_calls_are_run_and_what_they_print_and_raise_comes_back(place: Place) -> None:
    def call(number: int) -> str:
        print("printed", number)
        print("complained", number, file=sys.stderr)
        if number == 2:
            raise LookupError("as it was asked to", number)
        return f"result {number}"

    with executor(place) as there:
        first, second = there.submit(call, 1), there.submit(call, 2)
        assert first.result(PATIENCE) == "result 1"
        assert (first.stdout, first.stderr) == ("printed 1\n", "complained 1\n")
        error = second.exception(PATIENCE)
        assert isinstance(error, LookupError)
        assert error.args == ("as it was asked to", 2)
        assert second.stdout == "printed 2\n"


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_it_lets_in_by_keys_of_both_kinds(kind: str, place: Place, keys: Keys, rsa: Path) -> None:
    key = {"ed25519": keys.client, "rsa": rsa}[kind]
    host = replace(place.server.host(), identity_file=str(key))
    with executor(place, host) as there:
        assert there.submit(abs, -3).result(PATIENCE) == 3


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
def test_dropbear_may_have_a_host_key_of_another_kind(
    kind: str, tmp_path: Path, keys: Keys
) -> None:
    if why := dropbear.missing():
        pytest.skip(why)
    with Dropbear(tmp_path, [keys.client], kind=kind) as droplet:
        place = Place(droplet, None)
        with executor(place) as there:
            assert there.submit(abs, -3).result(PATIENCE) == 3


def test_large_things_travel_there_and_back(place: Place) -> None:
    data = os.urandom(1_000_000) * (LARGE_BY_HOP if place.hop else LARGE)
    with executor(place) as there:
        came = there.submit(lambda data: data[::-1], data).result(2 * PATIENCE)
    assert came == data[::-1]


def test_a_call_that_is_terminated_ends_over_there_and_what_it_started_too(
    place: Place, tmp_path: Path
) -> None:
    noted = tmp_path / "noted"
    with executor(place, grace=0.2) as there:
        future = there.submit(made_to_run_on(str(noted)))
        pids = wait_noted(noted)
        future.terminate()
        assert isinstance(future.exception(PATIENCE), CallTerminated)
        assert not processes.wait_gone(pids, PATIENCE)
        assert there.submit(abs, -1).result(PATIENCE) == 1


SCRIPT = """
import os, signal, subprocess
import interstate

def job():
    with subprocess.Popen(["sleep", "600"]) as child:
        with open({noted!r}, "w") as file:
            file.write(f"{{os.getpid()}} {{child.pid}}\\n")
        signal.pause()

hosts = [interstate.Host(*fields) if fields else None for fields in {hosts!r}]
interstate.execute(job, host=hosts[0], via=hosts[1], python={python!r}, ssh_config=None)
"""


def test_ctrl_c_ends_what_runs_over_there(place: Place, tmp_path: Path) -> None:
    noted = tmp_path / "noted"
    hosts = [fields(place.server.host()), fields(via(place))]
    script = SCRIPT.format(noted=str(noted), hosts=hosts, python=sys.executable)
    with subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE) as client:
        pids = wait_noted(noted, client)
        client.send_signal(signal.SIGINT)
        assert b"KeyboardInterrupt" in client.communicate(timeout=PATIENCE)[1]
    assert client.returncode == -signal.SIGINT
    assert not processes.wait_gone(pids, PATIENCE)


def fields(host: Host | None) -> tuple[object, ...]:
    if host is None:
        return ()
    return (host.name, host.user, host.port, host.identity_file, host.known_hosts_file)


def made_to_run_on(noted: str) -> Any:
    def run_on() -> None:
        with subprocess.Popen(["sleep", "600"]) as child:
            with open(noted, "w") as file:
                file.write(f"{os.getpid()} {child.pid}\n")
            signal.pause()

    return run_on


def wait_noted(path: Path, client: subprocess.Popen[bytes] | None = None) -> list[int]:
    """The process ids that a call has noted, while the client that runs it is there."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if client and client.poll() is not None:
            raise AssertionError(client.communicate()[1].decode())
        text = path.read_text() if path.exists() else ""
        if text.endswith("\n"):
            return [int(word) for word in text.split()]
        time.sleep(0.01)
    raise AssertionError(f"nothing was noted in {path}")


@pytest.mark.parametrize("reset", [True, False], ids=["reset", "ended"])
def test_a_call_runs_on_while_its_connection_is_cut_and_its_result_arrives(
    reset: bool, place: Place, tmp_path: Path
) -> None:
    noted, go = tmp_path / "noted", tmp_path / "go"

    def wait_there(noted: str, go: str) -> str:
        with open(noted, "a") as file:
            file.write(f"{os.getpid()}\n")
        deadline = time.monotonic() + 100
        while not os.path.exists(go) and time.monotonic() < deadline:
            time.sleep(0.01)
        print("waited")
        return "the result"

    with proxied(place, tmp_path) as (proxy, host, hop), executor(place, host, via=hop) as there:
        future = there.submit(wait_there, str(noted), str(go))
        wait_noted(noted)
        proxy.cut(reset=reset)
        go.touch()
        assert future.result(PATIENCE) == "the result"
        assert future.stdout == "waited\n"
        assert proxy.accepted > 1
    assert len(noted.read_text().splitlines()) == 1, "it was run once"


@contextlib.contextmanager
def proxied(place: Place, tmp_path: Path) -> Iterator[tuple[Proxy, Host, Host | None]]:
    """A proxy on the first leg of the way; the host and the hop by way of it."""
    first = (place.hop or place.server).host()
    with Proxy(first, tmp_path) as proxy:
        if place.hop:
            yield proxy, place.server.host(), proxy.host
        else:
            yield proxy, proxy.host, None


def test_further_commands_run_on_the_same_connection(place: Place) -> None:
    hop = via(place)
    ssh = SSH((hop,) if hop else (), ssh_config=None)
    told = "echo $SSH_CONNECTION"  # with the port that it comes from
    with contextlib.closing(ssh):
        host, deadline = place.server.host(), time.monotonic() + PATIENCE
        with contextlib.closing(ssh.open(host, f"{told}; cat", deadline)) as first:
            connection = first.read(1000).decode()
            assert "127.0.0." in connection
            for _ in range(8):  # dropbear is not sure to keep what many say who end at once
                assert read_all(ssh.beside(first, host, told, deadline)) == connection
                first.write(b"still here")
                assert first.read(100) == b"still here"


def read_all(stream: Stream) -> str:
    """What a command says; by then it has ended.

    A channel that is opened after the end of its output, and before that of its process, is closed
    by dropbear 2022.83 at once.
    """
    said = b""
    while data := stream.read(100):
        said += data
    assert stream._channel.status_event.wait(PATIENCE)
    stream.close()
    return said.decode()


@pytest.mark.usefixtures("unhurried_ends")
def test_many_hosts_are_let_in_at_once_and_share_their_hop(place: Place) -> None:
    hosts = [place.server.host(ADDRESSES[n % len(ADDRESSES)]) for n in range(MANY)]
    hop = place.hop
    before = logged_in(hop) if hop else 0
    options: dict[str, Any] = {"python": sys.executable, "ssh_config": None}
    assert execute(lambda: 1, hosts=hosts, via=via(place), **options) == [1] * MANY
    if hop and hop is not place.server:
        assert logged_in(hop) == before + 1


def test_the_line_is_one_that_dropbear_takes() -> None:
    """Also with the longest path that there can be, and for whoever it is."""
    assert len(boot.prepare("/" + "x" * 4094).command) < LONGEST_LINE - 1000
    assert len(boot.prepare().command) < LONGEST_LINE - 1000


def test_every_promise_of_the_table_has_a_test() -> None:
    tests = " ".join(name for name in globals() if name.startswith("test_"))
    words = {"calls": "calls_are_run", "keys": "by_keys", "large": "large_things"}
    words |= {"terminate": "terminated", "cut": "is_cut", "channels": "same_connection"}
    words |= {"many": "many_hosts"}
    assert set(words) == set(logins.PROMISES)
    assert all(word in tests for word in words.values())
