"""`interstate check`: how it shows what it found, on terminals of all kinds."""

from __future__ import annotations

import codecs
import contextlib
import fcntl
import io
import json
import logging
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from interstate import checklines, checkscreen, checktable
from interstate.found import Check, Computer, HostKey, Line, Login, Problem, Python
from interstate.hosts import Host, expand

from .check_hosts import section
from .servers import port_with, until_closed
from .sshd import Keys, Sshd
from .test_ssh_login import SECRET, password_server

pytestmark = pytest.mark.once

REPOSITORY = Path(__file__).parents[1]
PATIENCE = 60.0
HOME = ("this computer", "node-2")
KEY = HostKey("ssh-ed25519", "SHA256:abc", "unknown")
BAD_NEWS = Problem("HostKeyError", "its host key is not known", "its key is not known", "Compare.")
BUSY = Check(
    Host("node-1", "me"),
    ("this computer", "head-node", "me@node-1"),
    0.2,
    HostKey("ssh-ed25519", "SHA256:abc", "known"),
    Login("me", "password", ""),
    Python("3.9.18", "/opt/\x1b[31mpython\x07", "cpython", False),
    Computer("node-1", "Linux", "x86_64", "glibc 2.36", 4, 10**10, 10**8, 9.3),
    Line(0.1234, 117.4, 9.26),
)
BAD = Check(Host("node-2"), HOME, 0.1, KEY, problem=BAD_NEWS)
CALM = Computer("node-1", "Linux", "x86_64", "glibc 2.36", 4, 10**10, 10**9 * 8, 0.3)
GOOD = BUSY._replace(
    host=Host("node-0"), way=HOME, python=Python("3.12.1", "/p", "cpython", True), computer=CALM
)


def text(lines: Sequence[checktable.Line]) -> list[str]:
    return ["".join(cell.text for cell in line).rstrip() for line in lines]


def refused(name: str) -> Check:
    what = f"cannot connect to {name}: Connection refused"
    problem = Problem("ConnectError", "connection refused", what, "Is sshd running there?")
    return Check(Host(name), ("this computer", name), 0.1, problem=problem)


# ------------------------------------------------------------------------------ in words


def test_what_is_worth_knowing_is_remarked_on() -> None:
    assert BUSY.good
    assert [remark.what for remark in BUSY.remarks] == [
        "it is busy: a load of 9.3 on 4 CPUs",
        "it has little memory left: 0.1 of 10.0 GB",
    ]


def test_what_a_host_says_cannot_steer_the_terminal() -> None:
    line = checklines.printable(checklines.words(BUSY))
    assert all(sign.isprintable() for sign in line)
    assert "via head-node  Python 3.9.18 /opt/" in line
    assert "4 CPUs, load 9.30, 0.10/10 GB free  0.12 ms, 117 MB/s from there, 9.3 MB/s" in line


def test_json_can_say_whatever_a_host_did() -> None:
    odd = BUSY.python and BUSY.python._replace(executable="/opt/\udc80\x1b\n\N{SNOWMAN}")
    line = checklines.as_json(BUSY._replace(python=odd))
    assert line.isascii()
    assert "\n" not in line
    assert json.loads(line)["python"]["executable"] == "/opt/\udc80\x1b\n\N{SNOWMAN}"


def test_reasons_that_several_hosts_share_are_told_of_together() -> None:
    checks = [refused(f"node-{n:03d}") for n in range(3, 20)]
    assert checklines.in_common([*checks, BAD]) == [
        "  17 hosts: connection refused: node-[003-019]",
        "  node-2: its host key is not known",
    ]
    assert not checklines.in_common([checks[0], BAD, GOOD]), "those have been told of"


@pytest.mark.parametrize(
    ("encoding", "environment", "unicode"),
    [
        ("utf-8", {"LANG": "en_GB.UTF-8"}, True),
        ("utf-8", {}, True),
        ("ascii", {}, False),
        ("latin-1", {"LANG": "de_DE"}, False),
        ("utf-8", {"LANG": "C", "LC_CTYPE": "C.UTF-8"}, False),  # as Python has it for LANG=C
        ("utf-8", {"LANG": "C", "LC_CTYPE": "en_GB.UTF-8"}, True),
        ("utf-8", {"LC_ALL": "POSIX", "LANG": "en_GB.UTF-8"}, False),
    ],
)
def test_arrows_are_for_those_who_can_show_them(
    encoding: str, environment: dict[str, str], unicode: bool
) -> None:
    assert checklines.speaks_unicode(encoding, environment) == unicode


# ------------------------------------------------------------------------------ as a table


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_a_table_has_the_columns_that_there_is_room_for(width: int) -> None:
    heading, *rows = text(checktable.table([GOOD, BUSY, BAD], width))
    assert all(len(line) <= width for line in (heading, *rows))
    assert rows[0].startswith("✓ node-0 ")
    assert rows[2].startswith("✗ node-2 ")
    assert rows[2].endswith("its host key is not known")
    assert {"host", "Python", "MB/s ↓"} <= {*re.split(" {2,}", heading.strip())}
    assert ("head-node" in rows[1]) == (width > 80)
    assert ("SHA256:abc" in rows[1]) == (width == 200)
    end = heading.index("MB/s ↓") + len("MB/s ↓")
    assert rows[1][:end].endswith(" 117"), "numbers stand below the ends of their headings"


def test_a_table_of_ascii_is_aligned_too() -> None:
    shown = checklines.plain
    heading, *rows = map(shown, text(checktable.table([GOOD, BUSY, BAD], 120, shown)))
    assert all(len(shown(line)) <= 120 for line in text(checktable.table([GOOD], 120, shown)))
    assert "3.9.18 != " in rows[1]
    end = heading.index("MB/s down") + len("MB/s down")
    assert rows[0][:end].endswith(" 117")
    assert rows[1][:end].endswith(" 117")


def test_what_does_not_fit_is_cut() -> None:
    long = GOOD._replace(host=Host("n" * 100))
    _, good, bad = text(checktable.table([long, BAD._replace(host=Host("m" * 100))], 80))
    assert good.startswith("✓ nnn")
    assert "nnn…  " in good
    assert "mmm…  its host key" in bad
    assert max(len(good), len(bad)) <= 80


def test_hosts_for_which_the_same_is_to_be_done_stand_together() -> None:
    checks = [BAD, *(refused(f"node-{n:03d}") for n in range(3, 20)), BUSY]
    [many, alone, remarks] = checktable.notes(checks)
    assert [sign.text for sign, _ in many] == ["✗", "→"]
    assert text([line for _, line in many]) == [
        "17 hosts: connection refused: node-[003-019]\n"
        "such as node-003: cannot connect to node-003: Connection refused",
        "Is sshd running there?",
    ]
    assert text([line for _, line in alone]) == ["node-2: its key is not known", "Compare."]
    assert text([line for _, line in remarks])[0].startswith("me@node-1: it is busy: a load")


def test_of_advice_that_differs_the_first_is_shown() -> None:
    checks = [refused(f"node-{n}") for n in range(3)]
    checks = [
        one._replace(problem=one.problem and one.problem._replace(advice=f"Ask {one.host}."))
        for one in checks
    ]
    [lines] = checktable.notes(checks)
    assert text([line for _, line in lines])[1:] == ["node-0: Ask node-0."]


@pytest.mark.parametrize("height", [5, 24, 40])
def test_a_table_that_is_too_high_shows_what_is_wrong_and_what_came_last(height: int) -> None:
    hosts = 999
    checks = {n: GOOD._replace(host=Host(f"node-{n:03d}")) for n in range(0, 900, 3)}
    checks |= {n: refused(f"node-{n:03d}") for n in range(3, 21) if n % 3}
    lines = text(checktable.live(checks, hosts, (100, height)))
    assert len(lines) <= max(4, height - 2)
    assert "✗ 12 hosts: connection refused: node-[004-005," in lines[-1]
    assert any(line.startswith("✓ node-897 ") for line in lines)
    assert checktable.so_far(checks.values(), hosts) == (
        "312 of 999 hosts have answered: 300 good, 12 bad"
    )


def test_more_reasons_than_there_is_room_for_are_counted() -> None:
    reasons = [f"reason {n}" for n in range(40)]
    checks = {
        n: BAD._replace(problem=BAD_NEWS._replace(reason=reason))
        for n, reason in enumerate(reasons)
    }
    lines = text(checktable.live(checks, 999, (100, 24)))
    assert lines[-1] == "  … and 32 more reasons"
    assert len(lines) < 24


def test_a_table_that_fits_is_in_the_order_of_the_hosts() -> None:
    lines = text(checktable.live({1: BAD, 0: GOOD}, 3, (100, 24)))
    assert [line.split()[1] for line in lines[1:]] == ["node-0", "node-2"]


def test_below_a_table_nothing_is_cut() -> None:
    console = pytest.importorskip("rich.console").Console(file=io.StringIO(), width=80)
    checks = [refused(f"node-{n:03d}") for n in range(0, 200, 2)]
    table = checkscreen.Table([check.host for check in checks], True, console)
    table.checks.update(enumerate(checks))
    console.print(table.all())
    shown = console.file.getvalue()
    assert "…" not in shown
    assert f"node-[{','.join(f'{n:03d}' for n in range(0, 200, 2))}]" in re.sub(r"\s", "", shown)


# ------------------------------------------------------------------------------ on a terminal


_OURS = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY)  # the terminal is ours now, as a shell would have it
os.execv(sys.executable, [sys.executable, "-m", "interstate", "check", *sys.argv[1:]])
"""


class Terminal:
    """A terminal with `interstate check` on it, for a with-statement."""

    def __init__(
        self,
        *arguments: str,
        size: tuple[int, int] = (100, 30),
        env: Mapping[str, str] | None = None,
    ) -> None:
        kept = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES", "NO_COLOR")}
        environment = {**kept, "TERM": "xterm-256color", "LANG": "C.UTF-8", **(env or {})}
        environment["PYTHONPATH"] = os.pathsep.join([str(REPOSITORY), *filter(None, sys.path)])
        self.said = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")()  # a read may end within a letter
        self._end, theirs = pty.openpty()
        self.resize(*size)
        self._process = subprocess.Popen(
            [sys.executable, "-c", _OURS, *arguments],
            env=environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._end)

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._end, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def until(self, sought: str) -> str:
        """Wait until something new has been said; return what came up to then."""
        begun = len(self.said)
        while sought not in self.said[begun:]:
            assert self._read(), self.said
        return self.said[begun:]

    def type(self, keys: str) -> None:
        os.write(self._end, keys.encode())

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def is_quiet(self, seconds: float) -> bool:
        return not select.select([self._end], [], [], seconds)[0]

    def echoes(self) -> bool:
        return bool(termios.tcgetattr(self._end)[3] & termios.ECHO)

    def status(self) -> int:
        """Wait for its end; return the exit status."""
        while self._read():
            pass
        return self._process.wait(PATIENCE)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._end], [], [], PATIENCE)
        assert ready, self.said
        with contextlib.suppress(OSError):  # the end of a terminal that nobody has any more
            if data := os.read(self._end, 1 << 16):
                self.said += self._decoder.decode(data)
                return True
        return False


@pytest.fixture
def config(sshd: Sshd, refused_port: int, tmp_path: Path) -> Iterator[str]:
    """The path of an ssh_config with a good host, bad ones, and one that says nothing."""
    with port_with(until_closed) as silent:
        gone = {"HostName": "127.0.0.1", "Port": refused_port}
        hosts = {"good": {}, "node-*": gone, "silent": {"HostName": "127.0.0.1", "Port": silent}}
        path = tmp_path / "config"
        path.write_text("\n".join(section(sshd, name, said) for name, said in hosts.items()))
        yield str(path)


@pytest.fixture(autouse=True)
def _with_rich(request: pytest.FixtureRequest) -> None:
    if "config" in request.fixturenames:
        pytest.importorskip("rich")


CLEARED = "\x1b[2K"  # a line, by which a table is drawn anew


def test_a_table_is_drawn_while_hosts_answer_and_whole_in_the_end(config: str) -> None:
    with Terminal("node-1", "good", "silent", "--timeout", "60", "-F", config) as terminal:
        terminal.until("2 of 3 hosts have answered: 1 good, 1 bad")
        terminal.signal(signal.SIGINT)
        assert terminal.status() == 130
    whole = terminal.said.rpartition("\x1b[?25h")[2]  # after the cursor was shown again
    whole = whole.rpartition(CLEARED)[2]
    assert "1 of 3 hosts is good, 1 is bad; 1 had not answered when this was interrupted." in whole
    assert whole.index("node-1") < whole.index("good")
    assert "\x1b[32m✓" in whole
    assert "Is sshd running there" in whole
    assert "\x1b[?1049h" not in terminal.said, "the screen is left to those who have it"


def test_a_terminal_may_change_its_size(config: str) -> None:
    hosts = ("node-[1-8]", "silent", "--timeout", "60", "-F", config)
    with Terminal(*hosts, size=(100, 30)) as terminal:
        terminal.until("8 of 9 hosts have answered")
        terminal.resize(60, 12)
        said = terminal.until("8 hosts: connection refused: node-[1-8]")
        terminal.resize(90, 40)
        terminal.until("✗ \x1b[0mnode-8")
        terminal.signal(signal.SIGINT)
        assert terminal.status() == 130
    lines = re.sub(r"\x1b\[[0-?]*[@-~]", "", said.rpartition(CLEARED)[2]).splitlines()
    assert all(len(line) <= 60 for line in lines)


def test_many_hosts_have_the_whole_screen_meanwhile_and_give_it_back(config: str) -> None:
    hosts = ("node-[01-40]", "silent", "--timeout", "60", "-F", config)
    with Terminal(*hosts, size=(100, 20)) as terminal:
        terminal.until("40 hosts: connection refused: node-[01-40]")
        terminal.signal(signal.SIGINT)
        assert terminal.status() == 130
    live, _, whole = terminal.said.partition("\x1b[?1049l")
    assert live.startswith("\x1b[?1049h")
    assert whole.count("connection refused") == 41
    assert "0 of 41 hosts are good, 40 are bad; 1 had not answered" in whole


def test_a_password_is_asked_for_below_the_table_which_waits(
    config: str, keys: Keys, tmp_path: Path
) -> None:
    with (
        password_server("password", keys, tmp_path) as (host, attempts),
        Path(config).open("a") as file,
    ):
        file.write(
            f"Host asks\n  HostName {host.name}\n  Port {host.port}\n  User me\n"
            f"  UserKnownHostsFile {host.known_hosts_file}\n  IdentityFile none\n"
            "  IdentityAgent none\n"
        )
        file.flush()
        with Terminal("node-1", "asks", "--timeout", "60", "-F", config) as terminal:
            before = terminal.until("password: ")
            assert before.rpartition(CLEARED)[2] == "me@asks's password: "
            assert not terminal.echoes()
            assert terminal.is_quiet(0.3), "in which a table would be drawn a few times"
            terminal.type("wrong\n")
            between = terminal.until("password: ")
            assert "try again" in between
            terminal.type(f"{SECRET}\n")
            terminal.until("hosts are bad")
            assert terminal.status() == 1
            assert terminal.echoes()
    assert attempts == ["wrong", SECRET]
    assert SECRET not in terminal.said
    assert "ended before any Python started" in terminal.said  # that server runs nothing


def test_ctrl_c_at_a_question_leaves_the_terminal_as_it_was(
    config: str, keys: Keys, tmp_path: Path
) -> None:
    with password_server("password", keys, tmp_path) as (host, _):
        path = tmp_path / "asks"
        path.write_text(
            f"Host asks\n  HostName {host.name}\n  Port {host.port}\n  User me\n"
            f"  UserKnownHostsFile {host.known_hosts_file}\n  IdentityFile none\n"
            "  IdentityAgent none\n"
        )
        with Terminal("asks", "-F", str(path)) as terminal:
            terminal.until("password: ")
            assert not terminal.echoes()
            terminal.type("\x03")
            assert terminal.status() == 130
            assert terminal.echoes()
    assert "The host had not answered when this was interrupted." in terminal.said
    assert terminal.said.rpartition("\x1b[?25")[2].startswith("h"), "the cursor is there again"


@pytest.mark.parametrize(
    ("env", "wanted", "unwanted"),
    [
        ({"NO_COLOR": "1"}, "✗ node-1  connection refused", "\x1b[31m"),
        ({"LC_ALL": "C"}, "\x1b[31mx \x1b[0mnode-1", "✗"),
        ({"LC_ALL": "C", "TERM": "dumb"}, "      -> Is sshd running there", "\x1b"),
    ],
)
def test_a_terminal_gets_what_it_can_show(
    config: str, env: dict[str, str], wanted: str, unwanted: str
) -> None:
    with Terminal("node-1", "-F", config, env=env) as terminal:
        assert terminal.status() == 1
    assert wanted in terminal.said
    assert unwanted not in terminal.said


def test_there_are_lines_where_rich_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(screen, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setattr(checkscreen, "find_spec", lambda name: None)
    assert type(checkscreen._chosen(expand("node-1"), in_json=False)) is checkscreen.Lines


def test_there_are_lines_for_nobody_where_stdout_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    lines = checkscreen._chosen(expand("node-1"), in_json=False)
    with lines, lines.aside():
        lines.add(0, GOOD)
    assert list(lines.checks) == [0]


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ((1, 0, 0), "The host is good."),
        ((0, 1, 0), "The host is bad."),
        ((2, 0, 0), "Both hosts are good."),
        ((0, 3, 0), "All 3 hosts are bad."),
        ((1, 1, 0), "1 of 2 hosts is good, 1 is bad."),
        ((0, 0, 3), "None of 3 hosts had answered when this was interrupted."),
    ],
)
def test_what_is_so_of_all_is_said_of_all(counts: tuple[int, int, int], said: str) -> None:
    assert checklines.summary(*counts) == said


def test_a_command_is_shown_in_one_piece_to_be_copied() -> None:
    console = pytest.importorskip("rich.console").Console(file=io.StringIO(), width=40)
    command = f"echo '{'A' * 68}' >> known_hosts"
    problem = BAD_NEWS._replace(advice=f"If it is right, note it with:\n{command}")
    table = checkscreen.Table([BAD.host], True, console)
    with table:
        table.add(0, BAD._replace(problem=problem))
    assert f"\n  {command}\n" in console.file.getvalue()


def test_what_is_logged_meanwhile_comes_when_the_table_is_done(
    capsys: pytest.CaptureFixture[str],
) -> None:
    console = pytest.importorskip("rich.console").Console(file=io.StringIO(), width=40)
    with checkscreen.Table([BAD.host], True, console):
        logging.getLogger("interstate.ssh.keys").warning("a key is not used")
        assert capsys.readouterr().err == ""
    assert "a key is not used\n" in capsys.readouterr().err
