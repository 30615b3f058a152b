"""What is promised about ssh-agents that let their keys be used for some hosts alone, as by ssh."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from interstate.errors import AuthenticationError
from interstate.hosts import Host
from interstate.ssh import SSH

from .agents import agent
from .sshd import Keys, Sshd


def test_a_key_that_is_for_one_host_alone_is_used_there_and_not_offered_elsewhere(
    tmp_path: Path, keys: Keys, sshd: Sshd
) -> None:
    others = Keys.generate(tmp_path)
    (tmp_path / "sshd").mkdir()
    with (
        agent(tmp_path / "agent") as path,
        Sshd(tmp_path / "sshd", Keys(keys.client, others.host)) as other,
    ):
        add_for(path, sshd, keys.client)
        assert said(sshd, path) == b"let in\n"
        with pytest.raises(AuthenticationError, match="there was no key to offer"):
            said(other, path)


def add_for(agent: Path, sshd: Sshd, key: Path) -> None:
    """Have an agent take a key that is for one server alone."""
    known = str(sshd.known_hosts)
    command = ["ssh-add", "-q", "-H", known, "-h", f"[{sshd.addresses[0]}]:{sshd.port}", str(key)]
    environment = {**os.environ, "SSH_AUTH_SOCK": str(agent)}
    subprocess.run(command, check=True, env=environment, stderr=subprocess.DEVNULL)


def said(sshd: Sshd, agent: Path) -> bytes:
    """Log in with what an agent has."""
    config = agent.with_name("config")
    config.write_text(f"IdentityAgent {agent}\nIdentityFile none\n")
    ssh = SSH(ssh_config=config)
    host = Host(sshd.addresses[0], sshd.user, sshd.port, known_hosts_file=str(sshd.known_hosts))
    try:
        stream = ssh.open(host, "echo let in", time.monotonic() + 60)
        return b"".join(iter(lambda: stream.read(99), b""))
    finally:
        ssh.close()
