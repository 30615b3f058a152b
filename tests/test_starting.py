"""What is sent to start an agent."""

from __future__ import annotations

import os
import sys

import pytest

from interstate import boot
from interstate.remote.hello import hello
from interstate.shipment import shipment, sources

from . import pythons
from .packages import Process, minor_version

OTHERS = [version for version in pythons.HOSTS if version != minor_version()]


def sent_to(python: str) -> tuple[boot.Hello, list[bytes]]:
    """Start an agent here; return its HELLO, and what was sent after the line for other shells."""
    sent: list[bytes] = []
    start = boot.prepare(python)
    process = Process(start.command, os.environ, lambda _, data: sent.append(data))
    try:
        greeting, _, more = boot.await_hello(process, start)
    finally:
        process.end()
    assert not more
    assert sent[0].startswith(start.again)
    return greeting, [sent[0].removeprefix(start.again), *sent[1:]]


def test_a_python_like_this_one_gets_bytecode_alone() -> None:
    greeting, sent = sent_to(sys.executable)
    assert greeting.python[:2] == sys.version_info[:2]
    assert sent == [shipment()]
    assert len(sources()) > 50_000, "which would be in vain"


@pytest.mark.parametrize("version", OTHERS)
def test_another_python_asks_for_the_sources(version: str) -> None:
    python = pythons.find(version)
    if python is None:
        pytest.skip(pythons.why_not(version))
    greeting, sent = sent_to(python)
    assert "{}.{}".format(*greeting.python) == version
    assert sent == [shipment(), sources()]


@pytest.mark.parametrize("fact", [b"memory", b"cpus"])
@pytest.mark.parametrize("amount", [b"1" + b"0" * 400, b"-1"])
def test_a_hello_with_amounts_that_nobody_has_is_none(fact: bytes, amount: bytes) -> None:
    """They would be told to the user, and reckoned with."""
    words = hello(b"").split(b"\0")
    words[words.index(fact) + 1] = amount
    with pytest.raises(boot.NoAgentError, match="HELLO is none"):
        boot._parse(b"\0".join(words))
