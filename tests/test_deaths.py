"""What is told of a worker's death: where it crashed, and whether memory ran out."""

from __future__ import annotations

import contextlib
import copy
import ctypes
import faulthandler
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from interstate import BrokenSSHExecutor, CallTerminated, Host, SSHExecutor, WorkerDied
from interstate.remote import memory, payload, wire
from interstate.remote.death import report, trimmed
from interstate.remote.memory import BY_KERNEL, NEARBY, NOT_BY_KERNEL, UNKNOWN, Evidence

from . import processes
from .proxy import Proxy
from .sshd import Keys, Sshd
from .test_blob import REPOSITORY, Agent
from .waiting import until

PATIENCE = 60.0
MIB = 1 << 20


@pytest.fixture
def executor(loopback_host: Host) -> Iterator[SSHExecutor]:
    with SSHExecutor(loopback_host, workers_per_host=1) as executor:
        yield executor


def death(future: Future[Any]) -> WorkerDied:
    """What a call has failed with: the death of its worker."""
    error = future.exception(PATIENCE)
    assert isinstance(error, WorkerDied), repr(error)
    return error


# ------------------------------------------------------------------------------ crashes


def test_a_segfault_says_where_it_was(host: Host) -> None:
    def job() -> None:
        print("before")
        ctypes.string_at(0)

    with SSHExecutor(host, workers_per_host=1) as executor:
        future = executor.submit(job)
        error = death(future)
        line = job.__code__.co_firstlineno + 2
        assert error.exit_status == -signal.SIGSEGV
        assert error.out_of_memory is False
        assert error.stack.startswith("Fatal Python error: Segmentation fault")
        assert f'File "{__file__}", line {line} in job' in error.stack
        assert error.stack.endswith("in job"), "none of our own frames are of use to anybody"
        assert str(error).endswith(f"job was ended by SIGSEGV\n\n{error.stack}")
        assert (future.stdout, future.stderr) == ("before\n", "")
        assert executor.submit(abs, -1).result(PATIENCE) == 1


def test_an_abort_says_where_it_was_at_each_attempt(executor: SSHExecutor) -> None:
    future = executor.with_options(retries=1).submit(os.abort)
    error = death(future)
    assert error.exit_status == -signal.SIGABRT
    assert error.stack.startswith("Fatal Python error: Aborted")
    assert f"was ended by SIGABRT; it was tried 2 times\n\n{error.stack}" in str(error)


def test_a_crash_in_a_thread_shows_all_threads(executor: SSHExecutor) -> None:
    def crash() -> None:
        ctypes.string_at(0)

    def job() -> None:
        thread = threading.Thread(target=crash)
        thread.start()
        thread.join()

    crashed, _, others = death(executor.submit(job)).stack.partition("\n\n")[2].partition("\n\n")
    assert crashed.startswith("Current thread")
    assert "in crash" in crashed
    assert others.endswith("in job")


def test_a_deep_stack_is_told_to_a_bound(executor: SSHExecutor) -> None:
    def job(depth: int) -> None:
        if depth:
            job(depth - 1)
        os.abort()

    stack = death(executor.submit(job, 500)).stack
    assert 50 < stack.count("in job") <= 100


def test_more_than_a_pipe_holds_is_cut_and_delays_nobody(executor: SSHExecutor) -> None:
    def wait_deep_down(depth: int, ready: threading.Barrier) -> None:
        if depth:
            wait_deep_down(depth - 1, ready)
        ready.wait()
        time.sleep(PATIENCE)

    def job() -> None:
        ready = threading.Barrier(31)
        for _ in range(30):
            threading.Thread(target=wait_deep_down, args=(90, ready), daemon=True).start()
        ready.wait()
        os.abort()

    error = executor.with_options(timeout=PATIENCE / 3).submit(job).exception(PATIENCE)
    assert isinstance(error, WorkerDied)
    stack = error.stack
    assert 4000 < len(stack) <= 1 << 16
    assert "in wait_deep_down" in stack


def test_a_crash_in_the_initializer_is_the_cause_why_nothing_runs(loopback_host: Host) -> None:
    def initialize() -> None:
        ctypes.string_at(0)

    with SSHExecutor(loopback_host, workers_per_host=1, initializer=initialize) as executor:
        error = executor.submit(abs, -1).exception(PATIENCE)
        assert isinstance(error, BrokenSSHExecutor)
        assert isinstance(error.__cause__, WorkerDied)
        assert error.__cause__.stack.endswith("in initialize")


def test_a_crash_while_the_connection_is_lost_is_told_of_on_the_next(
    loopback_host: Host, tmp_path: Path
) -> None:
    def job() -> None:
        print(os.getpid())
        while not (tmp_path / "go").exists():
            time.sleep(0.005)
        ctypes.string_at(0)

    with (
        Proxy(loopback_host, tmp_path) as proxy,
        SSHExecutor(proxy.host, workers_per_host=1) as executor,
    ):
        future = executor.submit(job)
        until(lambda: future.stdout.endswith("\n"))
        proxy.refuse()
        proxy.cut()
        (tmp_path / "go").touch()
        assert not processes.wait_gone([int(future.stdout)], PATIENCE)
        proxy.refuse(False)
        assert death(future).stack.endswith("in job")


def test_a_calls_own_faulthandler_has_its_way(executor: SSHExecutor) -> None:
    def enable() -> None:
        faulthandler.enable()
        ctypes.string_at(0)

    def disable() -> None:
        faulthandler.disable()
        ctypes.string_at(0)

    mine = executor.submit(enable)
    assert death(mine).stack == ""
    assert "Segmentation fault" in mine.stderr
    silent = executor.submit(disable)
    assert death(silent).exit_status == -signal.SIGSEGV
    assert (death(silent).stack, silent.stderr) == ("", "")


def test_what_is_known_of_a_death_survives_copies() -> None:
    error = WorkerDied("it died", Host("node-1"), -11, "the stack", False)
    for twin in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert vars(twin) == vars(error)
        assert str(twin) == "it died\n\nthe stack"


# ----------------------------------------------------------------------------- children


def test_a_childs_crash_is_not_the_workers(executor: SSHExecutor) -> None:
    def crash_in_a_child() -> int:
        child = os.fork()
        if not child:
            ctypes.string_at(0)
        return os.waitpid(child, 0)[1]

    def end_after_that(end: Callable[[], None]) -> None:
        crash_in_a_child()
        end()

    def abort_without_a_word() -> None:
        faulthandler.disable()
        os.abort()

    assert executor.submit(crash_in_a_child).result(PATIENCE) & 0x7F == signal.SIGSEGV
    first, second = executor.submit(os.abort), executor.submit(end_after_that, os.abort)
    assert "Segmentation fault" not in death(first).stack
    assert death(second).stack.startswith("Fatal Python error: Aborted")
    silent = death(executor.submit(end_after_that, abort_without_a_word))
    assert (silent.exit_status, silent.stack) == (-signal.SIGABRT, "")
    exited = death(executor.submit(end_after_that, lambda: os._exit(3)))
    assert (exited.exit_status, exited.stack, exited.out_of_memory) == (3, "", False)


WRITTEN = "Fatal Python error: Aborted\n\nCurrent thread 0x1:\n  File a\n"


def test_a_crash_that_a_child_without_pythons_knowledge_told_of_is_dropped() -> None:
    assert trimmed(WRITTEN.replace("Aborted", "Bus error") + WRITTEN) == WRITTEN.strip()


@pytest.mark.parametrize(
    ("status", "stack"), [(-signal.SIGABRT, WRITTEN.strip()), (-signal.SIGKILL, ""), (3, "")]
)
def test_only_a_crash_has_a_stack(status: int, stack: str) -> None:
    reader, writer = os.pipe()
    os.write(writer, WRITTEN.encode())
    how = json.loads(report(status, reader, (None, 'a "word" \N{SNOWMAN}')))
    os.close(reader)
    os.close(writer)
    words = 'a "word" \N{SNOWMAN}'
    facts = {"exit_status": status, "stack": stack, "out_of_memory": None, "words": words}
    assert how == facts


def test_the_stack_is_not_waited_for_where_a_child_might_write_one(executor: SSHExecutor) -> None:
    def job() -> None:
        if not ctypes.CDLL(None).fork():  # so that Python does not know of it
            time.sleep(PATIENCE)
        faulthandler.disable()
        os.abort()

    assert death(executor.submit(job)).stack == ""


def test_the_descriptors_of_a_childs_children_are_let_alone(
    executor: SSHExecutor, tmp_path: Path
) -> None:
    """A child that has closed all that it had may have a file of its own in the pipe's place."""

    def fork(end: Callable[[], None]) -> None:
        child = os.fork()
        if not child:
            end()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0

    def write_all() -> None:
        for descriptor in range(3, 30):
            os.write(descriptor, b"x")

    def be_a_daemon() -> None:
        os.closerange(3, 100)
        for _ in range(3, 30):
            os.open(tmp_path / "log", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        fork(write_all)

    executor.submit(fork, be_a_daemon).result(PATIENCE)
    assert (tmp_path / "log").read_bytes() == b"x" * 27


# ------------------------------------------------------------------------------- kills


def test_a_kill_that_nobody_knows_the_reason_of(executor: SSHExecutor) -> None:
    before = killed_on_this_host()
    error = death(executor.submit(os.kill, 0, signal.SIGKILL))
    assert (error.exit_status, error.stack) == (-signal.SIGKILL, "")
    if killed_on_this_host() == before:
        assert error.out_of_memory is None
        assert str(error).endswith(UNKNOWN if before is None else NOT_BY_KERNEL)


def killed_on_this_host() -> int | None:
    """How many processes the kernel has killed for want of memory; other tests have it do so."""
    try:
        return memory.value(Path("/proc/vmstat").read_text(), "oom_kill")
    except (OSError, ValueError):
        return None


def test_a_kill_by_the_agent_is_not_for_want_of_memory(loopback_host: Host) -> None:
    def job() -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        print("deaf")
        time.sleep(PATIENCE)

    with SSHExecutor(loopback_host, workers_per_host=1, grace=0.1) as executor:
        future = executor.submit(job)
        until(lambda: future.stdout)
        future.terminate()
        error = future.exception(PATIENCE)
        assert isinstance(error, CallTerminated)
        assert isinstance(error.__cause__, WorkerDied)
        assert error.__cause__.out_of_memory is False
        assert str(error.__cause__).endswith("killed by its agent, since it did not end in time")


def test_a_call_that_closes_all_descriptors_is_told_what_it_did(executor: SSHExecutor) -> None:
    def job() -> None:
        os.closerange(3, 100)
        time.sleep(PATIENCE)

    error = death(executor.submit(job))
    assert error.out_of_memory is False
    assert "killed by its agent, since it had closed" in str(error)


def test_a_kill_for_want_of_memory_is_named(tmp_path: Path, keys: Keys) -> None:
    """Really: a cgroup with 64 MiB has the agent and its worker."""
    with (
        small_group(64 * MIB) as group,
        Sshd(tmp_path, keys, force_command=within(group)) as sshd,
        SSHExecutor(sshd.host(), workers_per_host=1) as executor,
    ):
        assert executor.submit(len, b"x" * MIB).result(PATIENCE) == MIB
        killed = death(executor.submit(bytearray, 256 * MIB))
        assert killed.exit_status == -signal.SIGKILL
        assert killed.out_of_memory is True
        assert f"bytearray {BY_KERNEL} (the limit of its cgroup is 64 MiB)" in str(killed)
        assert executor.submit(abs, -1).result(PATIENCE) == 1


@contextlib.contextmanager
def small_group(limit: int) -> Iterator[Path]:
    """A new cgroup whose processes may use so many bytes; the test is skipped if there can't be."""
    parent = Path("/sys/fs/cgroup")
    first_kind = (parent / "memory" / "memory.limit_in_bytes").exists()
    group = (parent / "memory" if first_kind else parent) / f"interstate-test-{os.getpid()}"
    files = ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes")
    values = (limit, limit) if first_kind else (limit, 0)
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no cgroup can be made here: {error}")
    try:
        for name, value in zip(
            files if first_kind else ("memory.max", "memory.swap.max"), values, strict=True
        ):
            with contextlib.suppress(FileNotFoundError):  # no swap is counted here
                (group / name).write_text(str(value))
        if not (group / ("memory.oom_control" if first_kind else "memory.events")).exists():
            pytest.skip("the cgroups here have no limits of memory")
        yield group
    finally:
        until(lambda: removed(group))


def removed(group: Path) -> bool:
    """Whether a cgroup could be removed: it can as soon as nobody is in it."""
    try:
        group.rmdir()
    except OSError:
        return False
    return True


def within(group: Path) -> str:
    return f'echo $$ > {group}/cgroup.procs && eval "$SSH_ORIGINAL_COMMAND"'


# ----------------------------------------------------------------------------- evidence


FIRST = "4:memory:/user/me\n1:name=systemd:/\n0::/\n"
MOUNTED = (
    "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
    "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
)
UNIFIED = "29 23 0:26 / /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw,memory_recursiveprot\n"
PLACE = "/sys/fs/cgroup"


@pytest.mark.parametrize(
    ("cgroups", "mounts", "expected"),
    [
        (FIRST, MOUNTED, [f"{PLACE}/memory/user/me", f"{PLACE}/memory/user", f"{PLACE}/memory"]),
        ("4:cpu,memory:/\n", MOUNTED, [f"{PLACE}/memory"]),
        ("0::/a/b\n", UNIFIED, [f"{PLACE}/a/b", f"{PLACE}/a", PLACE]),
        ("0::/\n", UNIFIED, [PLACE]),
        ("0::/pod/it\n", UNIFIED.replace(" / ", " /pod/it "), [PLACE]),
        ("0::/pod/it/a\n", UNIFIED.replace(" / ", " /pod/it "), [f"{PLACE}/a", PLACE]),
        ("0::/pod/item\n", UNIFIED.replace(" / ", " /pod/it "), []),
        ("0::/../elsewhere\n", UNIFIED, []),
        ("0::/a:b\n", UNIFIED, [f"{PLACE}/a:b", PLACE]),
        (FIRST, UNIFIED, []),
        ("", MOUNTED, []),
        ("0::/\n", "", []),
    ],
)
def test_the_memory_cgroup_is_found(cgroups: str, mounts: str, expected: list[str]) -> None:
    assert memory.groups(cgroups, mounts) == expected


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Memory cgroup out of memory: Killed process 7047 (python) total-vm:3kB", {7047: False}),
        ("Out of memory: Killed process 7 (Killed process 8 ) total-vm:3kB", {7: True}),
        ("Killed process 7047 (python) total-vm:320932kB, anon-rss:64888kB", {7047: False}),
        (
            "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),oom_memcg=/a,task=x,pid=9,uid=0",
            {9: False},
        ),
        ("oom-kill:constraint=CONSTRAINT_NONE,task=,pid=1,pid=9,uid=0", {9: True}),
        ("Out of memory: Kill process 5 (python) score 900 or sacrifice child", {}),
        ("oom-kill:", {}),
        ("Killed process (", {}),
        ("python invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0", {}),
        ("", {}),
    ],
)
def test_the_victim_is_found_in_the_kernels_log(message: str, expected: dict[int, bool]) -> None:
    assert memory.victim(f"3,605,13059654987,-;{message}\n SUBSYSTEM=x\n".encode()) == expected
    assert memory.victim(f"14,605,13059654987,-;{message}\n".encode()) == {}, "not the kernel's"
    assert memory.victim(message.encode()) == {}


@pytest.mark.parametrize(
    ("size", "expected"), [(2 << 30, "2 GiB"), (64 * MIB, "64 MiB"), (3 << 29, "1.5 GiB")]
)
def test_sizes_are_shown_for_people(size: int, expected: str) -> None:
    assert memory.shown(size) == expected


class Kernel:
    """The files in which a kernel tells of its memory killer, made of plain ones."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, files: Mapping[str, str]) -> None:
        for path, content in files.items():
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).write_text(content)

    def log(self, message: str) -> None:
        with open(self.root / "dev/kmsg", "a") as file:
            file.write(f"3,605,13059654987,-;{message}\n")

    @contextlib.contextmanager
    def watched(self) -> Iterator[Evidence]:
        evidence = Evidence(str(self.root))
        with contextlib.closing(evidence):
            evidence.born(42)
            yield evidence


class Clock:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(memory, "time", clock)
    return clock


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    return Kernel(tmp_path)


EVENTS = "low 0\nhigh 0\nmax 12\noom 1\noom_kill {}\noom_group_kill 0\n"
SECOND_KIND = {
    "proc/self/cgroup": "0::/slice/job\n",
    "proc/self/mountinfo": UNIFIED,
    "sys/fs/cgroup/slice/job/memory.events": EVENTS.format(3),
    "sys/fs/cgroup/slice/job/memory.max": "max\n",
    "sys/fs/cgroup/slice/memory.max": f"{64 * MIB}\n",
}
FIRST_KIND = {
    "proc/self/cgroup": FIRST,
    "proc/self/mountinfo": MOUNTED,
    "sys/fs/cgroup/memory/user/me/memory.oom_control": "under_oom 0\noom_kill 0\n",
    "sys/fs/cgroup/memory/user/me/memory.stat": "cache 0\nhierarchical_memory_limit 33554432\n",
}


def test_where_nothing_can_be_read_nothing_is_known(kernel: Kernel) -> None:
    with kernel.watched() as evidence:
        assert evidence.about(42) == (None, UNKNOWN)


@pytest.mark.parametrize("name", ["cgroup", "mountinfo"])
@pytest.mark.parametrize("content", ["", "\n", "nonsense", "1 2 3 - 4", "::\n"])
def test_nonsense_is_no_evidence(kernel: Kernel, name: str, content: str) -> None:
    kernel.write(SECOND_KIND | {f"proc/self/{name}": content, "proc/vmstat": "oom_kill what\n"})
    with kernel.watched() as evidence:
        assert evidence.about(42) == (None, UNKNOWN)


def test_a_kernel_that_has_killed_nobody_says_so(kernel: Kernel) -> None:
    kernel.write(SECOND_KIND)
    with kernel.watched() as evidence:
        assert evidence.about(42) == (None, NOT_BY_KERNEL)


@pytest.mark.parametrize(
    ("files", "more", "words"),
    [
        (
            SECOND_KIND,
            {"sys/fs/cgroup/slice/job/memory.events": EVENTS.format(4)},
            f"{BY_KERNEL} (the limit of its cgroup is 64 MiB)",
        ),
        (
            SECOND_KIND | {"sys/fs/cgroup/slice/memory.max": "max\n"},
            {"sys/fs/cgroup/slice/job/memory.events": EVENTS.format(4)},
            BY_KERNEL,
        ),
        (
            FIRST_KIND,
            {"sys/fs/cgroup/memory/user/me/memory.oom_control": "under_oom 0\noom_kill 1\n"},
            f"{BY_KERNEL} (the limit of its cgroup is 32 MiB)",
        ),
        (
            SECOND_KIND | {"proc/vmstat": "pgfault 7\noom_kill 9\n"},
            {"proc/vmstat": "pgfault 8\noom_kill 10\n"},
            NEARBY,
        ),
    ],
)
def test_one_more_that_the_kernel_has_killed_is_evidence(
    kernel: Kernel,
    files: dict[str, str],
    more: dict[str, str],
    words: str,
    clock: Clock,
) -> None:
    kernel.write(files)
    with kernel.watched() as evidence:
        kernel.write(more)
        assert evidence.about(42) == (True, words)
        assert evidence.about(43) == (True, words), "one that was killed with it"
        clock.now += 2 * memory.SOON
        assert evidence.about(44) == (None, NOT_BY_KERNEL), "that is long ago"


def test_a_birth_long_after_another_death_shows_that_it_is_no_evidence(
    kernel: Kernel, clock: Clock
) -> None:
    kernel.write(SECOND_KIND)
    with kernel.watched() as evidence:
        kernel.write({"sys/fs/cgroup/slice/job/memory.events": EVENTS.format(4)})
        clock.now += 2 * memory.SOON
        evidence.born(43)
        clock.now += 2 * memory.SOON
        assert evidence.about(43) == (None, NOT_BY_KERNEL)


def test_whom_the_kernels_log_names_was_killed_by_it(kernel: Kernel) -> None:
    kernel.write(SECOND_KIND | {"dev/kmsg": ""})
    kernel.log("Memory cgroup out of memory: Killed process 45 (python)")
    (kernel.root / "proc/self/ns").mkdir()
    (kernel.root / "proc/self/ns/pid").symlink_to("pid:[4026531836]")
    with kernel.watched() as evidence:
        for pid in (42, 45):
            assert evidence.about(pid) == (None, NOT_BY_KERNEL), "it was another one, before"
        kernel.log("Out of memory: Killed process 42 (python) total-vm:320932kB")
        assert evidence.about(43) == (None, NOT_BY_KERNEL)
        assert evidence.about(42) == (True, f"{BY_KERNEL} (there was none left on that host)")
        kernel.log("Memory cgroup out of memory: Killed process 43 (python)")
        assert evidence.about(43) == (True, f"{BY_KERNEL} (the limit of its cgroup is 64 MiB)")
        kernel.log("Memory cgroup out of memory: Killed process 44 (python)")
        assert evidence.about(46) == (None, NOT_BY_KERNEL)
        evidence.born(44)
        assert evidence.about(44) == (None, NOT_BY_KERNEL), "that one is new"


def test_the_log_is_not_asked_where_processes_have_other_numbers(kernel: Kernel) -> None:
    kernel.write({"dev/kmsg": ""})
    (kernel.root / "proc/self/ns").mkdir(parents=True)
    (kernel.root / "proc/self/ns/pid").symlink_to("pid:[4026532000]")
    with kernel.watched() as evidence:
        kernel.log("Out of memory: Killed process 42 (python)")
        assert evidence.about(42) == (None, UNKNOWN)


# ------------------------------------------------------- workers that never come to a call

STILLBORN = """
from interstate.remote import main, worker
worker.main = None
main.main()
"""


def test_an_agent_whose_workers_end_before_they_take_a_call_gives_up() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STILLBORN],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=REPOSITORY,
    ) as process:
        agent = Agent(process)
        agent.send(wire.CALL, 1, payload.dump_call(abs, (-1,), {}))
        kind, _, text = agent.next()
        assert kind == wire.FAILED
        assert b"workers end before they take a call" in text
        assert b'"exit_status": 1' in text
        process.communicate(timeout=30)
