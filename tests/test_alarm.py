"""Users' code that may never end is ended; time that is not its own is not counted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from interstate.remote import alarm
from interstate.remote.alarm import Alarm, TookTooLong
from interstate.remote.door import Door

pytestmark = pytest.mark.once
LONG, PATIENCE = 1.0, 60.0  # seconds: longer than what waits may take here; and than anything takes


def run_for_ever() -> None:
    while True:
        pass


@pytest.fixture(autouse=True)
def worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process has alarms, as a worker has, and is in more of a hurry."""
    monkeypatch.setattr(alarm, "enabled", True)
    monkeypatch.setattr(alarm, "LONGEST", LONG / 2)
    monkeypatch.setattr(alarm, "SECONDS", LONG / 10)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarm, "LONGEST", 1e9)


@pytest.mark.usefixtures("patient")
def test_a_loop_is_ended() -> None:
    with pytest.raises(TookTooLong, match="of the processor's time"), Alarm():
        run_for_ever()


def test_what_waits_is_ended() -> None:
    with pytest.raises(TookTooLong, match=r"longer than 0\.5 s"), Alarm():
        threading.Event().wait()


@pytest.mark.usefixtures("patient")
def test_who_catches_it_gets_it_again() -> None:
    caught: list[TookTooLong] = []

    def stubborn() -> None:
        while len(caught) < 3:
            try:
                run_for_ever()
            except TookTooLong as error:
                caught.append(error)
        run_for_ever()

    with pytest.raises(TookTooLong), Alarm():
        stubborn()
    assert len(caught) == 3


def test_an_answer_from_the_other_side_takes_as_long_as_it_takes() -> None:
    """An exception that needs a module from there is told whole over a slow line, too."""
    assert Door.ask.__code__ in alarm._uncounted

    @alarm.uncounted
    def ask() -> str:
        threading.Event().wait(LONG)
        return "answer"

    with Alarm():
        assert ask() == "answer"


def test_a_process_that_stands_still_is_not_slow() -> None:
    script = """
import os, signal
from interstate.remote import alarm
alarm.enabled, alarm.LONGEST = True, 0.5
with alarm.Alarm():
    os.kill(os.getpid(), signal.SIGSTOP)
"""
    with subprocess.Popen([sys.executable, "-c", script]) as process:
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        time.sleep(LONG)  # and so long it stands still
        process.send_signal(signal.SIGCONT)
        assert process.wait(PATIENCE) == 0


def test_one_within_another_leaves_it_as_it_was() -> None:
    handler, timer = signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)

    def nested() -> None:
        with Alarm():
            pass
        threading.Event().wait()

    with pytest.raises(TookTooLong), Alarm():
        nested()
    assert signal.getsignal(signal.SIGALRM) is handler
    again = signal.getitimer(signal.ITIMER_REAL)
    assert (bool(again[0]), again[1]) == (bool(timer[0]), timer[1])
