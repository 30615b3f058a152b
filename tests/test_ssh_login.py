"""What is promised about logging in: which keys are tried, and who is asked for which secret."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import paramiko
import pytest
from paramiko.common import AUTH_FAILED, AUTH_SUCCESSFUL, OPEN_SUCCEEDED
from paramiko.server import InteractiveQuery

from interstate.errors import AuthenticationError
from interstate.hosts import Host
from interstate.ssh import SSH

from .sshd import Keys, Sshd, loopback_addresses

SECRET = "open sesame"
PATIENCE = 60.0  # seconds: no login takes that long


class Person:
    """Somebody who is asked for secrets, and remembers for what."""

    def __init__(self, *answers: str) -> None:
        self.answers = answers
        self.asked: list[tuple[Host, str]] = []
        self._lock = threading.Lock()

    def __call__(self, host: Host, prompt: str) -> str:
        with self._lock:
            self.asked.append((host, prompt))
            return self.answers[min(len(self.asked), len(self.answers)) - 1]


@pytest.fixture
def authorized(tmp_path: Path) -> Path:
    """The public keys that `server` lets in."""
    path = tmp_path / "authorized_keys"
    path.touch()
    return path


@pytest.fixture
def server(tmp_path: Path, keys: Keys, authorized: Path) -> Iterator[Sshd]:
    directory = tmp_path / "server"
    directory.mkdir()
    options = [f"AuthorizedKeysFile {authorized}"]
    with Sshd(directory, keys, listen=loopback_addresses(10), options=options) as sshd:
        yield sshd


def make_key(path: Path, kind: str = "ed25519", passphrase: str = "", *options: str) -> Path:
    rounds = ["-a", "1"] if passphrase else []  # the fewest, so that tests are fast
    bits = ["-b", "2048"] if kind == "rsa" else []  # likewise
    how = [*rounds, *bits, *options]
    command = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, *how, "-f", str(path)]
    subprocess.run(command, check=True)
    return path


def let_in(authorized: Path, *paths: Path) -> None:
    authorized.write_text("".join(Path(f"{path}.pub").read_text() for path in paths))


def with_key(host: Host, path: Path) -> Host:
    return replace(host, identity_file=str(path))


def config_file(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "ssh_config"
    path.write_text("\n".join(lines) + "\n")
    return path


def opens(host: Host, config: Path | None = None, person: Person | None = None) -> None:
    ssh = SSH(ssh_config=config, password=person)
    stream = ssh.open(host, "printf ok", time.monotonic() + PATIENCE)
    assert stream.read(2) == b"ok"
    stream.close()
    ssh.close()


def refusal(host: Host, config: Path | None = None, person: Person | None = None) -> str:
    ssh = SSH(ssh_config=config, password=person)
    with pytest.raises(AuthenticationError) as caught:
        ssh.open(host, "true", time.monotonic() + PATIENCE)
    ssh.close()
    assert caught.value.host == host
    assert SECRET not in repr(caught.value)
    return str(caught.value)


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An ssh-agent of the test's own; its value is the socket, which is in the environment too."""
    path = tmp_path / "agent"
    command = ["ssh-agent", "-D", "-a", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()  # then it listens
        monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
        yield path
        process.terminate()


def add_to_agent(*paths: Path) -> None:
    for path in paths:
        subprocess.run(["ssh-add", "-q", str(path)], check=True, stderr=subprocess.DEVNULL)


@pytest.mark.parametrize("form", ["RFC4716", "PEM"])
@pytest.mark.parametrize("passphrase", ["", SECRET])
@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_keys_of_every_kind_and_form_let_us_in(
    server: Sshd, authorized: Path, tmp_path: Path, kind: str, passphrase: str, form: str
) -> None:
    key = make_key(tmp_path / "key", kind, passphrase, "-m", form)
    let_in(authorized, key)
    opens(with_key(server.host(), key), person=Person(passphrase))


def test_a_key_that_is_not_let_in_is_an_error_that_names_it(server: Sshd, tmp_path: Path) -> None:
    key = make_key(tmp_path / "key")
    message = refusal(with_key(server.host(), key))
    shown = subprocess.check_output(["ssh-keygen", "-lf", str(key)], text=True).split()[1]
    offered = f"the server accepted none of: {key} (ED25519 {shown}); "
    assert f"{server.user} could not log in: {offered}" in message
    assert "the server allows publickey" in message
    assert f"way: this computer → {server.host()}" in message


def test_an_identity_file_that_is_missing_is_mentioned(server: Sshd, tmp_path: Path) -> None:
    message = refusal(with_key(server.host(), tmp_path / "nowhere"))
    assert "there was no key to offer" in message
    assert f"{tmp_path}/nowhere cannot be read: No such file or directory" in message


def test_a_file_that_is_no_key_is_mentioned(server: Sshd, tmp_path: Path) -> None:
    (tmp_path / "rubbish").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nrubbish\n-----END")
    (tmp_path / "rubbish").chmod(0o600)
    message = refusal(with_key(server.host(), tmp_path / "rubbish"))
    assert "rubbish cannot be read as a private key" in message


def test_all_the_identity_files_of_the_config_are_tried_and_tokens_expanded(
    server: Sshd, authorized: Path, tmp_path: Path
) -> None:
    make_key(tmp_path / "wrong")
    let_in(authorized, make_key(tmp_path / f"key_of_{server.user}"))
    config = config_file(
        tmp_path,
        f"IdentityFile {tmp_path}/missing",
        f"IdentityFile {tmp_path}/wrong",
        f'IdentityFile "{tmp_path}/key_of_%r"',
        "IdentityAgent none",
    )
    opens(replace(server.host(), identity_file=None), config)


def test_a_passphrase_is_asked_for_once_however_many_hosts_open(
    server: Sshd, authorized: Path, tmp_path: Path
) -> None:
    key = make_key(tmp_path / "key", passphrase=SECRET)
    let_in(authorized, key)
    person = Person(SECRET)
    ssh = SSH(ssh_config=None, password=person)
    hosts = [with_key(host, key) for host in server.hosts(10)]
    with ThreadPoolExecutor(10) as threads:
        opened = [
            threads.submit(ssh.open, host, "true", time.monotonic() + PATIENCE) for host in hosts
        ]
        for future in opened:
            future.result().close()
    ssh.close()
    assert [prompt for _, prompt in person.asked] == [f"Enter passphrase for key '{key}': "]
    assert person.asked[0][0] in hosts


def test_a_wrong_passphrase_is_asked_for_again(
    server: Sshd, authorized: Path, tmp_path: Path
) -> None:
    key = make_key(tmp_path / "key", passphrase=SECRET)
    let_in(authorized, key)
    person = Person("wrong", "wrong", SECRET)
    opens(with_key(server.host(), key), person=person)
    assert len(person.asked) == 3


def test_three_wrong_passphrases_are_enough_for_all_hosts(
    server: Sshd, authorized: Path, tmp_path: Path
) -> None:
    key = make_key(tmp_path / "key", passphrase=SECRET)
    let_in(authorized, key)
    person = Person("wrong")
    ssh = SSH(ssh_config=None, password=person)
    for host in server.hosts(2):
        with pytest.raises(AuthenticationError, match="no right passphrase was given"):
            ssh.open(with_key(host, key), "true", time.monotonic() + PATIENCE)
    ssh.close()
    assert len(person.asked) == 3


@pytest.mark.parametrize(
    ("answers", "lines", "count"),
    [
        (["wrong"], (), 3),
        (["wrong"], ("NumberOfPasswordPrompts 1",), 1),
        ([""], (), 1),
        (["wrong"], ("NumberOfPasswordPrompts 0",), 0),
    ],
)
def test_after_a_key_that_nobody_unlocks_the_next_one_is_tried(
    server: Sshd,
    authorized: Path,
    tmp_path: Path,
    answers: list[str],
    lines: tuple[str, ...],
    count: int,
) -> None:
    locked = make_key(tmp_path / "locked", passphrase=SECRET)
    free = make_key(tmp_path / "free")
    let_in(authorized, locked, free)
    person = Person(*answers)
    files = f"IdentityFile {locked}", f"IdentityFile {free}", "IdentityAgent none"
    config = config_file(tmp_path, *files, *lines)
    opens(replace(server.host(), identity_file=None), config, person)
    assert len(person.asked) == count


def test_a_passphrase_is_not_asked_for_when_the_server_would_not_take_the_key(
    server: Sshd, tmp_path: Path
) -> None:
    key = make_key(tmp_path / "key", passphrase=SECRET)
    person = Person(SECRET)
    assert f"the server accepted none of: {key}" in refusal(
        with_key(server.host(), key), person=person
    )
    assert not person.asked


def test_without_a_terminal_a_locked_key_is_an_error_and_no_hang(
    server: Sshd, authorized: Path, tmp_path: Path
) -> None:
    key = make_key(tmp_path / "key", passphrase=SECRET)
    let_in(authorized, key)
    message = refusal(with_key(server.host(), key))
    assert f"{key} needs a passphrase, and there is no terminal to ask on" in message


def test_on_a_terminal_a_passphrase_is_asked_for_there_and_not_shown(
    server: Sshd, authorized: Path, tmp_path: Path
) -> None:
    key = make_key(tmp_path / "key", passphrase=SECRET)
    let_in(authorized, key)
    program = f"""
import fcntl, termios, time
fcntl.ioctl(0, termios.TIOCSCTTY)  # the terminal is ours now, as a shell would have it
from interstate.hosts import Host
from interstate.ssh import SSH
ssh = SSH(ssh_config=None)
deadline = time.monotonic() + {PATIENCE}
stream = ssh.open({with_key(server.host(), key)!r}, "printf 'let in'", deadline)
print(stream.read(6).decode())
stream.close()
ssh.close()
"""
    (tmp_path / "program.py").write_text(program)
    terminal, theirs = os.openpty()
    with subprocess.Popen(
        [sys.executable, str(tmp_path / "program.py")],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    ):
        os.close(theirs)
        shown = b""
        while f"Enter passphrase for key '{key}': ".encode() not in shown:
            shown += os.read(terminal, 1000)
        os.write(terminal, f"{SECRET}\n".encode())
        while b"let in" not in shown:
            shown += os.read(terminal, 1000)
    os.close(terminal)
    assert SECRET.encode() not in shown


def test_where_nobody_can_be_asked_the_next_key_is_tried(
    server: Sshd, authorized: Path, tmp_path: Path
) -> None:
    locked = make_key(tmp_path / "locked", passphrase=SECRET)
    free = make_key(tmp_path / "free")
    let_in(authorized, locked, free)
    files = f"IdentityFile {locked}", f"IdentityFile {free}", "IdentityAgent none"
    opens(replace(server.host(), identity_file=None), config_file(tmp_path, *files))
    person = Person(SECRET)
    config = config_file(tmp_path, *files, "BatchMode yes")
    opens(replace(server.host(), identity_file=None), config, person)
    assert not person.asked


def test_the_time_a_person_takes_to_type_counts_against_no_deadline(
    server: Sshd, authorized: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = make_key(tmp_path / "key", passphrase=SECRET)
    let_in(authorized, key)
    clock, typing = time.monotonic, [0.0]  # seconds
    monkeypatch.setattr(time, "monotonic", lambda: clock() + sum(typing))

    def slow(host: Host, prompt: str) -> str:
        typing.append(2 * PATIENCE)
        return SECRET

    ssh = SSH(ssh_config=None, password=slow)
    with ThreadPoolExecutor(2) as threads:
        opened = [
            threads.submit(ssh.open, with_key(host, key), "true", time.monotonic() + PATIENCE)
            for host in server.hosts(2)
        ]
        for future in opened:
            future.result().close()
    ssh.close()


def test_a_password_callable_that_fails_is_an_error_that_says_so(
    server: Sshd, authorized: Path, tmp_path: Path
) -> None:
    key = make_key(tmp_path / "key", passphrase=SECRET)
    let_in(authorized, key)

    def broken(host: Host, prompt: str) -> str:
        raise LookupError("no keyring")

    ssh = SSH(ssh_config=None, password=broken)
    with pytest.raises(AuthenticationError, match="raised LookupError: no keyring"):
        ssh.open(with_key(server.host(), key), "true", time.monotonic() + PATIENCE)
    ssh.close()


def test_a_key_that_only_the_agent_has_lets_us_in(
    server: Sshd, authorized: Path, tmp_path: Path, agent: Path
) -> None:
    for kind in ("ed25519", "ecdsa", "rsa"):
        key = make_key(tmp_path / kind, kind)
        add_to_agent(key)
        let_in(authorized, key)
        (tmp_path / kind).unlink()
        opens(replace(server.host(), identity_file=None))


def test_the_agent_serves_many_hosts_at_once(
    server: Sshd, authorized: Path, tmp_path: Path, agent: Path
) -> None:
    key = make_key(tmp_path / "key")
    add_to_agent(key)
    let_in(authorized, key)
    ssh = SSH(ssh_config=None)
    hosts = [replace(host, identity_file=None) for host in server.hosts(10)]
    with ThreadPoolExecutor(10) as threads:
        opened = [
            threads.submit(ssh.open, host, "true", time.monotonic() + PATIENCE) for host in hosts
        ]
        for future in opened:
            future.result().close()
    ssh.close()


def test_too_many_keys_in_the_agent_are_an_error_that_names_the_remedy(
    server: Sshd, authorized: Path, tmp_path: Path, agent: Path
) -> None:
    several = [make_key(tmp_path / f"key{i}") for i in range(8)]
    add_to_agent(*several)
    let_in(authorized, several[-1])
    host = replace(server.host(), identity_file=None)
    message = refusal(host)
    assert "Too many authentication failures" in message
    assert "IdentitiesOnly yes" in message
    opens(host, config_file(tmp_path, f"IdentityFile {several[-1]}.pub", "IdentitiesOnly yes"))
    opens(host, config_file(tmp_path, f"IdentityFile {several[-1]}"))  # a match goes first
    opens(with_key(host, several[-1]))  # without the agent


def test_a_dead_agent_is_no_agent(
    server: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "gone"))
    assert "no key to offer" in refusal(
        replace(server.host(), identity_file=None), config_file(tmp_path, "IdentityFile none")
    )


class PasswordServer(paramiko.ServerInterface):
    """A server with passwords, since an sshd of ours cannot have any; it echoes one line."""

    def __init__(self, methods: str) -> None:
        self._methods = methods
        self.attempts: list[str] = []

    def get_allowed_auths(self, username: str) -> str:
        return self._methods

    def _check(self, password: str) -> int:
        self.attempts.append(password)
        return AUTH_SUCCESSFUL if password == SECRET else AUTH_FAILED

    def check_auth_password(self, username: str, password: str) -> int:
        return self._check(password) if "password" in self._methods else AUTH_FAILED

    def check_auth_interactive(self, username: str, submethods: str) -> InteractiveQuery:
        return InteractiveQuery("", "", ("Password: ", False))

    def check_auth_interactive_response(self, responses: list[str]) -> int:
        return self._check(responses[0])

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        threading.Thread(target=self._run, args=(channel,)).start()
        return True

    def _run(self, channel: paramiko.Channel) -> None:
        with contextlib.suppress(OSError, EOFError):  # the client has read it, and is gone
            channel.sendall(b"ok")
            channel.close()


@contextlib.contextmanager
def password_server(methods: str, keys: Keys, tmp_path: Path) -> Iterator[tuple[Host, list[str]]]:
    """A host that wants a password, and the passwords that it was given."""
    interface = PasswordServer(methods)
    transports: list[paramiko.Transport] = []
    key = paramiko.PKey.from_path(keys.host)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    transports.append(paramiko.Transport(listener.accept()[0]))
                    transports[-1].add_server_key(key)
                    transports[-1].start_server(event=threading.Event(), server=interface)

        thread = threading.Thread(target=serve)
        thread.start()
        port = listener.getsockname()[1]
        known = tmp_path / "known"
        known.write_text(f"[127.0.0.1]:{port} {key.get_name()} {key.get_base64()}\n")
        try:
            yield Host("127.0.0.1", "me", port, known_hosts_file=str(known)), interface.attempts
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for transport in transports:
                transport.close()
                transport.join(PATIENCE)


@pytest.fixture
def no_keys(tmp_path: Path) -> Path:
    """An ssh_config that leaves no key to try."""
    return config_file(tmp_path, "IdentityFile none", "IdentityAgent none")


@pytest.mark.parametrize("method", ["password", "keyboard-interactive"])
def test_a_password_is_asked_for_once_per_host_and_user(
    keys: Keys, tmp_path: Path, no_keys: Path, method: str
) -> None:
    person = Person(SECRET)
    with password_server(method, keys, tmp_path) as (host, attempts):
        ssh = SSH(ssh_config=no_keys, password=person)
        for _ in range(3):
            stream = ssh.open(host, "true", time.monotonic() + PATIENCE)
            assert stream.read(2) == b"ok"
            stream.close()
        ssh.close()
        asks = "me@127.0.0.1's password: " if method == "password" else "(me@127.0.0.1) Password: "
        assert person.asked == [(host, asks)]
        assert attempts == [SECRET] * 3


@pytest.mark.parametrize("method", ["password", "keyboard-interactive"])
def test_a_wrong_password_is_an_error_that_does_not_show_it(
    keys: Keys, tmp_path: Path, no_keys: Path, method: str
) -> None:
    person = Person("not it at all")
    with password_server(method, keys, tmp_path) as (host, attempts):
        message = refusal(host, no_keys, person)
        assert "the server accepted none of: a password" in message
        assert "not it at all" not in message
        assert attempts == ["not it at all"]


def test_a_key_is_tried_before_a_password(keys: Keys, tmp_path: Path) -> None:
    with password_server("publickey,password", keys, tmp_path) as (host, attempts):
        opens(with_key(host, keys.client), person=Person(SECRET))
        assert attempts == [SECRET]


@pytest.mark.parametrize("line", ["BatchMode yes", "PasswordAuthentication no"])
def test_no_password_is_asked_for_when_the_config_forbids_it(
    keys: Keys, tmp_path: Path, line: str
) -> None:
    person = Person(SECRET)
    config = config_file(tmp_path, line, "IdentityFile none", "IdentityAgent none")
    with password_server("password", keys, tmp_path) as (host, _):
        refusal(host, config, person)
    assert not person.asked


def test_without_anybody_to_ask_for_a_password_the_error_says_so(
    keys: Keys, tmp_path: Path, no_keys: Path
) -> None:
    with password_server("password", keys, tmp_path) as (host, _):
        message = refusal(host, no_keys)
    assert re.search("not used: a password: there is no terminal to ask on", message)
    assert os.environ.get("SSH_AUTH_SOCK") is None or "agent" not in message
