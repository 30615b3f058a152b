"""Logins that are not simple work, or the error says what they answered and what to do."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from interstate import (
    AuthenticationError,
    BootError,
    File,
    FileTransferError,
    SSHExecutor,
    boot,
    execute,
)
from interstate.noagent import NoAgentError

from . import logins, logins_page
from .accounts import NO_WORLD, Accounts, why_not
from .logins import SAYS, WORKS, Login
from .sshd import Keys

pytestmark = pytest.mark.once

PATIENCE = 60.0
TIMEOUT = 12.0  # seconds that a login which never answers has
BUSYBOX = shutil.which("busybox") or ""

SHELLS, OTHERS, DISKS = logins.shells(), logins.others(), logins.disks()
PYTHONS = logins.pythons(BUSYBOX)
ALL = [*SHELLS, *OTHERS, *DISKS, *PYTHONS]


def absent(login: Login) -> str:
    """What this machine lacks for it; "" for nothing."""
    account = login.account
    if not account.shell or account.name == "busybox":
        return "" if BUSYBOX else "BusyBox is not installed"
    shells = [word for word in " ".join(account.files.values()).split() if word[:5] == "/bin/"]
    paths = {account.shell, *shells, *(["/usr/bin/fish"] if "fish" in account.name else [])}
    missing = [path for path in sorted(paths - {"/nowhere/sh"}) if not os.path.exists(path)]
    return f"{' and '.join(missing)} is not installed" if missing else ""


@pytest.fixture(scope="module")
def accounts(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> Iterator[Accounts]:
    """A real sshd with all of these users."""
    if why := why_not():
        pytest.skip(why)
    directory = tmp_path_factory.mktemp("logins")
    here = [
        logins.with_ash(login, BUSYBOX, directory).account for login in ALL if not absent(login)
    ]
    with Accounts(directory, keys, here) as accounts:
        yield accounts


def made_here() -> Callable[[], dict[str, object]]:
    """The call, which travels without this module."""

    def probe() -> dict[str, object]:
        umask = os.umask(0)
        os.umask(umask)
        return {
            "cwd": os.getcwd(),
            "home": os.environ.get("HOME"),
            "umask": umask,
            "python": os.path.basename(sys.executable),
        }

    return probe


@pytest.fixture(scope="module")
def outcomes(accounts: Accounts) -> dict[str, Any]:
    """What a call on each of them returned, or the exception; all at once, for speed."""
    there = [login for login in ALL if not absent(login)]
    prompt = [login for login in there if not login.late]
    late = [login for login in there if login.late]
    quick = _run(accounts, prompt, connect_timeout=2 * PATIENCE)  # they start all at once
    return {**quick, **_run(accounts, late, connect_timeout=TIMEOUT)}


def _run(accounts: Accounts, some: Sequence[Login], **options: Any) -> dict[str, Any]:
    hosts = [accounts.of(str(login)) for login in some]
    results = execute(made_here(), hosts=hosts, ssh_config=None, return_exceptions=True, **options)
    return {str(login): result for login, result in zip(some, results, strict=True)}


def cells(some: Sequence[Login]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("login", some, ids=str)


def check(login: Login, outcomes: dict[str, Any]) -> None:
    if why := absent(login):
        pytest.skip(why)
    found = outcomes[str(login)]
    if isinstance(found, BootError) and NO_WORLD in str(found):
        pytest.skip(f"{NO_WORLD}: {found}")
    if login.outcome == SAYS:
        expected = AuthenticationError if str(login) == "no-shell" else BootError
        assert isinstance(found, expected), found
        assert [words for words in login.said if words not in str(found)] == [], found
        assert f"{login.account.name}@" in str(found)
    else:
        assert isinstance(found, dict), found
        assert found | dict(login.facts) == found


@cells(SHELLS)
def test_what_comes_of_a_login_shell_and_its_script(
    login: Login, outcomes: dict[str, Any], accounts: Accounts
) -> None:
    check(login, outcomes)
    home = accounts.homes.home(str(login))
    files = {str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()}
    ours = {name for name in files if "fish" not in name and ".zcompdump" not in name}
    assert ours <= set(login.account.files), "what was sent to be run is no script for a shell"


@cells(OTHERS)
def test_an_account_that_runs_something_else_is_told_with_what_it_said(
    login: Login, outcomes: dict[str, Any]
) -> None:
    check(login, outcomes)


@cells(PYTHONS)
def test_a_python_is_found_and_needs_no_more_than_a_shell(
    login: Login, outcomes: dict[str, Any]
) -> None:
    check(login, outcomes)


@cells(DISKS)
def test_where_little_can_be_written_calls_run_and_large_things_travel(
    login: Login, outcomes: dict[str, Any], accounts: Accounts, tmp_path: Path
) -> None:
    check(login, outcomes)
    (tmp_path / "in.txt").write_text("there ")

    def there_and_back(file: Any) -> tuple[File, str]:
        with tempfile.NamedTemporaryFile("w", delete=False) as out:
            out.write(Path(file).read_text() + "and back")
        return File(out.name), out.name

    data = os.urandom(3 << 20)
    with SSHExecutor(accounts.of(str(login)), ssh_config=None, workers_per_host=1) as executor:
        assert executor.submit(lambda data: data[::-1], data).result(PATIENCE) == data[::-1]
        future = executor.submit(there_and_back, File(tmp_path / "in.txt"))
        if login.outcome == WORKS:
            came, there = future.result(PATIENCE)
            executor.submit(os.remove, there).result(PATIENCE)
            assert came.path.read_text() == "there and back"
        else:
            error = future.exception(PATIENCE)
            assert isinstance(error, FileTransferError)
            assert [words for words in login.said if words not in str(error)] == []


def test_what_a_login_prints_without_end_is_not_kept(accounts: Accounts) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(BootError) as caught:
            execute(made_here(), host=accounts.of("endless"), ssh_config=None)
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()
    assert len(str(caught.value)) < 1000


def test_what_a_terminal_would_obey_is_not_in_the_message() -> None:
    error = NoAgentError("none came", b"a\x1b[31mb\x07\r\nc\x00\xff\xc2\x9b\xe2\x80\xa8d")
    assert error.printed.splitlines()[2:] == ["a\ufffd[31mb\ufffd", "c\ufffd\ufffd\ufffd\ufffdd"]
    with pytest.raises(NoAgentError) as caught:
        boot._check_version("3.8.1 /usr/bin/\x1b[2Jpython", "python", b"")
    assert "the Python found there is 3.8.1 (/usr/bin/?[2Jpython)" in str(caught.value)


def test_the_end_of_what_was_printed_is_in_the_message() -> None:
    error = NoAgentError("none came", b"".join(b"line %d\n" % n for n in range(1000)), "Look.")
    lines = str(error).splitlines()
    assert lines[0] == "none came. Look."
    assert lines[2:] == [f"line {n}" for n in range(980, 1000)]
    assert str(NoAgentError("none came", b" \n")) == "none came, and it printed nothing"


def test_the_page_is_what_the_rows_make() -> None:
    """See `python -m tests.logins_page`."""
    assert logins_page.PAGE.read_text() == logins_page.render()


def test_each_user_has_a_name_of_its_own() -> None:
    names = [str(login) for login in ALL]
    assert len(set(names)) == len(names)
    assert all(len(name) < 32 for name in names), "as useradd would have it"
