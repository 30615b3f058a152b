"""What is sent to start an agent."""

from __future__ import annotations

import os
import sys

import pytest

from interstate import boot
from interstate.shipment import shipment, sources

from . import pythons
from .packages import Process, minor_version

OTHERS = [version for version in pythons.HOSTS if version != minor_version()]


def sent_to(python: str) -> tuple[boot.Hello, list[bytes]]:
    """Start an agent here; return its HELLO, and what was sent for it."""
    sent: list[bytes] = []
    start = boot.prepare(python)
    process = Process(start.command, os.environ, lambda _, data: sent.append(data))
    try:
        hello, _, more = boot.await_hello(process, start)
    finally:
        process.end()
    assert not more
    return hello, sent


def test_a_python_like_this_one_gets_bytecode_alone() -> None:
    hello, sent = sent_to(sys.executable)
    assert hello.python[:2] == sys.version_info[:2]
    assert sent == [shipment()]
    assert len(sources()) > 50_000, "which would be in vain"


@pytest.mark.parametrize("version", OTHERS)
def test_another_python_asks_for_the_sources(version: str) -> None:
    python = pythons.find(version)
    if python is None:
        pytest.skip(pythons.why_not(version))
    hello, sent = sent_to(python)
    assert "{}.{}".format(*hello.python) == version
    assert sent == [shipment(), sources()]
