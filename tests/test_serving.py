"""What a host may ask for when it imports, and what it gets: the user's own modules and no more."""

from __future__ import annotations

import os
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interstate import installed, projects, serving
from interstate.remote import served, wire
from interstate.serving import Provide, Serving, find_file

from .trees import PATIENCE, Tree

MAGIC = installed.MAGIC
NO_STAMP = bytes(served.STAMP)


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tree]:
    tree = Tree(tmp_path, monkeypatch)
    tree.importable()
    tree.write({
        "mine/__init__.py": "",
        "mine/inner.py": "",
        "mine/words.txt": "words",
        "mine/data/more.txt": "more",
        "secret.txt": "secret",
        "folder/secret.txt": "secret",
        "spacious/part/__init__.py": "",
        "spacious/notes.txt": "notes",
    })  # fmt: skip
    yield tree
    tree.forget()


class Client:
    """Asks as a host does."""

    def __init__(self, provide: Provide | None = None) -> None:
        self._serving = Serving(provide)
        self._serving.start()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._serving.close()

    def begin(self, content: bytes) -> tuple[threading.Event, list[bytes]]:
        arrived, frames = threading.Event(), list[bytes]()

        def reply(frame: bytes) -> None:
            frames.append(frame)
            arrived.set()

        self._serving.ask(0, 7, content, reply)
        return arrived, frames

    def ask_raw(self, content: bytes) -> tuple[int, bytes, served.Head, bytes]:
        """How long an answer holds, its stamp, its head and its body."""
        arrived, frames = self.begin(content)
        assert arrived.wait(PATIENCE)
        ((kind, number, answer),) = wire.Decoder().receive(frames[0])
        assert (kind, number) == (wire.SERVED, 7)
        holds, stamp, _, rest = served.cut(answer)
        head, body = served.head_and_body(rest)
        return holds, stamp, head, bytes(body)

    def ask(self, *words: str) -> served.Head:
        return self.ask_raw(NO_STAMP + served.question(*words))[2]

    def module(self, name: str, there: str = "") -> served.Head:
        return self.ask(served.MODULE, name, there, MAGIC)


@pytest.fixture
def client() -> Iterator[Client]:
    with Client() as client:
        yield client


NOT_MODULES = [
    "../mine",
    "/etc/passwd",
    "os.path",
    "os",
    "sys",
    "pytest",
    "numpy",
    "hypothesis.strategies",
    "interstate",
    "interstate.executor",
    "cloudpickle",
    "__main__",
    "mine/inner",
    "mine.words.txt",
    "mine..inner",
    ".mine",
    "mine.",
    "",
    "mine.none",
    "none",
    "folder",
    "a" * 100_000,
]


@pytest.mark.parametrize("name", NOT_MODULES, ids=lambda name: name[:20])
def test_what_is_no_module_of_the_users_is_not_served(
    name: str, client: Client, tree: Tree
) -> None:
    head = client.module(name)
    if head[0] == served.MODULES:  # a folder is a namespace, but nothing is in it
        assert [kind for kind, *_ in head[1].values()] == [served.NAMESPACE]
        assert name == "folder"
    else:
        assert head[0] == served.ABSENT


NOT_QUESTIONS = [
    b"",
    b"\0",
    b"module",
    b"module\0mine",
    b"module\0mi\0ne\0\0",
    b"data",
    b"\xff\xfe",
    b"nothing\0of\0these",
    b"metadata",
]


@pytest.mark.parametrize("question", NOT_QUESTIONS)
def test_what_is_no_question_is_answered_with_an_error(
    question: bytes, client: Client, tree: Tree
) -> None:
    assert client.ask_raw(NO_STAMP + question)[2][0] == served.ERROR
    assert client.module("mine")[0] == served.MODULES  # it goes on


@given(st.binary(max_size=80))
def test_no_question_is_left_without_an_answer(content: bytes) -> None:
    with Client() as client:
        assert client.ask_raw(content)[2]


NOT_FILES = [
    ("mine", ("..", "secret.txt")),
    ("mine", ("data", "..", "..", "secret.txt")),
    ("mine", ("/etc/passwd",)),
    ("mine", ("data/more.txt",)),
    ("mine", ("",)),
    ("mine", (".",)),
    ("mine", ("words.txt\0",)),
    ("mine", ("none.txt",)),
    ("mine", ("linked.txt",)),
    ("mine", ("linked", "secret.txt")),
    ("mine", ("pipe",)),
    ("mine.inner", ("words.txt",)),
    ("folder", ("secret.txt",)),
    ("spacious", ("notes.txt",)),
    ("json", ("decoder.py",)),
    ("pytest", ("__init__.py",)),
    ("interstate", ("link.py",)),
    ("../mine", ("words.txt",)),
    ("", ("secret.txt",)),
]


@pytest.mark.parametrize(("package", "parts"), NOT_FILES)
def test_no_file_leaves_that_is_not_data_of_an_own_package(
    package: str, parts: tuple[str, ...], client: Client, tree: Tree
) -> None:
    (tree.root / "mine/linked.txt").symlink_to(tree.root / "secret.txt")
    (tree.root / "mine/linked").symlink_to(tree.root / "folder")
    os.mkfifo(tree.root / "mine/pipe")
    assert find_file(package, parts) is None
    if not any("\0" in part for part in parts):
        assert client.ask(served.DATA, package, *parts)[0] == served.ABSENT
        assert client.ask(served.FOLDER, package, *parts)[0] == served.ABSENT


def test_data_of_own_packages_is_served(client: Client, tree: Tree) -> None:
    (tree.root / "mine/link.txt").symlink_to("words.txt")
    for parts, content in ((("words.txt",), b"words"), (("data", "more.txt"), b"more")):
        question = NO_STAMP + served.question(served.DATA, "mine", *parts)
        holds, _, head, body = client.ask_raw(question)
        assert (holds, head, body) == (served.UNTIL_CALLS, (served.CONTENT,), content)
    assert client.ask(served.DATA, "mine", "link.txt") == (served.CONTENT,)
    assert dict(client.ask(served.FOLDER, "mine")[1])["data"] is True


def test_what_is_the_same_is_not_sent_again(client: Client, tree: Tree) -> None:
    question = served.question(served.DATA, "mine", "words.txt")
    stamp = client.ask_raw(NO_STAMP + question)[1]
    assert client.ask_raw(stamp + question)[0] == served.UNCHANGED
    tree.write({"mine/words.txt": "others"})
    assert client.ask_raw(stamp + question)[3] == b"others"


def test_data_of_a_package_in_an_archive_is_served(client: Client, tree: Tree) -> None:
    with zipfile.ZipFile(tree.root / "whole.zip", "w") as archive:
        archive.writestr("top.txt", "secret")
        archive.writestr("zipped/__init__.py", "")
        archive.writestr("zipped/data/words.txt", "words")
    tree.importable("whole.zip")
    question = served.question(served.DATA, "zipped", "data", "words.txt")
    holds, stamp, head, body = client.ask_raw(NO_STAMP + question)
    assert (holds, head, body) == (served.UNTIL_CALLS, (served.CONTENT,), b"words")
    assert client.ask_raw(stamp + question)[0] == served.UNCHANGED
    assert client.ask(served.FOLDER, "zipped")[1] == [("__init__.py", False), ("data", True)]
    assert client.ask(served.FOLDER, "zipped", "data")[1] == [("words.txt", False)]
    for parts in (("..", "top.txt"), ("../top.txt",), ("/top.txt",), ("top.txt",), ("data",), ()):
        assert client.ask(served.DATA, "zipped", *parts)[0] == served.ABSENT
    for parts in (("..",), ("data", ".."), ("data", "words.txt"), ("none",)):
        assert client.ask(served.FOLDER, "zipped", *parts)[0] == served.ABSENT


def test_data_of_a_namespace_is_served_once_it_is_imported(client: Client, tree: Tree) -> None:
    tree.load("spacious")
    assert client.ask(served.DATA, "spacious", "notes.txt") == (served.CONTENT,)


def test_a_host_cannot_have_anything_imported(client: Client, tree: Tree) -> None:
    tree.write({"loud/__init__.py": "raise SystemExit", "loud/deep/__init__.py": "", "loud/x": ""})
    before = set(sys.modules)
    assert client.module("loud.deep")[0] == served.MODULES
    assert client.ask(served.SUBMODULES, "loud")[0] == served.NAMES
    assert client.ask(served.DATA, "loud.deep", "x")[0] == served.ABSENT
    assert client.ask(served.DATA, "loud", "x")[0] == served.CONTENT
    assert "loud" not in set(sys.modules) - before


def test_a_lazy_module_is_not_imported_by_a_look_at_it(client: Client, tree: Tree) -> None:
    import importlib.util

    tree.write({"lazily.py": "raise AssertionError('it was imported')\n"})
    spec = importlib.util.find_spec("lazily")
    assert spec is not None
    assert spec.loader is not None
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = importlib.util.module_from_spec(spec)
    sys.modules["lazily"] = module
    try:
        spec.loader.exec_module(module)
        assert client.module("lazily")[0] == served.MODULES
    finally:
        del sys.modules["lazily"]


def test_odd_things_in_sys_modules_do_no_harm(
    client: Client, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Odd:
        def __getattr__(self, name: str) -> Any:
            raise AssertionError("it was asked")

    odd = {"odd": Odd(), "blocked": None, "text": "text", "mine.odd": Odd()}
    with monkeypatch.context() as within:
        for name, value in odd.items():
            within.setitem(sys.modules, name, value)
        assert client.module("mine")[0] == served.MODULES
        assert client.module("odd")[0] == served.ABSENT
        assert client.module("blocked")[0] == served.ABSENT


# ------------------------------------------------------------------------ what is own


def test_what_is_installed_or_pythons_is_not_the_users_own(tree: Tree) -> None:
    import json

    assert projects.find("mine") is not None
    assert not projects.is_own_path(json.__file__)
    assert not projects.is_own_path(pytest.__file__)
    assert projects.is_own_path(__file__)


def test_own_is_what_lies_beside_the_environment_in_a_project(tree: Tree) -> None:
    root = str(tree.root)
    assert projects.is_own_path(f"{root}/project/src/x.py")
    assert not projects.is_own_path(f"{root}/project/.venv/lib/python3.12/site-packages/y.py")
    assert not projects.is_own_path(f"{root}/usr/lib/python3/dist-packages/z.py")


# --------------------------------------------------------------------------- providing


def test_who_provides_is_asked_for_what_a_host_lacks_only(tree: Tree) -> None:
    asked: list[tuple[int, str]] = []

    def provide(host: int, name: str) -> list[str] | None:
        asked.append((host, name))
        return ["/there"] if name == "numpyish" else None

    with Client(provide) as client:
        assert client.module("numpyish") == (served.PATH, ["/there"])
        assert client.module("unknown")[0] == served.ABSENT
        assert client.module("hasitself", "1")[0] == served.ABSENT
        assert client.module("mine")[0] == served.MODULES
        assert client.module("json")[0] == served.ABSENT
    assert asked == [(0, "numpyish"), (0, "unknown")]


def test_providing_may_take_long_without_holding_up_other_answers(tree: Tree) -> None:
    go_on = threading.Event()

    def provide(host: int, name: str) -> list[str]:
        assert go_on.wait(PATIENCE)
        return ["/there"]

    with Client(provide) as client:
        arrived, _ = client.begin(NO_STAMP + served.question(served.MODULE, "slow", "", MAGIC))
        assert client.module("mine")[0] == served.MODULES
        assert not arrived.is_set()
        go_on.set()
        assert arrived.wait(PATIENCE)


def test_who_provides_and_fails_fails_the_import(tree: Tree) -> None:
    def provide(host: int, name: str) -> list[str]:
        raise RuntimeError("no disk is left")

    with Client(provide) as client:
        kind, why = client.module("numpyish")
    assert kind == served.ERROR
    assert "no disk is left" in why


def test_after_the_end_nobody_is_answered_and_nothing_runs() -> None:
    serving = Serving()
    serving.start()
    serving.close()
    serving.ask(0, 1, NO_STAMP, lambda frame: pytest.fail("answered"))


def test_what_is_asked_but_not_answered_by_the_end_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    looking, goes_on, asked = threading.Event(), threading.Event(), list[str]()

    class Slow:
        @staticmethod
        def find_spec(name: str, path: Any = None, target: Any = None) -> None:
            asked.append(name)
            looking.set()
            goes_on.wait(PATIENCE)

    monkeypatch.setattr(sys, "meta_path", [Slow])
    client = Client()
    ignore = client.begin(bytes(served.STAMP) + served.question(served.MODULE, "first", "1", ""))
    client.begin(bytes(served.STAMP) + served.question(served.MODULE, "second", "1", ""))
    assert looking.wait(PATIENCE)
    ending = threading.Thread(target=client.__exit__)
    ending.start()
    while not client._serving._closed:
        ending.join(0.001)
    goes_on.set()
    ending.join(PATIENCE)
    assert asked == ["first"]
    assert ignore[0].is_set()


def test_the_end_waits_once_however_many_are_provided(monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on = threading.Event()
    begun = threading.Semaphore(0)

    def provide(host: int, name: str) -> None:
        begun.release()
        goes_on.wait(PATIENCE)

    monkeypatch.setattr(serving, "_ENDING", 2.0)
    client = Client(provide)
    for index in range(8):
        question = served.question(served.MODULE, f"nowhere_{index}", "", "")
        client.begin(bytes(served.STAMP) + question)
    for _ in range(8):
        assert begun.acquire(timeout=PATIENCE)
    threads = list(client._serving._providers)
    before = time.monotonic()
    client.__exit__()
    waited = time.monotonic() - before
    goes_on.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert waited < 8 * 2.0
