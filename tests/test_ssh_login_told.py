"""What who cannot be logged in is told, in few words and in many, and what to do about it."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import paramiko
import pytest

from interstate import checking
from interstate.errors import AuthenticationError, ConnectError
from interstate.hosts import Host
from interstate.ssh import SSH, login
from interstate.ssh.deadline import Clock, Deadline
from interstate.ssh.trouble import BusyError

from .asking_server import AskingServer, Rules
from .servers import port_with, stuck
from .sshd import Keys, Sshd

pytestmark = pytest.mark.once

KEY_AND_CODE = Rules(("publickey", "keyboard-interactive"), rounds=(("", "", [("Code: ", False)]),))
PASSWORD = Rules(("password",), "open sesame")
KEY = Rules(("publickey",))
ADVICE = [login._ONE_KEY, login._RIGHT_KEY, login._ASK, login._UNLOCK, login._TYPED]
PATIENCE = 60.0


def later() -> float:
    """When to give up."""
    return time.monotonic() + PATIENCE


def refusal(keys: Keys, tmp_path: Path, rules: Rules, key: str, answer: str) -> AuthenticationError:
    """How a host that has rules refuses us.

    Args:
        key: The path of our key.
        answer: What a callable answers; "": there is none, nor any terminal.
    """
    none = tmp_path / "config"
    none.write_text("IdentityFile none\nIdentityAgent none\n")

    def password(host: Host, prompt: str) -> str:
        return answer

    with AskingServer(keys, tmp_path, rules) as server:
        host = replace(server.hosts()[0], identity_file=key or None)
        ssh = SSH(ssh_config=none, password=password if answer else None)
        with pytest.raises(AuthenticationError) as caught:
            ssh.open(host, "true", later())
        ssh.close()
    return caught.value


@pytest.mark.parametrize(
    ("rules", "has_key", "answer", "reason", "advice"),
    [
        (
            KEY_AND_CODE,
            True,
            "",
            "the server accepted publickey, and wants more, and there is nobody to ask",
            "a terminal to ask on, or have SSH_ASKPASS name a program that asks, or pass password=",
        ),
        (
            KEY_AND_CODE,
            True,
            "wrong",
            "the server accepted publickey, and wants more",
            "the password, or the code, that it wants",
        ),
        (
            PASSWORD,
            False,
            "",
            "there was no key to offer, and there is nobody to ask",
            "a terminal to ask on",
        ),
        (PASSWORD, False, "wrong", "nothing we have was accepted", "the password, or the code"),
        (KEY, False, "", "there was no key to offer", "name the right key"),
    ],
)
def test_who_is_refused_is_told_what_it_was_and_what_to_do_about_that(
    keys: Keys,
    tmp_path: Path,
    rules: Rules,
    has_key: bool,
    answer: str,
    reason: str,
    advice: str,
) -> None:
    error = refusal(keys, tmp_path, rules, str(keys.client) if has_key else "", answer)
    assert error.reason == f"could not log in: {reason}"
    assert advice in str(error)
    assert ("name the right key" in str(error)) == (rules is KEY), "its key is not what is wrong"


@pytest.mark.parametrize("answer", ["", "wrong"])
def test_of_a_key_that_would_do_it_is_told_that_nobody_unlocked_it(
    keys: Keys, tmp_path: Path, answer: str
) -> None:
    locked = tmp_path / "locked"
    for end in ("", ".pub"):
        shutil.copy(f"{keys.client}{end}", f"{locked}{end}")
    command = ["ssh-keygen", "-q", "-p", "-P", "", "-N", "open sesame", "-f", str(locked)]
    subprocess.run(command, check=True)
    none = tmp_path / "config"
    none.write_text("NumberOfPasswordPrompts 1\nIdentityAgent none\n")
    with AskingServer(keys, tmp_path, KEY) as server:
        (host,) = server.hosts()
        host = replace(host, identity_file=str(locked))
        ssh = SSH(ssh_config=none, password=(lambda *_: answer) if answer else None)
        for sentence in (f"the server would accept {locked} (", ""):  # it is asked about once
            with pytest.raises(AuthenticationError) as caught:
                ssh.open(host, "true", later())
            assert sentence in str(caught.value)
            assert "accepted none of" not in str(caught.value)
            nobody = "" if answer else ", and there is nobody to ask"
            told = f"could not log in: a key's passphrase was not given{nobody}"
            assert caught.value.reason == told
            assert "Give the key's passphrase on a terminal, or have it in" in str(caught.value)
        ssh.close()


def test_of_hosts_that_hang_up_on_too_many_keys_the_reason_is_the_same(
    keys: Keys, tmp_path: Path
) -> None:
    other = Keys.generate(tmp_path).client
    (tmp_path / "sshd").mkdir()
    with Sshd(tmp_path / "sshd", keys, options=["MaxAuthTries 1"]) as sshd:
        ssh = SSH(ssh_config=None)
        with pytest.raises(AuthenticationError) as caught:
            ssh.open(replace(sshd.host(), identity_file=str(other)), "true", later())
        ssh.close()
    assert str(other) in str(caught.value)
    assert str(other) not in caught.value.reason
    assert sshd.user not in caught.value.reason
    assert "hung up while we were logging in: Too many" in caught.value.reason


def test_what_a_proxy_command_says_of_why_is_told_line_by_line_and_what_it_cannot_do(
    tmp_path: Path,
) -> None:
    config = tmp_path / "config"
    config.write_text("ProxyCommand printf 'Hello\\r\\nPermission denied.\\r\\n' >&2\n")
    ssh = SSH(ssh_config=config)
    with pytest.raises(ConnectError) as caught:
        ssh.open(Host("node-1"), "true", later())
    ssh.close()
    assert "led to no SSH server: Hello\nPermission denied. (way: " in str(caught.value)
    assert "it has no terminal. A ProxyJump in place of `ssh -W` may ask" in str(caught.value)


def test_of_several_hops_the_one_that_is_bad_is_named_and_no_other(
    tmp_path: Path, refused_port: int
) -> None:
    config = tmp_path / "config"
    config.write_text(f"Host bastion\n  HostName 127.0.0.1\n  Port {refused_port}\n")
    ssh = SSH([Host("bastion"), Host("head"), Host("rack")], ssh_config=config)
    with pytest.raises(ConnectError) as caught:
        ssh.open(Host("node-1"), "true", later())
    ssh.close()
    assert caught.value.reason == "its hop bastion cannot be used: connection refused"
    assert str(caught.value).startswith("node-1: its hop bastion cannot be used: cannot connect")
    assert "(way: this computer → bastion → head → rack → node-1)" in str(caught.value)
    assert caught.value.__cause__ is None, "what we call it among ourselves is no cause"


@pytest.mark.parametrize("at", [5, 50], ids=["as we ask to log in", "as we log in"])
def test_hosts_that_hang_up_after_the_keys_are_agreed_on_have_one_reason(
    keys: Keys, tmp_path: Path, at: int
) -> None:
    host_key = paramiko.PKey.from_path(keys.host)
    with port_with(stuck(host_key, at, hangs_up=True)) as port:
        known = tmp_path / "known_hosts"
        known.write_text(f"[127.0.0.1]:{port} {host_key.get_name()} {host_key.get_base64()}\n")
        ssh = SSH(ssh_config=None)
        host = Host("127.0.0.1", "me", port, str(keys.client), str(known))
        with pytest.raises(BusyError, match=r"the connection ended before we could log in$"):
            ssh._attempt(ssh._settings(host), (), Deadline(Clock(), PATIENCE))
        ssh.close()


@pytest.mark.parametrize("advice", ADVICE)
def test_on_the_command_line_nothing_is_advised_that_only_a_program_can_do(advice: str) -> None:
    said = checking._as_options(advice)
    assert not re.search(r"Host\.|\w=", said)
    assert said.endswith(".")
