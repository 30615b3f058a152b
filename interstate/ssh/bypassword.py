"""Logging in by what a person knows: a password, or answers to what the server asks (RFC 4256)."""

from __future__ import annotations

import logging

from paramiko.message import Message

from ..printable import printable
from .asking import NOBODY, Asker, Whose
from .conversation import Questions
from .prompts import as_bytes, asks_for_password, introduction, prompt_for
from .trial import Trial

MOST_ROUNDS = 40  # of questions in one attempt
_log = logging.getLogger("interstate")


class _Asking:
    """What both ways have in common.  Its mutable state: how often, and what, was tried."""

    def __init__(self, trial: Trial, asker: Asker, whose: Whose) -> None:
        self._trial = trial
        self._asker = asker
        self._whose = whose
        self._attempts = 0
        self._refused: set[str] = set()
        self._doubtful: set[str] = set()  # of these, those that maybe something else was wrong with

    def _may_go_on(self) -> bool:
        most = self._trial.settings.prompts
        if not most:
            self._trial.note("a password: NumberOfPasswordPrompts is 0")
        if self._trial.settings.batch:
            self._trial.note("a password: BatchMode is on")
        return self._attempts < most and not self._trial.settings.batch

    def _wait_to_try(self) -> None:
        """Wait for one's turn to try a password; it may take as long as somebody types."""
        trial = self._trial
        if self._asker.can_ask() and self._asker.wait_to_try(self._whose, trial, trial.deadline):
            trial.asked = True

    def _password(self, prompt: str) -> str | None:
        if not self._is_somebody("a password"):
            return None
        whose, trial, most = self._whose, self._trial, self._trial.settings.prompts
        password = self._asker.known(whose, self._refused, most)
        if password is None:
            trial.asked = True
            password = self._asker.password(
                whose, prompt, self._refused, self._doubtful, most, trial.deadline
            )
        if password is None:
            trial.note(f"a password: {self._why_none()}")
        else:
            trial.tried.append("a password")
        return password

    def _why_none(self) -> str:
        if self._asker.is_wrong_elsewhere(self._whose, self._trial.settings.prompts):
            return "those given were refused by other hosts"
        return f"{'no other' if self._refused else 'none'} was given"

    def _is_somebody(self, what: str) -> bool:
        if self._asker.can_ask():
            return True
        self._trial.note(f"{what}: {NOBODY}")
        return False

    def _judge(self, password: str, *, accepted: bool, alone: bool = True) -> None:
        if accepted:
            self._asker.was_right(self._whose, password)
            return
        self._refused.add(password)
        if alone:
            self._asker.was_wrong(self._whose, password)
        else:
            self._doubtful.add(password)


class ByPassword(_Asking):
    """The method "password"."""

    def attempt(self) -> bool:
        """Try a password; return whether there was one, so that the server has answered."""
        if not self._may_go_on():
            return False
        self._attempts += 1
        self._wait_to_try()
        password = self._password(f"{self._whose.user}@{self._whose.host.name}'s password: ")
        if password is None:
            return False

        def finish(message: Message) -> None:
            message.add_boolean(False)
            message.add_string(as_bytes(password))

        self._judge(password, accepted=self._trial.request("password", finish))
        expired = self._trial.handler.expired
        if expired:
            self._trial.note(f"that password: {printable(expired).strip()!r}; see `ssh`")
        return not expired


class ByAnswers(_Asking):
    """The method "keyboard-interactive".

    The first prompt for the password is answered by the one that was given already.  Any other
    answer may be a code that serves once: it is asked for whenever a server wants it.
    """

    def __init__(self, trial: Trial, asker: Asker, whose: Whose) -> None:
        super().__init__(trial, asker, whose)
        self._was_asked = False
        self._given: list[str] = []
        self._gave_more = False

    def attempt(self) -> bool:
        """Answer what the server asks; return whether it has had all that it wanted to know."""
        if not self._may_go_on() or (self._attempts and not self._was_asked):
            return False
        self._attempts += 1
        self._given.clear()
        self._gave_more = False

        def finish(message: Message) -> None:
            message.add_string("")
            message.add_string("")

        accepted = self._trial.request("keyboard-interactive", finish)
        rounds = 0
        while (questions := self._trial.handler.questions) is not None:
            rounds += 1
            answers = self._answers(questions, rounds)
            if answers is None:
                return False
            accepted = self._trial.answer(answers)
        for password in self._given:
            self._judge(password, accepted=accepted, alone=not self._gave_more)
        return True

    def _answers(self, questions: Questions, rounds: int) -> list[str] | None:
        if rounds > MOST_ROUNDS:
            self._trial.note(f"an answer: it asks for ever ({MOST_ROUNDS} times)")
            return None
        before = introduction(questions.title, questions.instructions)
        if not questions.prompts:
            self._show(before)
            return []
        self._was_asked = True
        if any(asks_for_password(before + prompt, echo) for prompt, echo in questions.prompts):
            self._wait_to_try()  # not in our turn to ask: whoever tries one may have to
        answers: list[str] = []
        with self._asker.turn(self._trial.deadline):
            for prompt, echo in questions.prompts:
                answer = self._answer(before, prompt, echo)
                if answer is None:
                    return None
                answers.append(answer)
                before = ""
        return answers

    def _answer(self, before: str, prompt: str, echo: bool) -> str | None:
        text = before + prompt_for(self._whose.user, self._whose.host.name, prompt)
        if not self._given and asks_for_password(before + prompt, echo):
            password = self._password(text)
            if password is not None:
                self._given.append(password)
            return password
        what = f"an answer to {printable(prompt).strip()!r}"
        if not self._is_somebody(what):
            return None
        self._trial.asked = self._gave_more = True
        answer = self._asker.ask(self._whose.host, text, echo=echo)
        if answer is None:
            self._trial.note(f"{what}: none was given")
        else:
            self._trial.tried.append(what)
        return answer

    def _show(self, text: str) -> None:
        host = self._whose.host
        if text and not self._asker.say(f"{host}: {text.rstrip()}"):
            _log.info("%s says: %s", host, printable(text).strip())
