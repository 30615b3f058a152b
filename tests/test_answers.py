"""The agent's side of imports: it asks once, keeps what is answered, and waits for nobody."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from interstate.remote import answers, served, wire
from interstate.remote.answers import Answers
from interstate.remote.door import Door
from interstate.remote.watcher import Watcher

from .trees import PATIENCE

QUESTION = ("module", "mine", "", "00")
LARGE = os.urandom(100_000)


class Agent:
    """An Answers, a loop for it, and what it says to the other side."""

    def __init__(self) -> None:
        self.watcher = Watcher()
        self.said: list[tuple[int, bytes]] = []  # numbers and questions
        self.answers = Answers(self.watcher, self._say)
        self.door = Door(self.answers.asking)
        self.askers: list[threading.Thread] = []

    def _say(self, frame: bytes) -> None:
        ((kind, number, content),) = wire.Decoder().receive(frame)
        assert kind == wire.WANT
        self.said.append((number, bytes(content)))

    def ask(self, *words: str) -> list[Any]:
        """Ask as a worker does; what it is answered will be in the list."""
        found: list[Any] = []

        def run() -> None:
            try:
                head, body = self.door.ask(*words)
                found.append((head, bytes(body)))
            except OSError as error:
                found.append(error)

        asker = threading.Thread(target=run)
        asker.start()
        self.askers.append(asker)
        assert self.watcher.handle(PATIENCE)
        return found

    def answer(self, number: int, head: served.Head, body: bytes = b"", **options: Any) -> None:
        self.answers.take(number, served.answer(head, body, **options))
        self.join()

    def join(self) -> None:
        for asker in self.askers:
            asker.join(PATIENCE)

    def close(self) -> None:
        self.answers.close()
        self.answers.asking.close()
        self.watcher.close()
        self.join()


@pytest.fixture
def agent() -> Iterator[Agent]:
    agent = Agent()
    yield agent
    agent.close()


def test_what_several_workers_ask_is_passed_on_once(agent: Agent) -> None:
    found = [agent.ask(*QUESTION) for _ in range(3)]
    ((number, said),) = agent.said
    assert said == bytes(served.STAMP) + served.question(*QUESTION)
    agent.answer(number, ("absent", {}))
    assert found == [[(("absent", {}), b"")]] * 3


@pytest.mark.parametrize("body", [b"", b"small", LARGE], ids=len)
def test_what_was_answered_is_kept_for_others(agent: Agent, body: bytes) -> None:
    first = agent.ask(*QUESTION)
    agent.answer(1, ("modules", {"a": 1}), body)
    second = agent.ask(*QUESTION)
    agent.join()
    assert first == second == [(("modules", {"a": 1}), body)]
    assert len(agent.said) == 1


def test_an_answer_may_answer_other_questions_as_well(agent: Agent) -> None:
    agent.ask(*QUESTION)
    agent.answer(1, ("modules",), LARGE, also=[served.question("module", "beside", "", "00")])
    found = agent.ask("module", "beside", "", "00")
    agent.join()
    assert found == [(("modules",), LARGE)]
    assert len(agent.said) == 1


def test_what_holds_for_a_moment_is_asked_again_after_it(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    agent.ask(*QUESTION)
    agent.answer(1, ("absent", {}), holds=served.FOR_A_MOMENT)
    now[0] += served.MOMENT / 2
    agent.ask(*QUESTION)
    assert len(agent.said) == 1
    now[0] += served.MOMENT
    agent.ask(*QUESTION)
    assert len(agent.said) == 2
    agent.answer(2, ("absent", {}))


def test_what_a_worker_says_is_to_be_forgotten_is_asked_again(agent: Agent) -> None:
    agent.ask(*QUESTION)
    agent.answer(1, ("absent", {}), holds=served.FOR_A_MOMENT)
    agent.door.forget(*QUESTION)
    assert agent.watcher.handle(PATIENCE)
    agent.ask(*QUESTION)
    assert len(agent.said) == 2
    agent.answer(2, ("absent", {}))


def test_data_is_looked_at_again_when_calls_have_come_and_sent_if_it_has_changed(
    agent: Agent,
) -> None:
    stamp = b"s" * served.STAMP
    agent.ask("data", "mine", "x")
    agent.answer(1, ("content",), LARGE, holds=served.UNTIL_CALLS, stamp=stamp)
    agent.ask("data", "mine", "x")
    assert len(agent.said) == 1
    agent.answers.calls += 1
    same = agent.ask("data", "mine", "x")
    assert agent.said[-1] == (2, stamp + served.question("data", "mine", "x"))
    agent.answer(2, (), holds=served.UNCHANGED)
    assert same == [(("content",), LARGE)]
    agent.answers.calls += 1
    changed = agent.ask("data", "mine", "x")
    agent.answer(3, ("content",), b"other", holds=served.UNTIL_CALLS)
    assert changed == [(("content",), b"other")]


def test_data_is_not_shared_with_calls_that_came_after_it_was_asked_for(agent: Agent) -> None:
    before = agent.ask("data", "mine", "x")
    agent.answers.calls += 1
    after = agent.ask("data", "mine", "x")
    assert [number for number, _ in agent.said] == [1, 2]
    agent.answers.take(1, served.answer(("content",), b"old", holds=served.UNTIL_CALLS))
    agent.answer(2, ("content",), b"new", holds=served.UNTIL_CALLS)
    assert (before, after) == ([(("content",), b"old")], [(("content",), b"new")])


def test_data_is_forgotten_when_it_is_too_much(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "MOST_DATA", 250_000)
    agent.ask(*QUESTION)
    agent.answer(1, ("modules",), LARGE)
    before = len(os.listdir("/proc/self/fd"))
    for number in range(2, 8):
        found = agent.ask("data", "mine", str(number))
        agent.answer(number, ("content",), LARGE, holds=served.UNTIL_CALLS)
        assert found == [(("content",), LARGE)]
    assert len(os.listdir("/proc/self/fd")) == before + 2
    agent.ask(*QUESTION)
    agent.ask("data", "mine", "7")
    agent.join()
    assert len(agent.said) == 7


def test_modules_are_shared_whatever_calls_come(agent: Agent) -> None:
    agent.ask(*QUESTION)
    agent.answers.calls += 1
    agent.ask(*QUESTION)
    assert len(agent.said) == 1
    agent.answer(1, ("modules",))


def test_who_asked_and_is_gone_is_not_waited_for(agent: Agent) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    message = served.ASK + served.question(*QUESTION)
    socket.send_fds(agent.answers.asking, [message], [theirs.fileno()])
    ours.close()
    theirs.close()
    assert agent.watcher.handle(PATIENCE)
    agent.answer(1, ("modules",), LARGE)


def test_who_waits_when_the_agent_ends_is_told(agent: Agent) -> None:
    found = agent.ask(*QUESTION)
    agent.answers.close()
    agent.join()
    assert isinstance(found[0], OSError)


def test_what_is_not_a_question_is_passed_on_all_the_same(agent: Agent) -> None:
    """The other side says what it thinks of it."""
    found = agent.ask("nonsense")
    agent.answer(1, ("error", "what?"))
    assert found == [(("error", "what?"), b"")]


def test_a_name_that_is_too_long_is_asked_of_nobody(agent: Agent) -> None:
    with pytest.raises(OSError, match="too long"):
        agent.door.ask("data", "mine", "x" * served.LONGEST)
    assert not agent.said
