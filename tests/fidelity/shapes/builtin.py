"""Exceptions of the interpreter and the standard library, most of them really come by."""

import asyncio
import concurrent.futures
import email.message
import importlib
import io
import json
import os
import re
import subprocess
import urllib.error
import xml.etree.ElementTree
from typing import Any, NoReturn


def division() -> object:
    """`ZeroDivisionError`"""
    ones = [1]
    return ones[0] / (len(ones) - 1) + 1


def assertion() -> None:
    """`AssertionError`"""
    numbers = [1, 2]
    assert len(numbers) == 3, "three of them"


def decoding() -> object:
    """`UnicodeDecodeError`"""
    return b"ab\xff\xfe".decode()


def encoding() -> object:
    """`UnicodeEncodeError`"""
    return "ab\ud800".encode()


def os_error() -> NoReturn:
    """`OSError` with errno and file name"""
    raise OSError(28, "No space left on device", "/some/file")


def file_not_found() -> object:
    """`FileNotFoundError` of `open`"""
    return open("/nowhere/at/all")


def two_files() -> None:
    """`OSError` with two file names"""
    os.rename("/nowhere/from", "/nowhere/to")


def syntax() -> object:
    """`SyntaxError` of `compile`"""
    return compile("x = 1\ny = = 2\n", "given.py", "exec")


def import_error() -> NoReturn:
    """`ImportError` with name and path"""
    raise ImportError("cannot import it", name="some.module", path="/some/where.py")


def no_module() -> object:
    """`ModuleNotFoundError` of an import"""
    return importlib.import_module("no_such_module_anywhere")


class _Thing:
    def __repr__(self) -> str:
        return "<a thing>"


def no_attribute() -> object:
    """`AttributeError` with name and object"""
    thing: Any = _Thing()
    return thing.missing


def no_name() -> object:
    """`NameError`"""
    return undefined_name  # type: ignore[name-defined]  # noqa: F821


def stop_iteration() -> NoReturn:
    """`StopIteration` with a value"""
    raise StopIteration(["the", "value"])


def system_exit() -> NoReturn:
    """`SystemExit`"""
    raise SystemExit(3)


def keyboard_interrupt() -> NoReturn:
    """`KeyboardInterrupt`"""
    raise KeyboardInterrupt("by hand")


def generator_exit() -> NoReturn:
    """`GeneratorExit`"""
    raise GeneratorExit


def _down(depth: int) -> int:
    return 1 + _down(depth + 1)


def recursion() -> object:
    """`RecursionError` of a recursion"""
    return _down(0)


def memory() -> object:
    """`MemoryError` of an allocation"""
    return bytearray(1 << 60)


def process() -> object:
    """`CalledProcessError`"""
    command = ["sh", "-c", "echo out; echo err >&2; exit 3"]
    return subprocess.run(command, capture_output=True, check=True)


def process_timeout() -> NoReturn:
    """`TimeoutExpired`"""
    raise subprocess.TimeoutExpired(["a", "command"], 3.5, b"out", b"err")


def json_text() -> object:
    """`JSONDecodeError`"""
    return json.loads('{"a": 1,\n "b": }')


def pattern() -> object:
    """`re.error`"""
    return re.compile("a(b")


def xml_text() -> object:
    """`xml.etree`'s `ParseError`"""
    return xml.etree.ElementTree.fromstring("<a>\n<b></a>")


def http() -> NoReturn:
    """`urllib`'s `HTTPError` with a body"""
    headers = email.message.Message()
    headers["Server"] = "none"
    body = io.BytesIO(b"not here")
    raise urllib.error.HTTPError("http://host/page", 404, "Not Found", headers, body)


def cancelled_task() -> NoReturn:
    """`asyncio.CancelledError`"""
    raise asyncio.CancelledError("of a task")


def cancelled_future() -> NoReturn:
    """`concurrent.futures.CancelledError`"""
    raise concurrent.futures.CancelledError("of a future")
