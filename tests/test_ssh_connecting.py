"""What opening a host promises when it is busy, silent, refused or not there at all."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import paramiko
import pytest

from interstate import SSHExecutor
from interstate.errors import ConnectError, HostError
from interstate.hosts import Host
from interstate.ssh import SSH, inbox

from .servers import bursting, port_with
from .sshd import Keys, Sshd
from .waiting import until

LONG = 120.0  # seconds that a host may take
SOON = 60.0  # for what does not wait so long; this computer may be busy


@contextlib.contextmanager
def listener(answer: bytes = b"", hang_up: bool = False, most: int = 1000) -> Iterator[int]:
    """A TCP port that answers, or says nothing, or hangs up; after so many it says nothing."""
    taken: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection = server.accept()[0]
                    taken.append(connection)
                    if len(taken) > most:
                        continue
                    connection.sendall(answer)
                    if hang_up:
                        connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in taken:
                connection.close()


@pytest.fixture
def ssh() -> Iterator[SSH]:
    ssh = SSH(ssh_config=None)
    yield ssh
    ssh.close()


def failure(ssh: SSH, host: Host, seconds: float = LONG) -> tuple[HostError, float]:
    """What opening a host raises, and after how many seconds."""
    before = time.monotonic()
    with pytest.raises(HostError) as caught:
        ssh.open(host, "true", before + seconds)
    return caught.value, time.monotonic() - before


def connections() -> int:
    """How many connections there are: each has a thread."""
    return sum(thread.name.startswith("ssh ") for thread in threading.enumerate())


def test_a_refused_port_is_an_error_at_once(ssh: SSH, refused_port: int) -> None:
    error, seconds = failure(ssh, host := Host("127.0.0.1", "me", refused_port))
    assert isinstance(error, ConnectError)
    assert error.host == host
    assert seconds < SOON
    assert str(error) == (
        f"me@127.0.0.1:{refused_port}: cannot connect to 127.0.0.1 port {refused_port}: "
        f"Connection refused (way: this computer → me@127.0.0.1:{refused_port}). "
        "Is sshd running there, and is that its port?"
    )


def test_a_name_that_does_not_resolve_is_an_error_at_once(ssh: SSH) -> None:
    error, _ = failure(ssh, Host("no-such-host.invalid"))
    assert isinstance(error, ConnectError)
    assert "its name 'no-such-host.invalid' cannot be resolved" in str(error)


def test_a_server_that_says_nothing_is_given_up_at_the_deadline(ssh: SSH) -> None:
    with listener() as port:
        error, seconds = failure(ssh, Host("127.0.0.1", "me", port), 0.5)
    assert isinstance(error, ConnectError)
    assert "gave no answer within 0.5 s" in str(error)
    assert 0.4 < seconds < SOON


def test_a_server_that_stops_within_the_handshake_is_given_up_at_the_deadline(ssh: SSH) -> None:
    with listener(b"SSH-2.0-Test\r\n") as port:
        error, seconds = failure(ssh, Host("127.0.0.1", "me", port), 0.5)
    assert "gave no answer within 0.5 s" in str(error)
    assert 0.4 < seconds < SOON


def test_a_server_that_hangs_up_is_tried_again_until_the_deadline(ssh: SSH) -> None:
    with listener(b"Exceeded MaxStartups\r\n", hang_up=True) as port:
        error, seconds = failure(ssh, Host("127.0.0.1", "me", port), 2)
    assert isinstance(error, ConnectError)
    assert "attempts" in str(error)
    assert "it said 'Exceeded MaxStartups'" in str(error)
    assert seconds < SOON


def test_a_server_that_hung_up_and_then_says_nothing_is_said_to_be_busy(ssh: SSH) -> None:
    with listener(b"Exceeded MaxStartups\r\n", hang_up=True, most=2) as port:
        error, seconds = failure(ssh, Host("127.0.0.1", "me", port), 3)
    assert "and 3 attempts: " in str(error)
    assert "it said 'Exceeded MaxStartups'" in str(error)
    assert 2.9 < seconds < SOON


def test_closing_ends_those_too_who_wait_for_their_turn(ssh: SSH) -> None:
    with listener() as port, ThreadPoolExecutor(20) as threads:
        silent = Host("127.0.0.1", "me", port)
        failures = [threads.submit(failure, ssh, silent, LONG) for _ in range(20)]
        until(lambda: connections() == 4)  # so many may log in to one server at first
        ssh.close()
        assert max(seconds for _, seconds in (each.result(SOON) for each in failures)) < SOON


def test_closing_ends_those_too_whose_connection_is_not_answered(ssh: SSH) -> None:
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        port = server.getsockname()[1]
        for _ in range(8):  # nobody accepts, so the next are not answered
            crowd = stack.enter_context(socket.socket())
            crowd.setblocking(False)
            crowd.connect_ex(("127.0.0.1", port))
        threads = stack.enter_context(ThreadPoolExecutor(20))
        silent = Host("127.0.0.1", "me", port)
        failures = [threads.submit(failure, ssh, silent, LONG) for _ in range(20)]
        until(lambda: len(ssh._dialled) == 4)
        ssh.close()
        assert max(seconds for _, seconds in (each.result(SOON) for each in failures)) < SOON


def test_closing_ends_those_too_who_wait_for_a_connection_to_be_handed_over(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("Host node\n  ProxyUseFdpass yes\n  ProxyCommand sleep 30\n")
    ssh = SSH(ssh_config=config)
    with ThreadPoolExecutor(1) as threads:
        failed = threads.submit(failure, ssh, Host("node"), LONG)
        until(lambda: len(ssh._dialled) == 1)
        ssh.close()
        assert failed.result(SOON)[1] < SOON


def test_names_that_are_looked_up_slowly_hold_nobody_else_up(
    ssh: SSH, monkeypatch: pytest.MonkeyPatch
) -> None:
    all_of_them = threading.Barrier(32)

    def look_up(name: str, port: int, *_: object, flags: int = 0) -> list[object]:
        if flags:  # is it an address, not a name?
            raise socket.gaierror(socket.EAI_NONAME, "no address")
        all_of_them.wait(SOON)
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with listener(b"HTTP/1.1 400 Bad Request\r\n", True) as port, ThreadPoolExecutor(32) as threads:
        hosts = [Host(f"node-{i}", "me", port) for i in range(32)]
        errors = [error for error, _ in threads.map(lambda host: failure(ssh, host), hosts)]
    assert all("no SSH server listens there" in str(error) for error in errors)


def test_a_server_that_says_more_than_it_may_is_left(
    ssh: SSH, keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "_MOST", 1 << 20)
    host_key = paramiko.Ed25519Key.from_private_key_file(str(keys.host))
    with port_with(bursting(host_key, 1 << 22)) as port:
        known = tmp_path / "known_hosts"
        known.write_text(f"[127.0.0.1]:{port} {host_key.get_name()} {host_key.get_base64()}\n")
        host = Host("127.0.0.1", "me", port, str(keys.client), str(known))
        stream = ssh.open(host, "true", time.monotonic() + LONG)
        received = sum(map(len, iter(lambda: stream.read(1 << 16), b"")))
    assert received <= 1 << 20
    assert stream.lost


def test_a_server_of_something_else_is_named_at_once(ssh: SSH) -> None:
    with listener(b"HTTP/1.1 400 Bad Request\r\n", hang_up=True) as port:
        error, seconds = failure(ssh, Host("127.0.0.1", "me", port))
    assert "no SSH server listens there; it said 'HTTP/1.1 400 Bad Request'" in str(error)
    assert seconds < SOON


def test_silent_servers_do_not_keep_others_waiting(ssh: SSH, real_host: Host) -> None:
    with contextlib.ExitStack() as stack:
        servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(72)]  # none accepts
        for server in servers:
            stack.enter_context(server)
        threads = stack.enter_context(ThreadPoolExecutor(len(servers)))
        stack.callback(ssh.close)
        for server in servers:
            silent = Host("127.0.0.1", "me", server.getsockname()[1])
            threads.submit(failure, ssh, silent, LONG)
        until(lambda: connections() >= 64)
        before = time.monotonic()
        ssh.open(real_host, "true", before + SOON).close()


def test_sixty_at_once_get_through_the_stock_max_startups(tmp_path: Path, keys: Keys) -> None:
    ssh = SSH(ssh_config=None)
    with (
        Sshd(tmp_path, keys, options=["MaxStartups 10:30:100"]) as sshd,
        ThreadPoolExecutor(60) as threads,
    ):
        opened = [
            threads.submit(ssh.open, sshd.host(), "printf x", time.monotonic() + LONG)
            for _ in range(60)
        ]
        streams = [future.result() for future in opened]
        assert [stream.read(1) for stream in streams] == [b"x"] * 60
        for stream in streams:
            stream.close()
        ssh.close()


def test_a_deadline_that_has_passed_is_an_error_not_a_hang(ssh: SSH, real_host: Host) -> None:
    error, seconds = failure(ssh, real_host, -1.0)
    assert isinstance(error, ConnectError)
    assert seconds < SOON


def test_there_may_be_more_time_than_any_timer_takes(loopback_host: Host) -> None:
    with SSHExecutor([loopback_host], connect_timeout=1e300, ssh_config=None) as executor:
        assert executor.submit(int, "3").result(SOON) == 3


def test_close_ends_what_is_open_and_what_is_being_opened(real_host: Host) -> None:
    ssh = SSH(ssh_config=None)
    stream = ssh.open(real_host, "cat", time.monotonic() + LONG)
    with listener() as port, ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(failure, ssh, Host("127.0.0.1", "me", port), LONG)
        until(lambda: connections() == 2)
        ssh.close()
        assert waiting.result()[1] < SOON
    assert stream.read(1) == b""
    assert isinstance(failure(ssh, real_host)[0], ConnectError)


def test_nothing_is_printed_or_logged_to_the_root_logger(
    ssh: SSH, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with listener(b"no ssh\r\n", hang_up=True) as port:
        failure(ssh, Host("127.0.0.1", "me", port), 0.2)
    assert caplog.text == ""
    assert capfd.readouterr() == ("", "")
