"""Calls that were sent to a host, and have not started, can be had back."""

from __future__ import annotations

import time
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any

from interstate import SSHExecutor
from interstate.hosts import Host

QUICK = 400


def _submit_around_a_long_one(executor: SSHExecutor, end: Path) -> list[Future[Any]]:
    """Quick calls, so that others are sent ahead; one that runs until a file is there; others."""

    def long() -> None:
        end.with_name("begun").touch()
        while not end.exists():
            time.sleep(0.001)

    quick = [executor.submit(abs, n) for n in range(QUICK)]
    return [*quick, executor.submit(long), *(executor.submit(abs, n) for n in range(600))]


def test_what_was_sent_ahead_and_has_not_started_is_cancelled_at_a_shutdown(
    host: Host, tmp_path: Path
) -> None:
    executor = SSHExecutor([host], workers_per_host=1)
    futures = _submit_around_a_long_one(executor, tmp_path / "end")
    wait(futures[:QUICK])
    while not (tmp_path / "begun").exists():
        time.sleep(0.001)
    executor.shutdown(wait=False, cancel_futures=True)
    assert wait(futures[QUICK + 1 :], 60).not_done == set()
    assert all(future.cancelled() for future in futures[QUICK + 1 :])
    (tmp_path / "end").touch()
    executor.shutdown()
    assert all(future.done() and not future.cancelled() for future in futures[: QUICK + 1])


def test_what_lies_behind_a_long_call_runs_on_another_host(host: Host, tmp_path: Path) -> None:
    with SSHExecutor([host, host], workers_per_host=1) as executor:
        futures = _submit_around_a_long_one(executor, tmp_path / "end")
        quick = [future for n, future in enumerate(futures) if n != QUICK]
        assert wait(quick, 60).not_done == set()
        assert not futures[QUICK].done()
        (tmp_path / "end").touch()
