"""What `interstate.loopback` promises, seen by OpenSSH's client and by paramiko's.

What a real sshd does just as well is promised of both: those tests ask for `host`.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import paramiko
import pytest

from interstate import loopback
from interstate.errors import InterstateError
from interstate.hosts import Host
from interstate.loopback.connection import _Packetizer

from . import processes

REPOSITORY = Path(__file__).parents[1]
PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
BIG = 64 << 20
PATIENCE = 60.0  # seconds: nothing takes that long


def ssh_command(host: Host, *arguments: str) -> list[str]:
    options = {
        "BatchMode": "yes",
        "GlobalKnownHostsFile": "/dev/null",
        "IdentitiesOnly": "yes",
        "IdentityFile": host.identity_file,
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": host.known_hosts_file,
    }
    written = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
    address = ["-p", str(host.port), "-l", str(host.user)]
    return ["ssh", "-F", "none", *written, *address, *arguments]


def ssh(host: Host, command: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run a command on a host, by OpenSSH's client."""
    arguments = ssh_command(host, host.name, command)
    return subprocess.run(arguments, input=stdin, capture_output=True, timeout=2 * PATIENCE)


@contextmanager
def ssh_started(host: Host, command: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A command that is running on a host: OpenSSH's client, and the number it printed first."""
    arguments = ssh_command(host, host.name, command)
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:
        assert client.stdout is not None
        try:
            yield client, int(client.stdout.readline())
        finally:
            client.kill()


@contextmanager
def connected(host: Host) -> Iterator[paramiko.SSHClient]:
    """A connection to a host, by paramiko's client."""
    with paramiko.SSHClient() as client:
        client.load_host_keys(str(host.known_hosts_file))
        client.connect(
            host.name,
            port=host.port or 22,
            username=host.user,
            key_filename=host.identity_file,
            allow_agent=False,
            look_for_keys=False,
            banner_timeout=60,
            auth_timeout=60,
            transport_factory=_patient,
        )
        sock = transport_of(client).sock
        assert isinstance(sock, socket.socket)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield client


def _patient(*arguments: Any, **options: Any) -> paramiko.Transport:
    """A transport that may take long to agree on keys, as where a hundred do so at a time."""
    transport = paramiko.Transport(*arguments, **options)
    transport.handshake_timeout = 2 * PATIENCE
    return transport


def transport_of(client: paramiko.SSHClient) -> paramiko.Transport:
    transport = client.get_transport()
    assert transport is not None
    return transport


def run(client: paramiko.SSHClient, command: str) -> tuple[bytes, int]:
    _, stdout, _ = client.exec_command(command)
    return stdout.read(), stdout.channel.recv_exit_status()


def server_pid(host: Host) -> int:
    """The process that serves a loopback host, told by the directory that it was given."""
    arguments = f"-m interstate.loopback {Path(str(host.identity_file)).parent} "
    [pid] = [pid for pid in processes.children(os.getpid()) if arguments in processes.describe(pid)]
    return pid


def test_a_command_gives_its_output_its_errors_and_its_exit_status(host: Host) -> None:
    done = ssh(host, "echo out; echo error >&2; exit 7")
    assert (done.stdout, done.stderr, done.returncode) == (b"out\n", b"error\n", 7)


def test_a_command_gets_all_of_its_input_and_the_end_of_it(host: Host) -> None:
    sent = os.urandom(1 << 20)
    assert ssh(host, "cat; echo end", sent).stdout == sent + b"end\n"


def test_input_that_a_command_leaves_unread_holds_up_nobody(host: Host) -> None:
    assert ssh(host, "head -c 1; exit 3", bytes(8 << 20)).returncode == 3


def test_what_is_started_in_the_background_may_print_after_its_parent_ended(host: Host) -> None:
    script = """
import os
parent = os.getpid()
if os.fork() == 0:
    while os.getppid() == parent:
        pass
    print("late")
"""
    assert ssh(host, f"{PYTHON} -c '{script}'").stdout == b"late\n"


def test_a_quick_command_never_ends_before_it_was_granted(host: Host) -> None:
    with connected(host) as client:
        assert [run(client, "exit 5") for _ in range(100)] == [(b"", 5)] * 100


def test_this_python_is_found_by_its_version(host: Host) -> None:
    done = ssh(host, f"{PYTHON} -c 'import sys; print(sys.prefix)'")
    assert done.stdout.decode().strip() == sys.prefix


def test_a_host_is_reached_by_way_of_another(loopback_hosts: list[Host], tmp_path: Path) -> None:
    way, inner = loopback_hosts
    path = tmp_path / "config"
    path.write_text(
        textwrap.dedent(
            f"""
            Host way
                Port {way.port}
            Host inner
                Port {inner.port}
                ProxyJump way
            Host *
                HostName 127.0.0.1
                User {way.user}
                IdentityFile {way.identity_file}
                UserKnownHostsFile {way.known_hosts_file}
                StrictHostKeyChecking yes
            """
        )
    )
    arguments = ["ssh", "-F", str(path), "inner", "echo $SSH_CONNECTION"]
    done = subprocess.run(arguments, capture_output=True, timeout=2 * PATIENCE)
    assert done.stdout.split()[-1] == str(inner.port).encode()


@pytest.mark.parametrize("destination", ["192.0.2.1:22", "example.invalid:22", "0.0.0.0:22"])
def test_connections_are_forwarded_to_loopback_addresses_only(
    loopback_host: Host, destination: str
) -> None:
    arguments = ssh_command(loopback_host, "-W", destination, loopback_host.name)
    done = subprocess.run(
        arguments, stdin=subprocess.DEVNULL, capture_output=True, timeout=2 * PATIENCE
    )
    assert b"administratively prohibited" in done.stderr


def test_a_refused_connection_is_refused_by_the_way_to_it(host: Host) -> None:
    arguments = ssh_command(host, "-W", "127.0.0.1:1", host.name)
    done = subprocess.run(
        arguments, stdin=subprocess.DEVNULL, capture_output=True, timeout=2 * PATIENCE
    )
    assert b"connect failed" in done.stderr


def test_a_forwarded_connection_carries_both_directions_and_their_ends(host: Host) -> None:
    with connected(host) as client, echo_server() as port:
        channel = transport_of(client).open_channel(
            "direct-tcpip", ("127.0.0.1", port), ("127.0.0.1", 0)
        )
        channel.sendall(b"there and back")
        channel.shutdown_write()
        assert channel.makefile().read() == b"there and back"
        channel.close()


@contextmanager
def echo_server() -> Iterator[int]:
    """The port of a server that sends one client's bytes back when it has them all."""

    def serve() -> None:
        sock, _ = listener.accept()
        with sock, sock.makefile("rwb") as file:
            file.write(file.read())

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


@pytest.mark.parametrize("request_name", ["get_pty", "invoke_shell", "invoke_subsystem"])
def test_nothing_but_commands_is_run(loopback_host: Host, request_name: str) -> None:
    with connected(loopback_host) as client:
        channel = transport_of(client).open_session()
        arguments = ["sftp"] if request_name == "invoke_subsystem" else []
        with pytest.raises(paramiko.SSHException):
            getattr(channel, request_name)(*arguments)


def test_no_key_but_its_own_is_let_in(loopback_host: Host, tmp_path: Path) -> None:
    other = tmp_path / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(other)], check=True)
    stranger = replace(loopback_host, identity_file=str(other))
    assert b"Permission denied (publickey)" in ssh(stranger, "true").stderr


def test_no_user_but_this_one_is_let_in(loopback_host: Host) -> None:
    stranger = replace(loopback_host, user="nobody-else")
    assert b"Permission denied (publickey)" in ssh(stranger, "true").stderr


def test_each_host_has_a_port_and_a_key_of_its_own(loopback_hosts: list[Host]) -> None:
    known_hosts = Path(str(loopback_hosts[0].known_hosts_file)).read_text().splitlines()
    assert len({host.port for host in loopback_hosts}) == 2
    assert len({line.split()[2] for line in known_hosts}) == 2
    for host in loopback_hosts:
        assert ssh(host, "echo $SSH_CONNECTION").stdout.split()[-1] == str(host.port).encode()


def test_only_this_user_can_read_the_key(loopback_host: Host) -> None:
    key = Path(str(loopback_host.identity_file))
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.parent.stat().st_mode & 0o777 == 0o700


def test_commands_find_as_little_as_an_sshd_would_leave_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("A_SECRET", "of this process")
    with loopback.hosts() as (host,):
        found = ssh(host, "env").stdout.decode()
        ignored = ssh(host, "grep SigIgn /proc/self/status").stdout.split()[1]
    assert "A_SECRET" not in found
    assert "PYTHONPATH" not in found
    of_libc = 0b11 << 31  # its own two, which posix_spawn has a process ignore
    assert int(ignored, 16) & ~of_libc == 0


def test_a_hundred_clients_are_served_at_once(loopback_host: Host) -> None:
    together = threading.Barrier(100, timeout=300)

    def client(i: int) -> tuple[bytes, int]:
        with connected(loopback_host) as connection:
            together.wait()
            return run(connection, f"echo {i}")

    with ThreadPoolExecutor(100) as pool:
        assert list(pool.map(client, range(100))) == [(f"{i}\n".encode(), 0) for i in range(100)]


def test_a_client_may_take_long_to_agree_on_keys() -> None:
    """Where many come at a time, and the computer is busy."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        packets = _Packetizer(ours)
        packets.start_handshake(0.0)
        for timer in (t for t in threading.enumerate() if isinstance(t, threading.Timer)):
            timer.join(PATIENCE)
        theirs.sendall(b"at last")
        assert packets.read_all(7) == b"at last"


def test_neither_a_slow_client_nor_a_slow_command_fills_the_memory() -> None:
    with loopback.hosts() as (host,), connected(host) as client:
        _, stdout, _ = client.exec_command(f"head -c {BIG} /dev/zero")
        assert stdout.channel.recv(1) == b"\0"
        assert ssh(host, "while read x; do :; done; echo done", b"\n" * (1 << 20)).stdout
        peak_kilobytes = memory_peak(server_pid(host))
        assert sum(len(data) for data in iter(lambda: stdout.read(1 << 20), b"")) == BIG - 1
    assert peak_kilobytes < 64 << 10


def memory_peak(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM")))


def test_a_command_whose_client_is_lost_sees_the_end_of_its_input_at_once(host: Host) -> None:
    with ssh_started(host, "echo $$; exec cat") as (client, pid):
        client.kill()
        assert processes.wait_gone([pid], PATIENCE) == []


def test_a_command_may_outlive_its_client_and_ends_with_the_hosts() -> None:
    with loopback.hosts() as (host,):
        with ssh_started(host, "sleep 1000 & echo $!; wait") as (client, pid):
            client.kill()
        assert processes.wait_gone([pid], 0.2) == [pid]
    assert processes.wait_gone([pid], PATIENCE) == []


def test_all_ends_with_the_with_statement() -> None:
    with loopback.hosts(2) as hosts:
        server, directory = server_pid(hosts[0]), Path(str(hosts[0].identity_file)).parent
        with ssh_started(hosts[1], "sleep 1000 & echo $!; wait") as (_, pid):
            hosts_end = processes.descendants(server)
            assert pid in hosts_end
            os.kill(server, signal.SIGINT)  # as Ctrl-C would; it is not for the hosts
            assert ssh(hosts[0], "echo there").stdout == b"there\n"
            assert (directory / "log").read_text() == ""
    assert processes.wait_gone([server, *hosts_end], PATIENCE) == []
    assert not directory.exists()


def test_commands_that_heed_the_end_of_their_input_are_not_waited_for_longer() -> None:
    for _ in range(20):  # this computer may be busy, but not for ever
        with loopback.hosts() as (host,), ssh_started(host, "echo $$; exec cat") as (_, pid):
            server = server_pid(host)
            begun = time.monotonic()
        took = time.monotonic() - begun
        assert processes.wait_gone([server, pid], PATIENCE) == []
        if took < 0.9:
            break
    assert took < 0.9  # the client goes first; the hosts leave its command one second


def test_all_ends_when_the_process_that_began_it_is_killed(tmp_path: Path) -> None:
    script = f"""
        import sys, time
        sys.path.insert(0, {str(REPOSITORY)!r})
        import interstate.loopback
        with interstate.loopback.hosts() as (host,):
            print(host.user, host.port, host.identity_file, host.known_hosts_file, flush=True)
            time.sleep(1000)
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, cwd=tmp_path
    ) as parent:
        assert parent.stdout is not None
        user, port, *files = parent.stdout.readline().decode().split()
        with ssh_started(Host("127.0.0.1", user, int(port), *files), "echo $$; exec cat"):
            started = processes.descendants(parent.pid)
            parent.kill()
            assert processes.wait_gone(started, PATIENCE) == []
    assert not Path(files[0]).parent.exists()


def test_hosts_have_their_own_session_so_that_ctrl_c_is_not_for_them(loopback_host: Host) -> None:
    assert os.getsid(server_pid(loopback_host)) != os.getsid(0)


def test_a_failed_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho no module named so >&2\nexit 7\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    with pytest.raises(InterstateError, match=r"exit status 7.*no module named so"):
        loopback.hosts().__enter__()


@pytest.mark.parametrize("count", [0, -1])
def test_less_than_one_host_is_an_error_at_once(count: int) -> None:
    with pytest.raises(ValueError, match=f"at least 1, not {count}"):
        loopback.hosts(count)


def imported_by(statement: str) -> set[str]:
    """The modules that are there after a statement, in a new Python."""
    script = f"import sys; {statement}; print(*sys.modules)"
    arguments = [sys.executable, "-c", script]
    done = subprocess.run(arguments, check=True, capture_output=True, text=True, cwd=REPOSITORY)
    return set(done.stdout.split())


def test_the_pytest_plugin_imports_loopback_only_when_a_test_asks_for_it() -> None:
    assert "interstate.loopback" not in imported_by("import interstate.pytest_plugin")


def test_the_pytest_plugin_costs_a_run_without_hosts_no_import_of_paramiko() -> None:
    assert "paramiko" not in imported_by("import interstate.pytest_plugin")


def test_the_server_is_not_imported_into_the_process_that_uses_it() -> None:
    assert "interstate.loopback.server" not in imported_by("import interstate.loopback")
