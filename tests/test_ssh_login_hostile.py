"""What is promised about logins where something means ill, or is broken: servers, agents, files,
programs and callables that are asked for secrets.
"""

from __future__ import annotations

import base64
import contextlib
import os
import socket
import threading
import time
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import paramiko
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from paramiko.common import AUTH_FAILED

from interstate.errors import AuthenticationError, HostError
from interstate.hosts import Host
from interstate.ssh import SSH, bypassword, sshagent
from interstate.ssh import answers as answers_module
from interstate.ssh.asking import Asker, Whose
from interstate.ssh.deadline import Clock, Deadline
from interstate.ssh.publickeys import string
from interstate.ssh.sshagent import AgentError, SSHAgent

from .agents import listening
from .asking_server import AskingServer, Round, Rules, _Session
from .sshd import Keys
from .test_ssh_asking import CODE, PASSWORD, SECRET, Sit, config, outcomes, sit_down

QUESTIONS = ("keyboard-interactive",)
__all__ = ["sit_down"]


@pytest.fixture(autouse=True)
def _servers_have_time_to_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the others go on without what is known then; five seconds, else."""
    monkeypatch.setattr(answers_module, "PATIENCE", 120.0)


@pytest.fixture
def no_keys(tmp_path: Path) -> Path:
    return config(tmp_path)


def refusal(host: Host, config: Path | None, seconds: float = 120, **options: object) -> str:
    """Fail to open a way to a host; return what the error says."""
    ssh = SSH(ssh_config=config, **options)  # type: ignore[arg-type]
    with pytest.raises(HostError) as caught:
        ssh.open(host, "true", time.monotonic() + seconds)
    ssh.close()
    return str(caught.value)


# ------------------------------------------------------------------------------------- passwords


def test_a_wrong_password_is_tried_on_one_host_before_the_others_get_it(
    keys: Keys, tmp_path: Path, no_keys: Path, sit_down: Sit
) -> None:
    typed = iter(["a slip", SECRET])
    sit_down(lambda prompt: next(typed))
    with AskingServer(keys, tmp_path, Rules(password=SECRET)) as server:
        assert outcomes(SSH(ssh_config=no_keys), server.hosts(30)) == [None] * 30
    assert [what for _, _, what in server.tried].count("a slip") == 1


@pytest.mark.parametrize("method", ["password", "keyboard-interactive"])
def test_wrong_passwords_lock_no_account_that_many_hosts_share(
    keys: Keys, tmp_path: Path, no_keys: Path, sit_down: Sit, method: str
) -> None:
    terminal = sit_down(lambda prompt: f"wrong {len(terminal.prompts)}")
    with AskingServer(keys, tmp_path, Rules((method,), SECRET)) as server:
        failed = outcomes(SSH(ssh_config=no_keys), server.hosts(30))
    assert all(isinstance(error, AuthenticationError) for error in failed)
    assert len(server.tried) == 3
    assert "those given were refused by other hosts" in "".join(map(str, failed))


def test_a_host_that_is_silent_about_a_password_holds_up_the_others_for_a_moment_only(
    keys: Keys, tmp_path: Path, no_keys: Path, sit_down: Sit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers_module, "PATIENCE", 0.3)
    over, silent = threading.Event(), threading.Event()

    def judge(address: str, answers: list[str]) -> bool:
        if not silent.is_set():
            silent.set()
            over.wait(300)
        return answers == [SECRET]

    sit_down(lambda prompt: SECRET)
    ssh = SSH(ssh_config=no_keys)
    with AskingServer(keys, tmp_path, Rules(QUESTIONS, judge=judge)) as server:
        first, *rest = server.hosts(5)

        def wait_for_it() -> None:
            with pytest.raises(HostError):
                ssh.open(first, "true", time.monotonic() + 120)

        waiting = threading.Thread(target=wait_for_it)
        waiting.start()
        assert silent.wait(60)
        assert outcomes(ssh, rest) == [None] * 4
        waiting.join()
        over.set()


def test_a_password_is_not_sent_again_and_again_to_a_server_that_hangs_up(
    keys: Keys, tmp_path: Path, no_keys: Path, sit_down: Sit, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def hang_up(session: _Session, username: str, password: str) -> int:
        tried.append(password)
        session.transport.sock.close()
        return AUTH_FAILED

    monkeypatch.setattr(_Session, "check_auth_password", hang_up)
    sit_down(lambda prompt: SECRET)
    with AskingServer(keys, tmp_path, Rules(password=SECRET)) as server:
        said = refusal(server.hosts()[0], no_keys)
    assert "the server hung up while me was logging in: it gave no reason (" in said
    assert tried == [SECRET] * 2  # the second time nobody had to type it: it was not too late


def test_a_second_question_for_a_password_is_not_answered_by_the_same_one(
    keys: Keys, tmp_path: Path, no_keys: Path, sit_down: Sit
) -> None:
    rounds: list[Round] = [("", "", [PASSWORD]), ("", "", [PASSWORD])]
    typed = iter([SECRET, "first code", "second code"])
    terminal = sit_down(lambda prompt: next(typed))
    rules = Rules(QUESTIONS, rounds=rounds, judge=lambda _, answers: answers[0] == SECRET)
    with AskingServer(keys, tmp_path, rules) as server:
        assert outcomes(SSH(ssh_config=no_keys), server.hosts(2)) == [None] * 2
    answers = [what for _, _, what in server.tried]
    assert answers == [[SECRET, "first code"], [SECRET, "second code"]]
    assert len(terminal.prompts) == 3


def test_the_right_password_that_came_with_a_wrong_code_may_be_given_again(
    keys: Keys, tmp_path: Path, no_keys: Path, sit_down: Sit
) -> None:
    typed = iter([SECRET, "a slip", SECRET, "a code"])
    sit_down(lambda prompt: next(typed))
    rounds: list[Round] = [("", "", [PASSWORD]), ("", "", [CODE])]
    rules = Rules(QUESTIONS, rounds=rounds, judge=lambda _, answers: answers == [SECRET, "a code"])
    with AskingServer(keys, tmp_path, rules) as server:
        assert outcomes(SSH(ssh_config=no_keys), server.hosts()) == [None]
    assert [what for _, _, what in server.tried] == [[SECRET, "a slip"], [SECRET, "a code"]]


def test_a_code_that_a_servers_instructions_want_is_no_password(
    keys: Keys, tmp_path: Path, no_keys: Path, sit_down: Sit
) -> None:
    codes = iter("12")
    sit_down(lambda prompt: next(codes))
    rounds: list[Round] = [("RSA SecurID", "Enter your one-time password.", [PASSWORD])]
    rules = Rules(QUESTIONS, rounds=rounds, judge=lambda *_: True)
    with AskingServer(keys, tmp_path, rules) as server:
        assert outcomes(SSH(ssh_config=no_keys), server.hosts(2)) == [None] * 2
    assert sorted(str(what) for _, _, what in server.tried) == ["['1']", "['2']"]


# -------------------------------------------------------------------------------------- callables


@pytest.mark.parametrize("answer", [SECRET.encode(), 7, [SECRET]])
@pytest.mark.parametrize("method", ["password", "keyboard-interactive", "publickey"])
def test_a_callable_that_returns_no_text_is_an_error_that_says_so_and_not_what(
    keys: Keys, tmp_path: Path, no_keys: Path, locked: Path, answer: object, method: str
) -> None:
    with AskingServer(keys, tmp_path, Rules((method,), SECRET)) as server:
        (host,) = server.hosts()
        if method == "publickey":
            host, server.client_key = replace(host, identity_file=str(locked)), _public(locked)
        said = refusal(host, no_keys, password=lambda *_: answer)
    assert f"the password= callable returned {type(answer).__name__}, and not str" in said
    assert SECRET not in said


def test_a_password_that_is_no_utf8_is_sent_as_it_is(
    keys: Keys, tmp_path: Path, no_keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", os.fsdecode(b"p\xe4ss"))
    ssh = SSH(ssh_config=no_keys, password=lambda *_: os.environ["SECRET"])
    with AskingServer(keys, tmp_path, Rules()) as server:
        outcomes(ssh, server.hosts())
    assert server.tried[0][2] == b"p\xe4ss"


def test_a_text_that_cannot_be_sent_is_in_no_error(
    keys: Keys, tmp_path: Path, no_keys: Path
) -> None:
    with AskingServer(keys, tmp_path, Rules()) as server:
        ssh = SSH(ssh_config=no_keys, password=lambda *_: f"{SECRET}\ud800")
        (failed,) = outcomes(ssh, server.hosts())
    assert "returned a text that cannot be encoded" in str(failed)
    assert SECRET not in "".join(traceback.format_exception(failed))


def test_once_all_is_closed_no_callable_is_called_any_more() -> None:
    """Those who waited until another had answered would call it."""
    clock = Clock()
    asker = Asker(lambda *_: pytest.fail("asked"), clock)
    asker.close()
    host = Host("a")
    assert asker.ask(host, "Code: ") is None
    assert asker.password(Whose("me", host), "Password: ", (), (), 3, Deadline(clock, 10)) is None


@pytest.fixture
def locked(tmp_path: Path) -> Path:
    path = tmp_path / "locked"
    key = ed25519.Ed25519PrivateKey.generate()
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(SECRET.encode()),
        )
    )
    path.chmod(0o600)
    encoding, form = serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    Path(f"{path}.pub").write_bytes(key.public_key().public_bytes(encoding, form))
    return path


def _public(path: Path) -> paramiko.PKey:
    _, text = Path(f"{path}.pub").read_text().split()
    return paramiko.Ed25519Key(data=base64.b64decode(text))


# ----------------------------------------------------------------------------- what servers say


def test_more_questions_than_there_are_are_no_questions(
    keys: Keys, tmp_path: Path, no_keys: Path, sit_down: Sit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(session: _Session, *_: object) -> int:
        message = paramiko.Message()
        message.add_byte(bytes([60]))
        for text in ("", "", ""):
            message.add_string(text)
        message.add_int(0xFFFFFFFF)
        session.transport._send_message(message)  # type: ignore[attr-defined]
        return AUTH_FAILED

    monkeypatch.setattr(_Session, "check_auth_interactive", ask)
    terminal = sit_down(lambda prompt: SECRET)
    with AskingServer(keys, tmp_path, Rules(QUESTIONS)) as server:
        assert "it is cut short" in refusal(server.hosts()[0], no_keys, 10)
    assert not terminal.prompts


def test_a_server_that_asks_for_ever_is_not_answered_for_ever(
    keys: Keys, tmp_path: Path, no_keys: Path, sit_down: Sit
) -> None:
    terminal = sit_down(lambda prompt: SECRET)
    rounds: list[Round] = [("", "", [CODE])] * 1000
    with AskingServer(keys, tmp_path, Rules(QUESTIONS, rounds=rounds)) as server:
        assert "it asks for ever" in refusal(server.hosts()[0], no_keys)
    assert len(terminal.prompts) == bypassword.MOST_ROUNDS


def test_what_a_server_says_does_nothing_to_a_terminal(
    keys: Keys, tmp_path: Path, no_keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with AskingServer(keys, tmp_path, Rules(("pass\x1b[2Jword",))) as server:
        said = refusal(server.hosts()[0], no_keys)
    assert "the server allows pass?[2Jword" in said

    def farewell(session: _Session, *_: object) -> int:
        message = paramiko.Message()
        message.add_byte(bytes([1]))
        message.add_int(2)
        message.add_string("Go\x1b]0;away\x07")
        message.add_string("")
        session.transport._send_message(message)  # type: ignore[attr-defined]
        return AUTH_FAILED

    monkeypatch.setattr(_Session, "check_auth_none", farewell)
    with AskingServer(keys, tmp_path, Rules()) as server:
        assert "Go?]0;away?" in refusal(server.hosts()[0], no_keys)


# ----------------------------------------------------------------------------- files and agents


@pytest.fixture(params=["a FIFO", "endless", "a folder", "huge"])
def odd_file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "odd"
    if request.param == "a FIFO":
        os.mkfifo(path, 0o600)
    elif request.param == "endless":
        path.symlink_to("/dev/zero")
    elif request.param == "a folder":
        path.mkdir()
    else:
        with path.open("wb") as file:
            file.truncate(1 << 40)  # a hole
        path.chmod(0o600)
    return path


@pytest.mark.parametrize("end", ["", ".pub", "-cert.pub"])
def test_what_is_no_key_file_is_not_read_for_ever(
    keys: Keys, tmp_path: Path, odd_file: Path, end: str
) -> None:
    odd_file.rename(f"{tmp_path}/key{end}")
    lines = f"IdentityFile {tmp_path}/key", f"IdentityFile {keys.client}"
    path = tmp_path / "odd_config"
    path.write_text("\n".join([*lines, "IdentityAgent none", ""]))
    with AskingServer(keys, tmp_path, Rules(("publickey",))) as server:
        ssh = SSH(ssh_config=path)
        assert outcomes(ssh, server.hosts()) == [None]
        problem = ssh._keyring.file(f"{tmp_path}/key").problem
    assert problem.startswith("cannot be read: ")


_CUT = b"\0\0\0\x07ssh-rsa"


def test_a_public_key_that_is_cut_short_is_passed_over(keys: Keys, tmp_path: Path) -> None:
    (tmp_path / "key.pub").write_bytes(b"ssh-rsa " + base64.b64encode(_CUT))
    (tmp_path / "key").write_bytes(Path(keys.client).read_bytes())
    (tmp_path / "key").chmod(0o600)
    lines = [f"IdentityFile {tmp_path}/key.pub", f"IdentityFile {tmp_path}/key"]
    path = tmp_path / "cut_config"
    with (
        AskingServer(keys, tmp_path, Rules(("publickey",))) as server,
        lying_agent(tmp_path / "agent", _of_keys((_CUT, b"cut")), 2) as agent,
    ):
        path.write_text("\n".join([*lines, f"IdentityAgent {agent}", ""]))
        assert outcomes(SSH(ssh_config=path), server.hosts()) == [None]


def test_what_an_agent_calls_its_keys_does_nothing_to_a_terminal(tmp_path: Path) -> None:
    blob = b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + bytes(32)
    with lying_agent(tmp_path / "agent", _of_keys((blob, b"\x1b[2J"))) as path:
        (identity,) = SSHAgent(str(path)).identities()
    assert identity.name == "the agent's ?[2J"


@pytest.mark.parametrize(
    "answer",
    [b"", b"\xff\xff\xff\xff", b"\0\0\0\0", b"\0\0\0\x05\x0c\xff\xff\xff\xff", b"\0\0\0\x01\x0e"],
)
def test_an_agent_that_talks_nonsense_is_none(tmp_path: Path, answer: bytes) -> None:
    with lying_agent(tmp_path / "agent", [answer]) as path, pytest.raises(AgentError):
        SSHAgent(str(path)).identities()


def test_an_agent_that_dawdles_is_not_waited_for_byte_by_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sshagent, "_SOON", 0.5)

    def dribble() -> Iterator[bytes]:
        yield b"\0\0\xff\xff"
        while True:
            time.sleep(0.1)
            yield b"\0"

    began = time.monotonic()
    with lying_agent(tmp_path / "agent", dribble()) as path, pytest.raises(AgentError):
        SSHAgent(str(path)).identities()
    assert time.monotonic() < began + 60


def _of_keys(*keys: tuple[bytes, bytes]) -> list[bytes]:
    body = b"".join(string(blob) + string(comment) for blob, comment in keys)
    return [string(b"\x0c" + len(keys).to_bytes(4) + body)]


@contextlib.contextmanager
def lying_agent(path: Path, answer: Iterable[bytes], times: int = 1) -> Iterator[Path]:
    """An agent that says the same, piece by piece, whatever it is asked, so many times."""

    def serve(connection: socket.socket) -> None:
        for _ in range(times):
            connection.recv(1000)
            for piece in answer:
                connection.sendall(piece)

    with listening(path, serve):
        yield path
