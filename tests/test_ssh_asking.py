"""What is promised about asking: what must be asked is asked once, of whom, and what becomes of it.

The server is played (see `asking_server`): a real sshd asks only by way of PAM or of accounts with
passwords.
"""

from __future__ import annotations

import getpass
import logging
import os
import re
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from interstate.errors import AuthenticationError, InterstateError
from interstate.hosts import Host
from interstate.ssh import SSH
from interstate.ssh.answers import Answers
from interstate.ssh.asking import Asker, Whose
from interstate.ssh.deadline import Clock, Deadline
from interstate.ssh.methods import Methods
from interstate.ssh.prompts import asks_for_password

from .asking_server import AskingServer, Round, Rules
from .sshd import Keys

PATIENCE = 180.0  # seconds: fifty may log in, to servers in this process
SECRET = "open sesame"
CODE = ("Code: ", True)
PASSWORD = ("Password: ", False)


@pytest.fixture(autouse=True)
def _servers_have_time_to_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the others go on without what is known then; five seconds, else."""
    monkeypatch.setattr("interstate.ssh.answers.PATIENCE", PATIENCE)


class Terminal:
    """A person at a terminal, or a notebook, which stands in for `getpass` and `input`.

    Args:
        answer: Given a prompt, returns what is typed.

    Attributes:
        prompts: What was asked, each with whether what is typed may be seen.
    """

    def __init__(self, answer: Callable[[str], str]) -> None:
        self.prompts: list[tuple[str, bool]] = []
        self._answer = answer
        self._busy = threading.Lock()

    def hidden(self, prompt: str) -> str:
        return self._type(prompt, False)

    def seen(self, prompt: str) -> str:
        return self._type(prompt, True)

    def _type(self, prompt: str, echo: bool) -> str:
        assert self._busy.acquire(blocking=False), "two things were asked at once"
        try:
            self.prompts.append((prompt, echo))
            return self._answer(prompt)
        finally:
            self._busy.release()


Sit = Callable[[Callable[[str], str]], Terminal]


@pytest.fixture
def sit_down(monkeypatch: pytest.MonkeyPatch) -> Sit:
    """A function: has somebody at the terminal, who types what another function returns."""

    def sit(answer: Callable[[str], str]) -> Terminal:
        terminal = Terminal(answer)
        monkeypatch.setattr(getpass, "getpass", terminal.hidden)
        monkeypatch.setattr("builtins.input", terminal.seen)
        return terminal

    return sit


@pytest.fixture
def no_keys(tmp_path: Path) -> Path:
    return config(tmp_path)


def config(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "config"
    path.write_text("\n".join((*lines, "IdentityFile none", "IdentityAgent none", "")))
    return path


def outcomes(ssh: SSH, hosts: Sequence[Host]) -> list[InterstateError | None]:
    """Open a way to each host, all at once; return what each failed with."""

    def one(host: Host) -> InterstateError | None:
        try:
            ssh.open(host, "true", time.monotonic() + PATIENCE).close()
        except InterstateError as error:
            return error
        return None

    with ThreadPoolExecutor(len(hosts)) as threads:
        try:
            return list(threads.map(one, hosts))
        finally:
            ssh.close()


def test_at_a_terminal_a_password_is_asked_once_for_all_hosts(
    keys: Keys, tmp_path: Path, no_keys: Path, sit_down: Sit
) -> None:
    terminal = sit_down(lambda prompt: SECRET)
    with AskingServer(keys, tmp_path, Rules(password=SECRET)) as server:
        hosts = server.hosts(50)
        assert outcomes(SSH(ssh_config=no_keys), hosts) == [None] * 50
    ((prompt, echo),) = terminal.prompts
    assert prompt in [f"me@{host.name}'s password: " for host in hosts]
    assert not echo
    assert sorted(server.tried) == sorted((host.name, "password", SECRET) for host in hosts)


def test_a_callable_is_asked_once_for_all_hosts(keys: Keys, tmp_path: Path, no_keys: Path) -> None:
    asked: list[str] = []

    def dialog(host: Host, prompt: str) -> str:
        asked.append(prompt)
        return SECRET

    with AskingServer(keys, tmp_path, Rules(password=SECRET)) as server:
        hosts = server.hosts(50)
        assert outcomes(SSH(ssh_config=no_keys, password=dialog), hosts) == [None] * 50
    assert len(asked) == 1
    assert sorted(server.tried) == sorted((host.name, "password", SECRET) for host in hosts)


def test_a_callable_that_has_a_password_for_each_host_is_asked_for_each(
    keys: Keys, tmp_path: Path, no_keys: Path
) -> None:
    asked: list[str] = []

    def vault(host: Host, prompt: str) -> str:
        asked.append(host.name)
        return f"secret of {host.name}"

    rules = Rules(passwords={f"127.0.1.{n}": f"secret of 127.0.1.{n}" for n in range(1, 11)})
    with AskingServer(keys, tmp_path, rules) as server:
        hosts = server.hosts(10)
        assert outcomes(SSH(ssh_config=no_keys, password=vault), hosts) == [None] * 10
    assert sorted(asked) == sorted(host.name for host in hosts)
    tried = {(address, what) for address, _, what in server.tried}
    ((second, of_the_first),) = tried - set(rules.passwords.items())
    assert of_the_first == f"secret of {asked[0]}"
    assert second == asked[1]  # one host alone hears of another's


def test_a_vault_whose_first_password_is_out_of_date_still_serves_the_rest(
    keys: Keys, tmp_path: Path, no_keys: Path
) -> None:
    def vault(host: Host, prompt: str) -> str | None:
        return {"127.0.1.1": "old", "127.0.1.2": None}.get(host.name, f"of {host.name}")

    passwords = {f"127.0.1.{n}": f"of 127.0.1.{n}" for n in range(1, 9)}
    ssh = SSH(ssh_config=no_keys, password=vault)
    with AskingServer(keys, tmp_path, Rules(passwords=passwords)) as server:
        first, second, *rest = server.hosts(8)
        for host in (first, second):
            with pytest.raises(AuthenticationError, match=r"none was given|no other was given"):
                ssh.open(host, "true", time.monotonic() + PATIENCE)
        assert outcomes(ssh, rest) == [None] * 6


def test_a_callable_that_is_wrong_is_wrong_on_three_hosts_and_no_more(
    keys: Keys, tmp_path: Path, no_keys: Path
) -> None:
    asked: list[str] = []

    def constant(host: Host, prompt: str) -> str:
        asked.append(host.name)
        return "wrong"

    with AskingServer(keys, tmp_path, Rules(password=SECRET)) as server:
        failed = outcomes(SSH(ssh_config=no_keys, password=constant), server.hosts(8))
    assert all(isinstance(error, AuthenticationError) for error in failed)
    assert len(server.tried) == 3
    assert len(asked) == 4  # the first refuses it before it is known that it will be repeated
    assert sum("were refused by other hosts" in str(error) for error in failed) == 5


def test_a_mistyped_password_is_put_right_once_for_all_hosts(
    keys: Keys, tmp_path: Path, no_keys: Path, sit_down: Sit
) -> None:
    typed = iter(["a slip", SECRET])
    terminal = sit_down(lambda prompt: next(typed))
    with AskingServer(keys, tmp_path, Rules(password=SECRET)) as server:
        assert outcomes(SSH(ssh_config=no_keys), server.hosts(10)) == [None] * 10
    assert len(terminal.prompts) == 2
    assert terminal.prompts[1][0].startswith("Permission denied, please try again.\nme@127.0.1.")


def test_a_host_with_another_password_spoils_nothing_for_the_rest(
    keys: Keys, tmp_path: Path, no_keys: Path, sit_down: Sit
) -> None:
    terminal = sit_down(lambda prompt: "another" if "me@127.0.1.2'" in prompt else SECRET)
    rules = Rules(password=SECRET, passwords={"127.0.1.2": "another"})
    with AskingServer(keys, tmp_path, rules) as server:
        assert outcomes(SSH(ssh_config=no_keys), server.hosts(8)) == [None] * 8
    assert len(terminal.prompts) <= 3


def test_a_host_that_takes_none_spoils_nothing_for_the_rest(
    keys: Keys, tmp_path: Path, no_keys: Path, sit_down: Sit
) -> None:
    terminal = sit_down(lambda prompt: SECRET)
    rules = Rules(password=SECRET, passwords={"127.0.1.1": "nobody knows"})
    ssh = SSH(ssh_config=no_keys)
    with AskingServer(keys, tmp_path, rules) as server:
        first, *rest = server.hosts(4)
        with pytest.raises(AuthenticationError, match="no other was given"):
            ssh.open(first, "true", time.monotonic() + PATIENCE)
        assert outcomes(ssh, rest) == [None] * 3
    assert {prompt[-len("me@127.0.1.1's password: ") :] for prompt, _ in terminal.prompts} == {
        "me@127.0.1.1's password: "
    }
    assert [what for address, _, what in server.tried if address == "127.0.1.1"] == [SECRET]


def test_three_wrong_passwords_are_enough_for_all_hosts(
    keys: Keys, tmp_path: Path, no_keys: Path, sit_down: Sit
) -> None:
    terminal = sit_down(lambda prompt: f"wrong {len(terminal.prompts)}")
    with AskingServer(keys, tmp_path, Rules(password=SECRET)) as server:
        failed = outcomes(SSH(ssh_config=no_keys), server.hosts(5))
    assert all(isinstance(error, AuthenticationError) for error in failed)
    assert len(terminal.prompts) == 3
    assert not any("wrong" in str(error) for error in failed)


def test_who_types_nothing_is_not_asked_again(
    keys: Keys, tmp_path: Path, no_keys: Path, sit_down: Sit
) -> None:
    terminal = sit_down(lambda prompt: "")
    with AskingServer(keys, tmp_path, Rules(password=SECRET)) as server:
        failed = outcomes(SSH(ssh_config=no_keys), server.hosts(5))
    assert all("a password: none was given" in str(error) for error in failed)
    assert len(terminal.prompts) == 1
    assert not server.tried


def test_a_notebook_that_nobody_is_at_is_an_error(
    keys: Keys, tmp_path: Path, no_keys: Path, sit_down: Sit
) -> None:
    class StdinNotImplementedError(RuntimeError):
        """As IPython has it."""

    def refuse(prompt: str) -> str:
        raise StdinNotImplementedError("this frontend does not support input requests")

    sit_down(refuse)
    with AskingServer(keys, tmp_path, Rules(password=SECRET)) as server:
        (failed,) = outcomes(SSH(ssh_config=no_keys), server.hosts(1))
    assert "a password: none was given" in str(failed)


def test_passwords_of_other_users_and_behind_other_hops_are_asked_for_anew() -> None:
    asked: list[str] = []

    class Fake(Asker):
        def ask(self, host: Host, prompt: str, *, echo: bool = False) -> str:
            asked.append(prompt)
            return prompt

    clock = Clock()
    asker, hop = Fake(None, clock), Host("hop")

    def ask(*whose: object) -> str | None:
        return asker.password(Whose(*whose), str(whose), (), (), 3, Deadline(clock, PATIENCE))  # type: ignore[arg-type]

    first = ask("me", Host("a"), ())
    assert ask("me", Host("b"), ()) == first
    assert ask("you", Host("b"), ()) != first
    assert ask("me", Host("c"), (hop,)) not in (first, None)
    assert len(asked) == 3


# -------------------------------------------------------------------- keyboard-interactive


def test_several_rounds_of_questions_are_answered_and_their_texts_shown(
    keys: Keys, tmp_path: Path, no_keys: Path, sit_down: Sit
) -> None:
    rounds: list[Round] = [
        ("Two factors", "Your code is\x1b[2J on its way.\n", [PASSWORD, CODE]),
        ("", "Push sent.", []),
        ("", "", [("And your pet's name? ", False)]),
    ]
    typed = {"Password": SECRET, "Code": "123456", "pet": ""}
    terminal = sit_down(lambda prompt: next(typed[word] for word in typed if word in prompt))
    rules = Rules(("keyboard-interactive",), SECRET, rounds=rounds)
    with AskingServer(keys, tmp_path, rules) as server:
        assert outcomes(SSH(ssh_config=no_keys), server.hosts(1)) == [None]
    assert server.tried == [("127.0.1.1", "keyboard-interactive", [SECRET, "123456", ""])]
    assert terminal.prompts == [
        ("Two factors\nYour code is?[2J on its way.\n(me@127.0.1.1) Password: ", False),
        ("(me@127.0.1.1) Code: ", True),
        ("(me@127.0.1.1) And your pet's name? ", False),
    ]


def test_a_callable_sees_the_texts_too(keys: Keys, tmp_path: Path, no_keys: Path) -> None:
    prompts: list[str] = []

    def answer(host: Host, prompt: str) -> str:
        prompts.append(prompt)
        return SECRET

    rounds = (("", "Look at your token.", [CODE]),)
    rules = Rules(("keyboard-interactive",), SECRET, rounds=rounds)
    with AskingServer(keys, tmp_path, rules) as server:
        assert outcomes(SSH(ssh_config=no_keys, password=answer), server.hosts(1)) == [None]
    assert prompts == ["Look at your token.\n(me@127.0.1.1) Code: "]


def test_a_code_is_used_once_and_the_password_with_it_for_all_hosts(
    keys: Keys, tmp_path: Path, no_keys: Path, sit_down: Sit
) -> None:
    used: list[str] = []

    def judge(address: str, answers: list[str]) -> bool:
        used.append(answers[1])
        return answers[0] == SECRET and used.count(answers[1]) == 1

    codes = iter(range(100))
    terminal = sit_down(lambda prompt: SECRET if "Password" in prompt else f"{next(codes)}")
    rules = Rules(("keyboard-interactive",), rounds=(("", "", [PASSWORD, CODE]),), judge=judge)
    with AskingServer(keys, tmp_path, rules) as server:
        assert outcomes(SSH(ssh_config=no_keys), server.hosts(4)) == [None] * 4
    assert len([prompt for prompt, _ in terminal.prompts if "Password" in prompt]) == 1
    assert sorted(used) == ["0", "1", "2", "3"]


def test_a_wrong_code_is_asked_for_again_as_often_as_allowed(
    keys: Keys, tmp_path: Path, sit_down: Sit
) -> None:
    terminal = sit_down(lambda prompt: "wrong")
    rules = Rules(("keyboard-interactive",), SECRET, rounds=(("", "", [CODE]),))
    two = config(tmp_path, "NumberOfPasswordPrompts 2")
    with AskingServer(keys, tmp_path, rules) as server:
        (failed,) = outcomes(SSH(ssh_config=two), server.hosts(1))
    assert len(terminal.prompts) == 2
    assert "the server accepted none of: an answer to 'Code:'" in str(failed)


def test_a_round_without_questions_needs_nobody(
    keys: Keys, tmp_path: Path, no_keys: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "interstate")
    rounds: list[Round] = [("", "Approve it on your phone.", [])]
    rules = Rules(("keyboard-interactive",), rounds=rounds, judge=lambda *_: True)
    with AskingServer(keys, tmp_path, rules) as server:
        assert outcomes(SSH(ssh_config=no_keys), server.hosts(1)) == [None]
    assert "says: Approve it on your phone." in caplog.text


def test_without_anybody_to_ask_the_error_says_what_was_to_be_asked(
    keys: Keys, tmp_path: Path, no_keys: Path
) -> None:
    rules = Rules(("keyboard-interactive",), rounds=(("", "", [CODE]),))
    with AskingServer(keys, tmp_path, rules) as server:
        (failed,) = outcomes(SSH(ssh_config=no_keys), server.hosts(1))
    said = "an answer to 'Code:': there is no terminal to ask on, and no password= callable"
    assert said in str(failed)
    assert not server.tried


# ----------------------------------------------------------------------- which methods, and when

BOTH = "keyboard-interactive,password"


ORDERS: list[tuple[str, list[str]]] = [
    ("", ["keyboard-interactive", "keyboard-interactive", "password"]),
    ("KbdInteractiveAuthentication no", ["password", "password"]),
    ("ChallengeResponseAuthentication no", ["password", "password"]),
    ("PasswordAuthentication no", ["keyboard-interactive", "keyboard-interactive"]),
    ("PreferredAuthentications password", ["password", "password"]),
    (
        "PreferredAuthentications gssapi-with-mic,password,keyboard-interactive",
        ["password", "password", "keyboard-interactive"],
    ),
    ("BatchMode yes", []),
]


@pytest.mark.parametrize(("lines", "methods"), ORDERS)
def test_methods_are_tried_in_the_order_of_ssh(
    keys: Keys, tmp_path: Path, lines: str, methods: list[str]
) -> None:
    count = iter(range(100))  # the last one given is tried by the next method, too
    said = config(tmp_path, lines, "NumberOfPasswordPrompts 2")
    with AskingServer(keys, tmp_path, Rules((BOTH,), SECRET)) as server:
        ssh = SSH(ssh_config=said, password=lambda *_: f"wrong {next(count)}")
        outcomes(ssh, server.hosts(1))
    assert [method for _, method, _ in server.tried] == methods


def test_ssh_tries_them_in_that_order_too(keys: Keys, tmp_path: Path) -> None:
    program = tmp_path / "askpass"
    program.write_text("#!/bin/sh\necho wrong\n")
    program.chmod(0o755)
    environment = {**os.environ, "SSH_ASKPASS": str(program), "SSH_ASKPASS_REQUIRE": "force"}
    with AskingServer(keys, tmp_path, Rules((BOTH,), SECRET)) as server:
        (host,) = server.hosts(1)
        for lines, methods in ORDERS:
            server.tried.clear()
            known = f"UserKnownHostsFile {host.known_hosts_file}"
            said = config(tmp_path, lines, known, "NumberOfPasswordPrompts 1")
            command = ["ssh", "-F", str(said), "-p", str(host.port), f"me@{host.name}", "true"]
            subprocess.run(command, env=environment, check=False, capture_output=True)
            assert [method for _, method, _ in server.tried] == list(dict.fromkeys(methods))


@pytest.mark.parametrize("second", ["password", "keyboard-interactive"])
def test_what_is_wanted_after_a_key_is_done_after_it(
    keys: Keys, tmp_path: Path, sit_down: Sit, second: str
) -> None:
    sit_down(lambda prompt: SECRET)
    with AskingServer(keys, tmp_path, Rules(("publickey", second), SECRET)) as server:
        host = replace(server.hosts(1)[0], identity_file=str(keys.client))
        ssh = SSH(ssh_config=None)
        ssh.open(host, "true", time.monotonic() + PATIENCE).close()
        assert ssh.met(host).method == second
        ssh.close()
    assert len(server.tried) == 1


def test_three_steps_of_which_one_is_a_choice(keys: Keys, tmp_path: Path, sit_down: Sit) -> None:
    sit_down(lambda prompt: SECRET)
    steps = ("password", "publickey", "hostbased,keyboard-interactive")
    with AskingServer(keys, tmp_path, Rules(steps, SECRET)) as server:
        host = replace(server.hosts(1)[0], identity_file=str(keys.client))
        assert outcomes(SSH(ssh_config=None), [host]) == [None]
    assert [method for _, method, _ in server.tried] == ["password", "keyboard-interactive"]


def test_a_password_that_has_expired_is_told_of_and_not_asked_for_again(
    keys: Keys, tmp_path: Path, no_keys: Path
) -> None:
    rules = Rules(password=SECRET, expired="Your password has expired.")
    with AskingServer(keys, tmp_path, rules) as server:
        ssh = SSH(ssh_config=no_keys, password=lambda *_: SECRET)
        (failed,) = outcomes(ssh, server.hosts(1))
    assert "that password: 'Your password has expired.'; see `ssh`" in str(failed)
    assert len(server.tried) == 1


def test_what_is_missing_after_a_key_is_named(keys: Keys, tmp_path: Path) -> None:
    with AskingServer(keys, tmp_path, Rules(("publickey", "password"), SECRET)) as server:
        host = replace(server.hosts(1)[0], identity_file=str(keys.client))
        (failed,) = outcomes(SSH(ssh_config=None), [host])
    assert "the server accepted publickey, and wants more" in str(failed)
    assert "a password: there is no terminal to ask on" in str(failed)
    assert "the server allows password" in str(failed)


def test_secrets_are_in_no_log_and_no_repr(
    keys: Keys, tmp_path: Path, no_keys: Path, sit_down: Sit, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "interstate.ssh.transport")
    typed = iter(["a slip", SECRET])
    sit_down(lambda prompt: next(typed))
    ssh = SSH(ssh_config=no_keys)
    with AskingServer(keys, tmp_path, Rules((BOTH,), SECRET)) as server:
        ssh.open(server.hosts(1)[0], "true", time.monotonic() + PATIENCE).close()
    assert caplog.text
    answers = list(ssh._asker._answers.values())
    shown = " ".join(map(repr, [ssh, ssh._asker, *answers, *ssh._alive])) + caplog.text
    ssh.close()
    assert not re.search(f"{SECRET}|a slip", shown)


# ------------------------------------------------------------------------------- SSH_ASKPASS


def test_the_program_that_ssh_askpass_names_is_asked_once(
    keys: Keys, tmp_path: Path, no_keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "askpass"
    program.write_text(f'#!/bin/sh\necho "$1" >> {tmp_path}/asked\necho "{SECRET}"\n')
    program.chmod(0o755)
    monkeypatch.setenv("SSH_ASKPASS", str(program))
    monkeypatch.setenv("SSH_ASKPASS_REQUIRE", "force")
    with AskingServer(keys, tmp_path, Rules(password=SECRET)) as server:
        assert outcomes(SSH(ssh_config=no_keys), server.hosts(5)) == [None] * 5
    assert re.fullmatch(r"me@127\.0\.1\.\d's password: \n", (tmp_path / "asked").read_text())


def test_ssh_askpass_is_not_asked_when_it_is_not_to_be(
    keys: Keys, tmp_path: Path, no_keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_ASKPASS", "/bin/false")
    monkeypatch.setenv("DISPLAY", ":9")
    monkeypatch.setenv("SSH_ASKPASS_REQUIRE", "never")
    with AskingServer(keys, tmp_path, Rules(password=SECRET)) as server:
        (failed,) = outcomes(SSH(ssh_config=no_keys), server.hosts(1))
        assert "there is no terminal to ask on" in str(failed)
        monkeypatch.delenv("SSH_ASKPASS_REQUIRE")
        (failed,) = outcomes(SSH(ssh_config=no_keys), server.hosts(1))
        assert "a password: none was given" in str(failed)  # it was asked, and had nothing to say


def test_closing_ends_a_program_that_is_asking(
    keys: Keys, tmp_path: Path, no_keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "askpass"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/there\nexec sleep 600\n")
    program.chmod(0o755)
    monkeypatch.setenv("SSH_ASKPASS", str(program))
    monkeypatch.setenv("SSH_ASKPASS_REQUIRE", "force")
    ssh = SSH(ssh_config=no_keys)
    with AskingServer(keys, tmp_path, Rules(password=SECRET)) as server:
        (host,) = server.hosts(1)
        with ThreadPoolExecutor(1) as threads:
            opening = threads.submit(ssh.open, host, "true", time.monotonic() + PATIENCE)
            while not (tmp_path / "there").exists():
                assert not opening.done()
                time.sleep(0.01)
            began = time.monotonic()
            ssh.close()
            assert isinstance(opening.exception(PATIENCE), InterstateError)
            assert time.monotonic() - began < PATIENCE / 2


# --------------------------------------------------------------------------- what is decided


@pytest.mark.parametrize(
    "prompt",
    [
        *("Password: ", "password:", "me@host's password: ", "Password for me@host:"),
        *("LDAP Password: ", "For members only.\nPassword: "),
    ],
)
def test_prompts_for_the_password_are_known(prompt: str) -> None:
    assert asks_for_password(prompt, echo=False)
    assert not asks_for_password(prompt, echo=True)


@pytest.mark.parametrize(
    "prompt",
    [
        *(
            "One-time password (OATH) for `me': ",
            "Verification code: ",
            "Enter your new password: ",
        ),
        *("Passcode or option (1-3): ", "YubiKey for `me': ", "Password & verification code: ", ""),
        "Your one-time\nPassword: ",
    ],
)
def test_no_other_prompt_is_taken_for_one_for_the_password(prompt: str) -> None:
    assert not asks_for_password(prompt, echo=False)


def test_answers_that_were_right_come_first_and_refused_ones_not_at_all() -> None:
    answers = Answers()
    assert answers.known((), "a host", 3) is None
    answers.given("a", "one")
    answers.given("b", "two")
    assert answers.known((), "a host", 3) == "two"
    answers.was_right("a", "one")
    assert [answers.known((), "a host", 3), answers.known(("one",), "a host", 3)] == ["one", "two"]
    assert answers.known(("one", "two"), "a host", 3) is None
    answers.was_right("b", "two")
    assert answers.known((), "a host", 3) == "two"


def test_of_what_was_wrong_elsewhere_a_host_is_spared_once_it_is_enough() -> None:
    answers = Answers()
    answers.given("a", "one")
    answers.was_wrong("a", "one")
    answers.was_wrong("b", "one")
    assert answers.known((), "c", 2) is None
    assert answers.known((), "b", 2) == "one"
    answers.was_right("b", "one")
    assert answers.known((), "c", 2) == "one"


def test_until_an_answer_was_right_one_host_tries_at_a_time() -> None:
    answers = Answers()
    assert answers.may_try("a", 0)
    assert answers.may_try("a", 1)
    assert not answers.may_try("b", 1)
    answers.has_tried("b")
    assert not answers.may_try("b", PATIENCE + 0.9)
    assert answers.may_try("b", PATIENCE + 1.1)  # the server that "a" tries it on says nothing
    answers.has_tried("a")
    assert not answers.may_try("c", PATIENCE + 2)
    answers.has_tried("b")
    assert answers.may_try("c", PATIENCE + 2)
    answers.was_right("a", "one")
    assert answers.may_try("d", PATIENCE + 2)


def test_what_is_told_the_host_must_be_right_on_two_before_all_try_it() -> None:
    answers = Answers(told=True)
    answers.was_right("a", "one")
    answers.was_right("a", "one")
    assert answers.may_try("b", 0)
    assert not answers.may_try("c", 0)
    answers.was_right("b", "one")
    assert answers.may_try("c", 0)
    assert not answers.differ


@pytest.mark.parametrize("told", [True, False])
def test_hosts_differ_when_one_refuses_what_another_took_or_is_given_another(told: bool) -> None:
    refused, given, corrected = (Answers(told=told) for _ in range(3))
    refused.was_right("a", "one")
    refused.was_wrong("b", "one")
    assert refused.differ is told
    given.given("a", "one")
    given.given("b", "two")
    assert given.differ is told
    corrected.given("a", "a slip")
    corrected.was_wrong("a", "a slip")
    corrected.given("a", "one")
    corrected.given("b", "one")
    assert not corrected.differ


def test_asking_ends_when_nobody_answers_unless_somebody_has() -> None:
    answers = Answers()
    answers.given("a", "")
    assert not answers.may_ask("b", 3)
    answers.was_right("b", "one")
    assert answers.may_ask("c", 3)


def test_what_has_nothing_to_say_for_one_host_is_asked_for_the_next() -> None:
    answers = Answers(told=True)
    answers.given("a", None)
    assert not answers.may_ask("a", 3)
    assert answers.may_ask("b", 3)


def test_methods_go_by_preference_what_is_allowed_and_what_is_left() -> None:
    methods = Methods(("publickey", "keyboard-interactive", "password"))
    assert methods.next(None) == "publickey"
    methods.exhausted("publickey")
    assert methods.next(None) == "none"
    assert methods.next(["password", "publickey"]) == "password"
    methods.exhausted("password")
    assert methods.next(["password", "publickey"]) is None
    assert methods.next(["keyboard-interactive"]) == "keyboard-interactive"
