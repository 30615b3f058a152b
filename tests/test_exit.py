"""The interpreter's end: what was submitted is finished, and Ctrl-C ends it at once."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap

import pytest

from interstate import Host

from . import processes

PATIENCE = 100.0  # seconds: nothing takes that long
SCRIPT = """
import os, sys, time
import interstate
executor = interstate.SSHExecutor([interstate.Host(*{host!r})], workers_per_host=2)
"""


def script(host: Host, body: str) -> list[str]:
    fields = (host.name, host.user, host.port, host.identity_file, host.known_hosts_file)
    return [sys.executable, "-c", SCRIPT.format(host=fields) + textwrap.dedent(body)]


def test_what_was_submitted_is_finished_before_the_interpreter_ends(host: Host) -> None:
    body = """
        def job():
            time.sleep(0.5)
            return "finished"
        if sys.version_info[:3] in ((3, 12, 0), (3, 12, 1)):  # no thread starts at their end
            executor.submit(abs, 1).result()
        executor.submit(job).add_done_callback(lambda future: print(future.result()))
    """
    done = subprocess.run(script(host, body), capture_output=True, text=True, timeout=PATIENCE)
    assert (done.stdout, done.stderr, done.returncode) == ("finished\n", "", 0)


def test_after_the_end_has_begun_nothing_is_taken(host: Host) -> None:
    body = """
        import atexit
        executor.submit(abs, 1).result()
        @atexit.register
        def late():
            try:
                executor.submit(abs, 1)
            except RuntimeError as error:
                print(error)
    """
    done = subprocess.run(script(host, body), capture_output=True, text=True, timeout=PATIENCE)
    assert "cannot schedule new futures after" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize(
    "last", ["future.result()", "with executor: future.result()", "print('at the end')"]
)
def test_ctrl_c_ends_it_at_once_and_leaves_nothing_over_there(host: Host, last: str) -> None:
    body = f"""
        future = executor.submit(lambda: (print(os.getpid(), flush=True), time.sleep(600)))
        while not future.stdout.strip():
            time.sleep(0.01)
        print(future.stdout, flush=True)
        {last}"""
    with subprocess.Popen(
        script(host, body), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        assert os.path.exists(f"/proc/{pid}")
        assert _press_ctrl_c(process), "it did not end"
    assert not processes.wait_gone({pid}, PATIENCE)


def _press_ctrl_c(process: subprocess.Popen[str]) -> bool:
    """Whether it ends, as a person would see to it: the interpreter loses an interrupt that comes
    in just the moment in which its main program has ended and its end has not begun.
    """
    for _ in range(5):
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE / 5)
            return True
    process.kill()
    return False


def test_ctrl_c_in_execute_ends_what_runs_over_there(host: Host) -> None:
    body = """
        executor.shutdown()
        interstate.execute(
            lambda: (print(os.getpid(), flush=True), time.sleep(600)),
            host=interstate.Host(*{host!r}),
        )
    """.replace(
        "{host!r}",
        repr((host.name, host.user, host.port, host.identity_file, host.known_hosts_file)),
    )
    with subprocess.Popen(
        script(host, body), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) != 0
        assert process.stderr is not None
        assert "KeyboardInterrupt" in process.stderr.read()
    assert not processes.wait_gone({pid}, PATIENCE)
