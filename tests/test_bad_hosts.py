"""Hosts that cannot be used: the right error, naming the host and the way, and nothing hangs."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

import interstate
from interstate import (
    AuthenticationError,
    BootError,
    ConnectError,
    Host,
    HostKeyError,
    HostLost,
    SSHExecutor,
)

from . import processes
from .servers import port_with, until_closed
from .sshd import Keys, Sshd
from .worlds import World

PATIENCE = 60.0


def failure(host: Host, **options: object) -> BaseException:
    with SSHExecutor([host], **options) as executor:  # type: ignore[arg-type]
        error = executor.submit(abs, 1).exception(PATIENCE)
    assert error is not None
    return error


def test_a_name_that_does_not_resolve() -> None:
    error = failure(Host("nowhere.invalid"), ssh_config=None)
    assert isinstance(error, ConnectError)
    assert "nowhere.invalid" in str(error)
    assert error.host == Host("nowhere.invalid")


def test_a_port_that_is_refused(refused_port: int) -> None:
    error = failure(Host("127.0.0.1", port=refused_port), ssh_config=None)
    assert isinstance(error, ConnectError)
    assert str(refused_port) in str(error)


def test_a_host_that_says_nothing(sshd: Sshd) -> None:
    with port_with(until_closed) as port:
        error = failure(replace(sshd.host(), name="127.0.0.1", port=port), connect_timeout=0.5)
    assert isinstance(error, ConnectError)
    assert "0.5" in str(error)


def test_a_host_that_speaks_something_else(sshd: Sshd) -> None:
    with port_with(lambda client: client.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")) as port:
        host = replace(sshd.host(), name="127.0.0.1", port=port)
        error = failure(host, connect_timeout=PATIENCE)
    assert isinstance(error, ConnectError)


def test_a_key_that_is_not_accepted(sshd: Sshd, tmp_path: Path) -> None:
    other = Keys.generate(tmp_path).client
    error = failure(replace(sshd.host(), identity_file=str(other)))
    assert isinstance(error, AuthenticationError)
    assert str(sshd.host()) in str(error)


def test_a_host_key_that_is_unknown(sshd: Sshd, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    error = failure(replace(sshd.host(), known_hosts_file=str(tmp_path / "empty")))
    assert isinstance(error, HostKeyError)


def test_a_host_key_that_has_changed(sshd: Sshd, tmp_path: Path) -> None:
    other = Keys.generate(tmp_path).host.with_suffix(".pub").read_text()
    (tmp_path / "known").write_text(f"[{sshd.host().name}]:{sshd.port} {other}")
    error = failure(replace(sshd.host(), known_hosts_file=str(tmp_path / "known")))
    assert isinstance(error, HostKeyError)


def test_a_hop_that_is_not_there_is_told_with_the_way(sshd: Sshd, refused_port: int) -> None:
    hop = Host("127.0.0.1", port=refused_port)
    with SSHExecutor([sshd.host()], via=hop, ssh_config=None) as executor:
        error = executor.submit(abs, 1).exception(PATIENCE)
    assert isinstance(error, ConnectError)
    assert f"127.0.0.1:{hop.port} → {sshd.host()}" in str(error)


def test_a_host_without_python(tmp_path: Path, keys: Keys) -> None:
    with World(tmp_path).sshd(keys) as sshd:
        error = failure(sshd.host())
    assert isinstance(error, BootError)
    assert "no Python was found there (looked for python3.9 to" in str(error)
    assert str(sshd.host()) in str(error)


def test_a_python_that_is_too_old_is_named_with_what_was_looked_for(
    tmp_path: Path, keys: Keys
) -> None:
    other = tmp_path / "python3"
    other.write_text('#!/bin/sh\necho; echo "$5 3.8.18 $0"; cat >/dev/null\n')
    other.chmod(0o755)
    with Sshd(tmp_path, keys) as sshd:
        error = failure(sshd.host(), python=str(other))
    assert isinstance(error, BootError)
    assert f"is 3.8.18 ({other}), and 3.9 is the oldest" in str(error)
    assert f"looked for {other}" in str(error)


def test_a_python_that_does_not_exist(sshd: Sshd) -> None:
    error = failure(sshd.host(), python="/nowhere/python")
    assert isinstance(error, BootError)
    assert "/nowhere/python" in str(error)


def test_a_python_that_never_answers(tmp_path: Path, keys: Keys) -> None:
    silent = tmp_path / "python3"
    silent.write_text("#!/bin/sh\nexec cat >/dev/null\n")
    silent.chmod(0o755)
    with Sshd(tmp_path, keys) as sshd:
        error = failure(sshd.host(), python=str(silent), connect_timeout=6)
    assert isinstance(error, BootError)
    assert "6 s" in str(error)


def test_an_account_that_may_not_run_commands(tmp_path: Path, keys: Keys) -> None:
    with Sshd(tmp_path, keys, force_command="echo This account is not available.") as sshd:
        error = failure(sshd.host())
    assert isinstance(error, BootError)
    assert "This account is not available." in str(error)


@pytest.mark.parametrize("shell", ["sh", "bash", "dash", "fish", "csh", "zsh"])
def test_any_login_shell_will_do(tmp_path: Path, keys: Keys, shell: str) -> None:
    force = f'{shell} -c "$SSH_ORIGINAL_COMMAND"'
    with Sshd(tmp_path, keys, force_command=force) as sshd:
        assert interstate.execute(lambda: 42, host=sshd.host()) == 42


def test_a_login_script_may_print_what_it_likes(tmp_path: Path, keys: Keys) -> None:
    with Sshd(tmp_path, keys, force_command='bash -c "$SSH_ORIGINAL_COMMAND"') as sshd:
        (sshd.home / ".bashrc").write_text(
            'echo Welcome; printf "interstate-0123456789abcdef 3.99.1"; echo oops >&2; seq 20000'
        )
        assert interstate.execute(lambda: 42, host=sshd.host()) == 42


def test_a_call_that_may_run_anywhere_runs_where_it_can(sshd: Sshd) -> None:
    bad = Host("nowhere.invalid")
    with SSHExecutor([bad, sshd.host(), bad], ssh_config=None) as executor:
        assert list(executor.map(abs, range(50))) == list(range(50))


def test_execute_on_some_bad_hosts_keeps_the_results_of_the_others(sshd: Sshd) -> None:
    bad = Host("nowhere.invalid")
    results = interstate.execute(
        lambda: 1, hosts=[bad, sshd.host(), bad], ssh_config=None, return_exceptions=True
    )
    assert results[1] == 1
    assert [type(results[i]) for i in (0, 2)] == [ConnectError, ConnectError]


def test_an_executor_with_no_host_left_says_so_and_why() -> None:
    bad = [Host("nowhere.invalid"), Host("noone.invalid")]
    with SSHExecutor(bad, ssh_config=None) as executor:
        error = executor.submit(abs, 1).exception(PATIENCE)
        assert isinstance(error, interstate.BrokenSSHExecutor)
        assert "nowhere.invalid" in str(error)
        assert "noone.invalid" in str(error)
        assert set(error.errors) == {"nowhere.invalid", "noone.invalid"}
        late = executor.submit(abs, 1).exception(PATIENCE)
        assert isinstance(late, interstate.BrokenSSHExecutor)


def test_a_host_that_is_lost_fails_what_runs_there_and_the_rest_runs_elsewhere(sshd: Sshd) -> None:
    def lose_the_host() -> None:
        os.kill(os.getppid(), signal.SIGKILL)
        signal.pause()

    with SSHExecutor(sshd.hosts(2), workers_per_host=1) as executor:
        victim = executor.submit(lose_the_host)
        others = [executor.submit(time.sleep, 0.01) for _ in range(30)]
        error = victim.exception(PATIENCE)
        assert isinstance(error, HostLost)
        assert str(error.host) in str(error)
        assert [other.exception(PATIENCE) for other in others] == [None] * 30
        assert executor.submit(abs, -1).result(PATIENCE) == 1


def test_nothing_is_left_over_there_when_the_client_is_gone(sshd: Sshd, tmp_path: Path) -> None:
    """The end of the agent's input is the end of its workers; sshd's fixture checks the rest."""
    with SSHExecutor([sshd.host()], workers_per_host=2) as executor:
        pid = executor.submit(os.getpid).result(PATIENCE)
        executor._abort()
    assert _gone(pid)


def _gone(pid: int) -> bool:
    return not processes.wait_gone({pid}, PATIENCE)
