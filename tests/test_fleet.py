"""Many hosts at once, many workers on one, and what neither may cost."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

import interstate
from interstate import Host, SSHExecutor
from interstate.fleet import Fleet, Reach
from interstate.link import Patience
from interstate.progress import Progress

from .sshd import Keys, Sshd

pytestmark = pytest.mark.once

HOSTS = 60
STOCK = ["MaxStartups 10:30:100", "MaxSessions 10"]  # what sshd has when its config says nothing
PATIENCE = 60.0


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> Iterator[Sshd]:
    """One sshd that limits what comes at once as much as it does by default."""
    with Sshd(tmp_path_factory.mktemp("stock"), keys, options=STOCK) as sshd:
        yield sshd


@pytest.fixture(scope="module")
def head_node(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> Iterator[Sshd]:
    """Another such."""
    with Sshd(tmp_path_factory.mktemp("head"), keys, options=STOCK) as sshd:
        yield sshd


# ---------------------------------------------------------------------------- many hosts


@pytest.mark.parametrize("behind_a_hop", [False, True], ids=["directly", "behind a hop"])
def test_sixty_hosts_answer_with_stock_settings(
    stock: Sshd, head_node: Sshd, behind_a_hop: bool
) -> None:
    pids = interstate.execute(
        os.getpid,
        hosts=[stock.host()] * HOSTS,
        via=head_node.host() if behind_a_hop else None,
        ssh_config=None,
        connect_timeout=4 * PATIENCE,
    )
    assert len(set(pids)) == HOSTS


# ------------------------------------------------------------------------- open files

LIMITED = """
import os, resource
from interstate import Host, SSHExecutor, execute
hosts, hop = [Host(*{host!r})] * {count}, Host(*{hop!r})
soft = len(os.listdir("/dev/fd")) + 30
def limit(hard):
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
def answers(**options):
    options |= dict(ssh_config=None, connect_timeout=200)
    return len(set(execute(os.getpid, hosts=hosts, **options)))
"""


def run_limited(sshd: Sshd, body: str, hop: Sshd | None = None) -> str:
    """Run a script in which fewer files may be open than there are hosts; return its output."""
    ways = {"host": fields(sshd.host()), "hop": fields((hop or sshd).host())}
    script = LIMITED.format(count=HOSTS, **ways) + textwrap.dedent(body)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=300
    )
    assert (done.stderr, done.returncode) == ("", 0)
    return done.stdout


def fields(host: Host) -> tuple[object, ...]:
    return host.name, host.user, host.port, host.identity_file, host.known_hosts_file


def test_the_soft_limit_of_open_files_is_raised_to_what_the_hosts_need(stock: Sshd) -> None:
    body = """
        limit(4096)
        print(answers(), soft < resource.getrlimit(resource.RLIMIT_NOFILE)[0] < 4096)
    """
    assert run_limited(stock, body) == f"{HOSTS} True\n"


def test_a_soft_limit_that_will_do_stays_as_it_is(stock: Sshd) -> None:
    body = """
        limit(4096)
        hosts = hosts[:5]
        print(answers(), soft == resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    """
    assert run_limited(stock, body) == "5 True\n"


def test_a_hard_limit_that_is_too_low_is_an_error_before_anything_is_connected(
    tmp_path: Path, keys: Keys
) -> None:
    body = """
        limit(soft)
        try:
            SSHExecutor(hosts, ssh_config=None)
        except OSError as error:
            print(error.errno, error.strerror.replace(str(soft), "SOFT"))
    """
    with Sshd(tmp_path, keys) as sshd:
        said = run_limited(sshd, body)
        assert "Connection from" not in sshd.log
    assert said.startswith(f"{errno.EMFILE} connecting to these hosts takes ")
    for part in (f" takes {HOSTS + 32} files", "it may have SOFT.", "`ulimit -n ", "via="):
        assert part in said


def test_hosts_behind_a_hop_need_no_open_file_each(stock: Sshd, head_node: Sshd) -> None:
    body = """
        limit(soft)
        print(answers(via=hop))
    """
    assert run_limited(stock, body, hop=head_node) == f"{HOSTS}\n"


def test_a_proxy_command_needs_more_open_files(tmp_path: Path, stock: Sshd) -> None:
    config = tmp_path / "config"
    config.write_text("Host *\n  ProxyCommand exec nowhere %h %p\n")
    body = f"""
        limit(soft)
        try:
            SSHExecutor(hosts, ssh_config={str(config)!r})
        except OSError as error:
            print(error.strerror)
    """
    assert f" takes {2 * HOSTS + 3 * 32} files" in run_limited(stock, body)


# ---------------------------------------------------------------------------- workers


@pytest.fixture
def meet(tmp_path: Path) -> Callable[[int], int]:
    """A call that waits until so many of it run at the same time; returns its worker's pid."""
    folder = tmp_path / "meeting"
    folder.mkdir()

    def meet(count: int) -> int:
        (folder / str(os.getpid())).touch()
        while len(os.listdir(folder)) < count:
            time.sleep(0.01)
        return os.getpid()

    return meet


@pytest.fixture
def workers_there() -> Callable[[], int]:
    """A call that says how many workers its host has."""

    def workers_there() -> int:
        agent = os.getppid()
        with open(f"/proc/{agent}/task/{agent}/children") as children:
            return len(children.read().split())

    return workers_there


def test_a_hundred_workers_on_a_host_run_a_hundred_calls_at_once(
    stock: Sshd, meet: Callable[[int], int]
) -> None:
    with SSHExecutor([stock.host()], workers_per_host=100, ssh_config=None) as executor:
        pids = list(executor.map(meet, [100] * 100))
    assert len(set(pids)) == 100


def test_a_worker_is_forked_when_a_call_needs_one(
    real_host: Host, meet: Callable[[int], int], workers_there: Callable[[], int]
) -> None:
    with SSHExecutor([real_host], workers_per_host=4, ssh_config=None) as executor:
        assert [executor.submit(workers_there).result() for _ in range(3)] == [1, 1, 1]
        list(executor.map(meet, [3] * 3))
        assert executor.submit(workers_there).result() == 3


def test_a_worker_that_died_is_replaced_when_a_call_needs_it(real_host: Host) -> None:
    with SSHExecutor([real_host], workers_per_host=1, ssh_config=None) as executor:
        first = executor.submit(os.getpid).result()
        with pytest.raises(interstate.WorkerDied):
            executor.submit(os._exit, 3).result()
        assert executor.submit(os.getpid).result() != first


def test_the_initializer_runs_once_in_each_worker_that_is_forked(
    real_host: Host, tmp_path: Path, meet: Callable[[int], int]
) -> None:
    def note(folder: Path) -> None:
        (folder / str(os.getpid())).touch()

    notes = tmp_path / "notes"
    notes.mkdir()
    with SSHExecutor(
        [real_host], workers_per_host=4, ssh_config=None, initializer=note, initargs=(notes,)
    ) as executor:
        executor.submit(os.getpid).result()
        assert len(list(notes.iterdir())) == 1
        pids = set(executor.map(meet, [4] * 4))
    assert {path.name for path in notes.iterdir()} == {str(pid) for pid in pids}


# ----------------------------------------------------------------- what an agent imports

MODULES = "' '.join(__import__('sys').modules)"  # to be evaluated over there
SLOW = {"cloudpickle", "inspect", "json", "logging", "pickle", "re", "traceback", "typing"}


def test_a_call_that_names_its_function_makes_nobody_import_much(real_host: Host) -> None:
    with SSHExecutor([real_host], workers_per_host=1, ssh_config=None) as executor:
        there = executor.submit(eval, MODULES).result().split()
    assert "interstate.remote.agent" in there
    assert not SLOW & set(there)


def test_what_a_call_needs_is_imported_once_for_all_workers(
    real_host: Host, tmp_path: Path, meet: Callable[[int], int]
) -> None:
    with SSHExecutor([real_host], workers_per_host=2, ssh_config=None) as executor:
        waiting = executor.submit(meet, 2)  # keeps the first worker busy
        there = executor.submit(eval, MODULES).result().split()
        (tmp_path / "meeting" / "second").touch()
        waiting.result()
    assert {"cloudpickle", "interstate.remote.failure", "traceback"} <= set(there)


# ------------------------------------------------------------------------------ their end


class PlayedLink:
    """A link that is to end from the beginning, and does when it is told to.

    Attributes:
        ended: Whether it has.
        hung_up: Whether its connection was closed, since its time was over.
    """

    def __init__(self) -> None:
        self.ended = self.hung_up = False

    def tick(self, now: float) -> bool:
        return not self.ended

    def excuse(self, now: float) -> None: ...

    def hang_up(self) -> None:
        self.hung_up = True


def played(monkeypatch: pytest.MonkeyPatch, count: int) -> tuple[Fleet, list[PlayedLink]]:
    links = [PlayedLink() for _ in range(count)]
    monkeypatch.setattr(Fleet, "_new_link", lambda self, index: links[index])
    patience = Patience(PATIENCE, PATIENCE, PATIENCE)
    reach = Reach(None, patience, never, str, (), never, Progress(False))
    return Fleet([Host(f"h{i}") for i in range(count)], reach, never, never), links


def never(*_: object) -> NoReturn:
    raise AssertionError("nothing is opened here")


def beat_for(fleet: Fleet, seconds: float, now: float) -> float:
    """Let time pass; return what it is then."""
    end = now + seconds
    while now < end:
        now += 0.25
        fleet._next_beat = now
        fleet.beat(now)
    return now


def test_an_agent_that_does_not_end_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet, links = played(monkeypatch, 1)
    now = beat_for(fleet, 0.75, fleet._last_beat)
    assert not links[0].hung_up
    beat_for(fleet, 0.5, now)
    assert links[0].hung_up


def test_while_others_end_an_agent_has_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand end by turns on a busy computer; each that is given up is connected to anew."""
    fleet, links = played(monkeypatch, 20)
    now = fleet._last_beat
    for link in links[1:]:
        now = beat_for(fleet, 0.5, now)
        link.ended = True
    assert not any(link.hung_up for link in links)
    beat_for(fleet, 1.25, now)
    assert [link.hung_up for link in links] == [True] + 19 * [False]


def test_a_computer_that_stood_still_gives_them_their_time_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fleet, links = played(monkeypatch, 1)
    now = beat_for(fleet, 0.5, fleet._last_beat)
    now = beat_for(fleet, 0.25, now + PATIENCE)
    assert not links[0].hung_up
    beat_for(fleet, 1.0, now)
    assert links[0].hung_up
