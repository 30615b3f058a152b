"""`interstate check`: what it finds out of hosts, good and bad, and says in lines or JSON."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from interstate import boot, checking, checklines, probing
from interstate.__main__ import main
from interstate.found import Check, Login
from interstate.hosts import Host
from interstate.ssh import SSH

from . import pythons
from .check_hosts import BAD, GOOD, OURS, CheckHosts, check_hosts, section
from .servers import port_with, until_closed
from .sshd import Keys, Sshd
from .test_ssh_login import SECRET, password_server

pytestmark = pytest.mark.once

REPOSITORY = Path(__file__).parents[1]
PATIENCE = 60.0
LONG = ("--timeout", "60")
COMMAND = """
import sys
from interstate import checking
from interstate.__main__ import main
checking._MEASURING = 60.0  # this computer may be busy
sys.exit(main())
"""
SHOWN = {"host", "good", "way", "seconds", "host_key", "login", "python", "computer", "line"}
SHOWN |= {"problem", "remarks"}


@pytest.fixture(autouse=True)
def _lines_may_take_long_to_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "_MEASURING", PATIENCE)


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> Iterator[CheckHosts]:
    """Hosts of all kinds."""
    with check_hosts(tmp_path_factory.mktemp("check"), keys) as hosts:
        yield hosts


@pytest.fixture(scope="module")
def seen(there: CheckHosts) -> tuple[int, str]:
    """The exit status, and the lines of JSON, of a check of all but the one that says nothing."""
    hosts = [name for name in there.names if name != "silent"]
    command = [sys.executable, "-W", "error", "-c", COMMAND, "check", *hosts, "--json"]
    done = subprocess.run(
        [*command, *LONG, "-F", there.config],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


@pytest.fixture
def found(seen: tuple[int, str]) -> dict[str, dict[str, Any]]:
    """What was found, by the names of the hosts."""
    return described(seen[1])


def described(text: str) -> dict[str, dict[str, Any]]:
    """The objects of lines of JSON, by their hosts."""
    found = [json.loads(line) for line in text.splitlines()]
    return {one["host"]: one for one in found}


def check(*arguments: str) -> int:
    """The exit status of `interstate check`."""
    try:
        main(["check", *arguments])
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def look(
    hosts: list[Host],
    config: str | None = None,
    timeout: float = PATIENCE,
    python: str | None = None,
    **options: Any,
) -> list[Check]:
    """What is found out of hosts, in their order."""
    ssh = SSH(ssh_config=config, **options)
    with contextlib.closing(checking.look_at(hosts, ssh, boot.prepare(python), timeout)) as checks:
        found = dict(checks)
    return [found[n] for n in range(len(hosts))]


# ------------------------------------------------------------------------------ what is found


def test_of_a_good_host_all_is_found(there: CheckHosts, found: dict[str, dict[str, Any]]) -> None:
    good, behind = found["lab-1"], found["inner-node"]
    assert set(good) == set(behind) == SHOWN
    assert good["good"]
    assert good["way"] == ["this computer", "lab-1"]
    assert behind["way"] == ["this computer", there.gate, "inner-node"]
    assert good["host_key"]["type"] == "ssh-ed25519"
    assert good["host_key"]["standing"] == "known"
    assert good["host_key"]["fingerprint"] == fingerprint(there.sshd)
    key = {"user": there.sshd.user, "method": "publickey", "key": str(there.sshd.key)}
    assert good["login"] == key
    assert good["python"]["version"] == ".".join(map(str, sys.version_info[:3]))
    assert good["python"]["matches"] is True
    assert Path(good["python"]["executable"]).samefile(sys.executable)
    assert good["computer"]["cpus"] == len(os.sched_getaffinity(0))
    assert good["computer"]["name"] == os.uname().nodename
    assert good["computer"]["load"] >= 0
    total, available = (
        good["computer"][f"memory_{which}"] for which in ("bytes", "available_bytes")
    )
    assert 0 < available <= total == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert all(number > 0 for number in [*good["line"].values(), *behind["line"].values()])
    assert good["problem"] is None
    assert 0 < good["seconds"] < PATIENCE


def fingerprint(sshd: Sshd) -> str:
    public = sshd._host_key.with_suffix(".pub")
    command = ["ssh-keygen", "-l", "-f", str(public)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[1]


def test_good_hosts_are_good_whatever_stands_beside_them(
    there: CheckHosts, found: dict[str, dict[str, Any]]
) -> None:
    assert {name for name, one in found.items() if one["good"]} == set(there.good)
    assert set(there.good) <= set(GOOD)


def test_of_a_bad_host_is_found_what_is_wrong_and_what_to_do(
    there: CheckHosts, found: dict[str, dict[str, Any]], seen: tuple[int, str]
) -> None:
    assert seen[0] == 1
    for name in set(there.bad) - {"silent"}:
        kind, what, advice = BAD[name]
        one = found[name]
        assert set(one) == SHOWN
        assert not one["good"]
        assert one["problem"]["kind"] == kind, one
        assert what in one["problem"]["what"]
        assert advice in one["problem"]["advice"]
        assert "\n" not in one["problem"]["reason"]
        assert one["python"] is one["computer"] is one["line"] is None


def test_of_a_bad_host_is_found_how_far_it_came(
    there: CheckHosts, found: dict[str, dict[str, Any]]
) -> None:
    standings = {"locked": "known", "stranger": "unknown", "renewed": "changed", "bare": "known"}
    for name, standing in standings.items():
        assert found[name]["host_key"]["standing"] == standing
        assert found[name]["host_key"]["fingerprint"] == fingerprint(there.sshd)
    assert found["bare"]["login"]["method"] == found["closed"]["login"]["method"] == "publickey"
    assert all(found[name]["login"] is None for name in ("locked", "stranger", "renewed"))
    assert all(found[name]["host_key"] is None for name in ("node-003", "mispelt", "web-1"))
    assert found["cut-off"]["way"] == ["this computer", "node-003", "cut-off"]


def test_other_pythons_do_and_are_told_apart(
    there: CheckHosts, found: dict[str, dict[str, Any]]
) -> None:
    others = [found[name]["python"] for name in there.good if name.startswith("lab-")][1:]
    versions = [version for version in ("3.9", "3.11", "3.12", "3.13") if pythons.find(version)]
    assert [".".join(python["version"].split(".")[:2]) for python in others] == [
        version for version in versions if version != OURS
    ]
    assert not any(python["matches"] for python in others)


def test_nothing_is_left_on_a_host(there: CheckHosts, seen: tuple[int, str]) -> None:
    end = time.monotonic() + PATIENCE
    while there.sshd.sessions() and time.monotonic() < end:
        time.sleep(0.05)
    assert not there.sshd.sessions()


def test_a_host_that_says_nothing_is_given_up_in_time(
    there: CheckHosts, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check("silent", "--timeout", "0.5", "--json", "-F", there.config) == 1
    problem = described(capsys.readouterr().out)["silent"]["problem"]
    assert problem["kind"] == "ConnectError"
    assert "gave no answer within 0.5 s" in problem["what"]
    assert "give it more time" in problem["advice"]


def test_a_host_key_that_is_new_and_accepted_is_remarked_on(
    there: CheckHosts, found: dict[str, dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert found["newcomer"]["host_key"]["standing"] == "new"
    assert fingerprint(there.sshd) in found["newcomer"]["remarks"][0]
    assert check("newcomer", "--json", *LONG, "-F", there.config) == 0
    again = described(capsys.readouterr().out)["newcomer"]
    assert again["host_key"]["standing"] == "known"


def test_a_python_that_is_named_and_not_there_is_told(
    there: CheckHosts, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("lab-1", "--python", "/nowhere", "--json", "-F", there.config)
    assert check(*arguments, *LONG) == 1
    problem = described(capsys.readouterr().out)["lab-1"]["problem"]
    assert problem["kind"] == "BootError"
    assert problem["reason"] == problem["what"] == "no Python was found there"
    assert "Looked for was /nowhere." in problem["advice"]


def test_a_python_that_is_too_old_is_told(
    there: CheckHosts, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = tmp_path / "python3"
    old.write_text('#!/bin/sh\necho; echo "$5 3.8.18 $0"; cat >/dev/null\n')
    old.chmod(0o755)
    assert check("lab-1", "--python", str(old), "--json", *LONG, "-F", there.config) == 1
    problem = described(capsys.readouterr().out)["lab-1"]["problem"]
    assert problem["kind"] == "BootError"
    assert f"is 3.8.18 ({old}), and 3.9 is the oldest" in problem["what"]
    assert "(" not in problem["reason"], "it is the same wherever it was found"


def test_a_python_that_never_answers_is_given_up_in_time(
    there: CheckHosts, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    silent = tmp_path / "python3"
    silent.write_text("#!/bin/sh\nexec cat >/dev/null\n")
    silent.chmod(0o755)
    arguments = ("lab-1", "--python", str(silent), "--timeout", "6", "--json")
    assert check(*arguments, "-F", there.config) == 1
    problem = described(capsys.readouterr().out)["lab-1"]["problem"]
    assert problem["kind"] == "BootError"
    assert "within 6 s" in problem["what"]
    assert "--timeout" in problem["advice"]


def test_a_line_that_cannot_be_measured_makes_no_host_bad(
    sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probing, "packed_program", lambda *_: b"%010d" % 100)  # which do not come
    monkeypatch.setattr(checking, "_MEASURING", 1.0)
    [found] = look([sshd.host()])
    assert found.good
    assert found.line is None
    assert found.python is not None
    [remark] = found.remarks
    assert remark.what == "how fast its line is could not be measured: it took more than 1 s"


def test_what_nobody_expects_is_a_problem_of_that_host_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Panic(BaseException):
        """What a library in Rust may raise."""

    def panicking(*_: object) -> None:
        raise Panic("out of bounds")

    monkeypatch.setattr(SSH, "open", panicking)
    problems = [found.problem for found in look([Host("a"), Host("b")])]
    assert [problem and problem.kind for problem in problems] == ["Panic", "Panic"]
    assert problems[0]
    assert "out of bounds" in problems[0].what


@pytest.mark.parametrize(
    "said",
    [
        *(b"(1e999, 5)", b"(-1, 5)", b"[", b"(0.5, 'x')", b"\xff", b"1", b"(1, -5)"),
        *(b"([], 5)", b"('', 5)", b"(0j, 5)", b"(0.5, ())"),
    ],
)
def test_what_a_host_says_of_itself_is_not_believed_blindly(said: bytes) -> None:
    with pytest.raises(boot.NoAgentError):
        probing._facts(said + b"\n")
    with pytest.raises(boot.NoAgentError):
        probing._facts(b"(0.5, 1%s)\n" % (b"0" * 400))
    assert probing._facts(b"(0.5, None)\n") == (0.5, None)
    assert probing._facts(b"(None, 5)\n") == (None, 5)


class SlowLine:
    """A line with the other end's answers, where a byte takes its time by a clock of its own."""

    def __init__(self, bytes_per_second: float) -> None:
        self.moved = 0
        self.now = 0.0
        self._rate = bytes_per_second
        self._answer = 0

    def write(self, data: bytes) -> None:
        command, _, rest = bytes(data).partition(b"\n")
        verb, size = command.split()
        self._answer = int(size) if verb == b"send" else 1
        self._pass(len(rest))

    def read(self, _: int) -> bytes:
        self._pass(self._answer)
        return b"x" * self._answer

    def _pass(self, size: int) -> None:
        self.moved += size
        self.now += 0.01 + size / self._rate


@pytest.mark.parametrize(("rate", "most"), [(1e4, 5e4), (1e6, 2e6), (1e9, 3e6)])
def test_a_slow_line_is_not_burdened(
    rate: float, most: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = SlowLine(rate)
    monkeypatch.setattr(time, "perf_counter", lambda: line.now)
    speeds = probing.measure(line)  # type: ignore[arg-type]
    assert line.moved < most
    assert line.now < 5
    assert speeds.round_trip == pytest.approx(0.02, rel=0.1)
    assert speeds.down == pytest.approx(rate, rel=0.5) or rate > 1e8


def test_a_key_of_the_agent_is_named(
    sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
    config = tmp_path / "config"
    own = {"IdentityFile": "none", "IdentitiesOnly": "no"}
    config.write_text(section(sshd, "one", own))
    with ssh_agent(tmp_path / "agent", sshd.key):
        [found] = look([Host("one")], str(config))
    assert found.login is not None
    assert found.login[:2] == (sshd.user, "publickey")
    assert "agent's client_key" in found.login.key


@contextlib.contextmanager
def ssh_agent(path: Path, key: Path) -> Iterator[None]:
    command = ["ssh-agent", "-D", "-a", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as agent:
        assert agent.stdout is not None
        agent.stdout.readline()  # then it is there
        try:
            subprocess.run(["ssh-add", "-q", str(key)], check=True)
            yield
        finally:
            agent.terminate()


@pytest.mark.parametrize("method", ["password", "keyboard-interactive"])
def test_a_password_lets_in_and_is_not_shown(method: str, keys: Keys, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("Host *\n  IdentityFile none\n  IdentityAgent none\n")
    with password_server(method, keys, tmp_path) as (host, _):
        [found] = look([host], str(config), password=lambda *_: SECRET)
    assert found.login == Login("me", method, "")
    assert found.problem is not None  # that server runs nothing
    assert found.problem.kind == "BootError"
    assert SECRET not in checklines.as_json(found) + checklines.words(found)


def test_a_server_that_allows_one_session_at_a_time_will_do(tmp_path: Path, keys: Keys) -> None:
    with Sshd(tmp_path, keys, options=["MaxSessions 1"]) as sshd:
        [found] = look([sshd.host()])
        assert found.good
        assert found.line is not None


def test_more_hosts_than_are_looked_at_at_a_time(
    sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "_AT_ONCE", 4)
    bad = Host("nowhere.invalid")
    found = look([bad if n % 2 else sshd.host() for n in range(10)])
    assert [one.good for one in found] == [n % 2 == 0 for n in range(10)]


def test_leaving_ends_what_is_under_way(sshd: Sshd) -> None:
    with port_with(until_closed) as port:
        hosts = [sshd.host(), replace(sshd.host(), name="127.0.0.1", port=port)]
        begun = time.monotonic()
        looked = checking.look_at(hosts, SSH(ssh_config=None), boot.prepare(), 10 * PATIENCE)
        with contextlib.closing(looked):
            index, found = next(looked)
        assert time.monotonic() - begun < PATIENCE
    assert (index, found.good) == (0, True)


# ------------------------------------------------------------------------------ the command


def test_text_is_a_line_a_host_and_says_what_to_do_below_it(
    there: CheckHosts, capsys: pytest.CaptureFixture[str]
) -> None:
    hosts = ("lab-1", "inner-node", "node-[003-004]", "stranger")
    assert check(*hosts, *LONG, "-F", there.config) == 1
    *lines, first, second, third = capsys.readouterr().out.splitlines()
    assert first == "2 of 5 hosts are good, 3 are bad."
    assert second == "  2 hosts: connection refused: node-[003-004]"
    assert third == "  stranger: its host key is not known"
    good = next(line for line in lines if line.startswith("good  lab-1       Python "))
    assert f"ssh-ed25519 {fingerprint(there.sshd)} (known)" in good
    assert f"publickey {checklines.at_home(str(there.sshd.key))}" in good
    assert f"Python {sys.version.split()[0]} " in good
    assert "(as ours)" in good
    for word in (" CPUs, load ", " GB free  ", " ms, ", " MB/s from there, ", " MB/s to there"):
        assert word in good
    assert any(line.startswith(f"good  inner-node  via {there.gate}  Python") for line in lines)
    bad = next(n for n, line in enumerate(lines) if line.startswith("BAD   node-003  "))
    assert "Connection refused" in lines[bad]
    assert lines[bad + 1].startswith("      → Is sshd running there")


def test_all_good_is_said_and_is_status_0(
    there: CheckHosts, capsys: pytest.CaptureFixture[str]
) -> None:
    hops = ("--via", there.gate, "--via", "newcomer")
    assert check("lab-1", "inner-node", *hops, *LONG, "-F", there.config) == 0
    said = capsys.readouterr().out
    assert said.endswith("\nBoth hosts are good.\n")
    assert "inner-node  via head-node → newcomer  Python" in said


def test_ctrl_c_ends_it_at_once_with_what_is_known(there: CheckHosts) -> None:
    connected = threading.Event()

    def answer(client: socket.socket) -> None:
        connected.set()
        until_closed(client)

    with port_with(answer) as port:
        command = [sys.executable, "-W", "error", "-m", "interstate", "check", "--timeout", "60"]
        process = subprocess.Popen(
            [*command, "node-003", f"127.0.0.1:{port}", "-F", there.config],
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        line = process.stdout.readline()
        assert connected.wait(PATIENCE)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    assert line.startswith("BAD   node-003")
    assert (process.returncode, err) == (130, "")
    last = "0 of 2 hosts are good, 1 is bad; 1 had not answered when this was interrupted."
    assert out.splitlines()[-1] == last


def test_who_reads_no_further_ends_it_quietly(there: CheckHosts) -> None:
    """As `head -1` does."""
    command = [sys.executable, "-W", "error", "-m", "interstate", "check", "node-[003-008]"]
    reading, writing = os.pipe()
    with subprocess.Popen(
        [*command, "-F", there.config],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdin=subprocess.DEVNULL,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        os.close(writing)
        os.close(reading)
        _, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (141, "")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "the following arguments are required: HOST"),
        (["ftp://somewhere"], "the scheme must be ssh://"),
        (["good", "--timeout", "0"], "must be a positive number, not '0'"),
        (["good", "--timeout", "soon"], "must be a positive number, not 'soon'"),
        (["good", "--python", "it's"], "can't be used"),
        (["good", "-F", "/no/such/file"], "/no/such/file"),
        (["ssh://me:secret@good"], "holds a password"),
    ],
)
def test_a_command_line_that_makes_no_sense_is_status_2(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(*arguments) == 2
    said = capsys.readouterr().err
    assert complaint in said
    assert "secret" not in said


def test_there_is_a_picture_of_it_without_anything_of_this_machine(there: CheckHosts) -> None:
    pytest.importorskip("rich")
    from . import check_picture

    found = check_picture.look(["lab-1", "stranger", "node-003"], there.config)
    svg = check_picture.draw(found).replace("&#160;", " ")
    for text in ("lab-1", "its host key is not known", "1 of 3 hosts is good, 2 are bad."):
        assert text in svg
    assert "127." not in svg
    assert str(Path(there.config).parent) not in svg
    assert fingerprint(there.sshd) not in svg
