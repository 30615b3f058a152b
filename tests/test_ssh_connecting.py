"""What opening a host promises when it is busy, silent, refused or not there at all."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from interstate.errors import ConnectError, HostError
from interstate.hosts import Host
from interstate.ssh import SSH

from .sshd import Keys, Sshd


@contextlib.contextmanager
def listener(answer: bytes = b"", hang_up: bool = False) -> Iterator[int]:
    """A TCP port that answers, or says nothing, or hangs up on everybody."""
    taken: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection = server.accept()[0]
                    taken.append(connection)
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


def failure(ssh: SSH, host: Host, seconds: float = 10.0) -> tuple[HostError, float]:
    """What opening a host raises, and after how many seconds."""
    before = time.monotonic()
    with pytest.raises(HostError) as caught:
        ssh.open(host, "true", before + seconds)
    return caught.value, time.monotonic() - before


def connections() -> int:
    """How many connections there are: each has a thread."""
    return sum(thread.name.startswith("ssh ") for thread in threading.enumerate())


def wait_until(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.005)


def test_a_refused_port_is_an_error_at_once(ssh: SSH) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    error, seconds = failure(ssh, host := Host("127.0.0.1", "me", port))
    assert isinstance(error, ConnectError)
    assert error.host == host
    assert seconds < 1
    assert str(error) == (
        f"me@127.0.0.1:{port}: cannot connect to 127.0.0.1 port {port}: Connection refused "
        f"(way: this computer → me@127.0.0.1:{port}). "
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
    assert 0.4 < seconds < 1.5


def test_a_server_that_stops_within_the_handshake_is_given_up_at_the_deadline(ssh: SSH) -> None:
    with listener(b"SSH-2.0-Test\r\n") as port:
        error, seconds = failure(ssh, Host("127.0.0.1", "me", port), 0.5)
    assert "gave no answer within 0.5 s" in str(error)
    assert 0.4 < seconds < 1.5


def test_a_server_that_hangs_up_is_tried_again_until_the_deadline(ssh: SSH) -> None:
    with listener(b"Exceeded MaxStartups\r\n", hang_up=True) as port:
        error, seconds = failure(ssh, Host("127.0.0.1", "me", port), 0.6)
    assert isinstance(error, ConnectError)
    assert "attempts" in str(error)
    assert "it said 'Exceeded MaxStartups'" in str(error)
    assert seconds < 1.5


def test_a_server_of_something_else_is_named_at_once(ssh: SSH) -> None:
    with listener(b"HTTP/1.1 400 Bad Request\r\n", hang_up=True) as port:
        error, seconds = failure(ssh, Host("127.0.0.1", "me", port))
    assert "no SSH server listens there; it said 'HTTP/1.1 400 Bad Request'" in str(error)
    assert seconds < 1


def test_silent_servers_do_not_keep_others_waiting(ssh: SSH, real_host: Host) -> None:
    with contextlib.ExitStack() as stack:
        servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(72)]  # none accepts
        for server in servers:
            stack.enter_context(server)
        threads = stack.enter_context(ThreadPoolExecutor(len(servers)))
        stack.callback(ssh.close)
        for server in servers:
            silent = Host("127.0.0.1", "me", server.getsockname()[1])
            threads.submit(failure, ssh, silent, 10.0)
        wait_until(lambda: connections() >= 64)
        before = time.monotonic()
        ssh.open(real_host, "true", before + 5).close()
        assert time.monotonic() - before < 4


def test_sixty_at_once_get_through_the_stock_max_startups(tmp_path: Path, keys: Keys) -> None:
    ssh = SSH(ssh_config=None)
    with (
        Sshd(tmp_path, keys, options=["MaxStartups 10:30:100"]) as sshd,
        ThreadPoolExecutor(60) as threads,
    ):
        opened = [
            threads.submit(ssh.open, sshd.host(), "printf x", time.monotonic() + 30)
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
    assert seconds < 1


def test_close_ends_what_is_open_and_what_is_being_opened(real_host: Host) -> None:
    ssh = SSH(ssh_config=None)
    stream = ssh.open(real_host, "cat", time.monotonic() + 10)
    with listener() as port, ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(failure, ssh, Host("127.0.0.1", "me", port), 20.0)
        wait_until(lambda: connections() == 2)
        ssh.close()
        assert waiting.result()[1] < 10
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
