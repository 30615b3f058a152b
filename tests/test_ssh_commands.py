"""What is promised about commands of ssh_config: who runs them, and that they come to an end."""

from __future__ import annotations

import os
import select
import signal
import time
from pathlib import Path

import pytest

from interstate.errors import ConnectError
from interstate.hosts import Host
from interstate.ssh import SSH
from interstate.ssh.commands import run
from interstate.ssh.config import Config
from interstate.ssh.settings import settle
from interstate.ssh.trouble import WayError

from .sshd import Sshd


def test_what_a_command_writes_is_heard_if_that_is_wanted() -> None:
    line = ["sh", "-c", "cat; echo out; echo complaint >&2; exit 3"]
    done = run(line, 60, heard=True)
    assert (done.stdout, done.stderr, done.returncode) == (b"out\n", b"complaint\n", 3)


@pytest.mark.parametrize("heard", [False, True])
def test_a_command_that_takes_too_long_ends_with_all_that_it_has_started(
    tmp_path: Path, heard: bool
) -> None:
    os.mkfifo(tmp_path / "held")
    reader = os.open(tmp_path / "held", os.O_RDONLY | os.O_NONBLOCK)
    held = os.open(tmp_path / "held", os.O_WRONLY)
    started = f"sh -c 'echo it is there; exec sleep 60' > {tmp_path}/held"
    with pytest.raises(TimeoutError):
        run(["sh", "-c", f"{started} & {started}"], 0.5, heard=heard)
    os.close(held)
    end = select.poll()
    end.register(reader, 0)
    assert end.poll(30_000) == [(reader, select.POLLHUP)]  # nobody has it open to write any more
    os.close(reader)


def test_a_command_of_match_that_is_ended_by_a_signal_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("Match !exec 'kill -9 $$'\n  Port 7\n")
    with pytest.raises(WayError, match=f"was ended by signal {signal.SIGKILL.value}"):
        settle(Host("node"), Config(tmp_path / "config"))


def test_a_proxy_command_is_run_by_the_user_s_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sshd: Sshd
) -> None:
    shell = tmp_path / "shell"
    shell.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/said\nexec /bin/sh "$@"\n')
    shell.chmod(0o700)
    monkeypatch.setenv("SHELL", str(shell))
    ssh = SSH(ssh_config=sshd.config_file(more="ProxyCommand echo this is no sshd"))
    with pytest.raises(ConnectError, match="its ProxyCommand led to no SSH server"):
        ssh.open(Host("target"), "true", time.monotonic() + 60)
    ssh.close()
    assert (tmp_path / "said").read_text() == "-c exec echo this is no sshd\n"
