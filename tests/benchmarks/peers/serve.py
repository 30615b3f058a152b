"""The far side of `Peer`: answers lines of JSON on stdin with lines of JSON on stdout."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

Where = Mapping[str, Any]  # a host, as the fields of interstate.Host
Commands = Mapping[str, Callable[..., list[float]]]


def serve(commands: Commands) -> None:
    """Do what is asked for, one thing after the other, until stdin ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer
    for line in sys.stdin:
        print(json.dumps(_answer(commands, **json.loads(line))), file=answers, flush=True)


def _answer(commands: Commands, what: str, args: list[Any]) -> dict[str, Any]:
    try:
        return {"figures": commands[what](*args)}
    except Exception as error:  # the row says so
        return {"error": f"{type(error).__name__}: {error}"}
