"""A module that is edited after it was imported runs over there as it was imported here."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from interstate import Host, SSHExecutor, asimported, projects
from interstate.asimported import AsImported, Source
from interstate.remote import served

from . import pythons
from .trees import PATIENCE, PREAMBLE, Tree

ONE = "RATE = 1\n\ndef rate():\n    return RATE\n"
TWO = ONE.replace("1", "2")
OTHER = "RATE = 3\n\ndef rate(x=0):\n    return RATE + x\n"


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tree]:
    tree = Tree(tmp_path, monkeypatch)
    tree.importable()
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    yield tree
    tree.forget()


def source_of(name: str, sources: AsImported | None = None) -> Source:
    """What would be sent of a module, by who has not looked before or by who has."""
    spec = projects.find(name)
    assert spec is not None
    return (sources or AsImported()).source(name, spec)


def text_of(source: Source) -> str:
    return served.unpacked(source.text).decode() if source.text else ""


def edit(tree: Tree, text: str, name: str = "edited.py") -> None:
    """Write a module anew, some seconds later."""
    path = tree.root / name
    when = path.stat().st_mtime + 10
    path.write_text(text)
    os.utime(path, (when, when))


def old(tree: Tree, name: str = "edited.py") -> None:
    """Make a file older than this process."""
    os.utime(tree.root / name, (1e9, 1e9))


# ------------------------------------------------------------------- over there, end to end


def test_an_edit_after_the_executor_was_made_changes_nothing(
    loopback_host: Host, tree: Tree
) -> None:
    tree.write({"edited.py": ONE})
    edited = tree.load("edited")
    with SSHExecutor([loopback_host]) as executor:
        edit(tree, TWO)
        assert executor.submit(edited.rate).result(PATIENCE) == 1


def test_an_edit_after_a_call_was_submitted_changes_nothing(
    loopback_host: Host, tree: Tree
) -> None:
    tree.write({"edited.py": ONE})
    with SSHExecutor([loopback_host]) as executor:
        executor.submit(abs, 1).result(PATIENCE)
        edited = tree.load("edited")
        executor.submit(abs, 1).result(PATIENCE)
        edit(tree, TWO)
        assert executor.submit(edited.rate).result(PATIENCE) == 1


@pytest.mark.parametrize("version", pythons.HOSTS)
def test_an_edit_before_the_first_executor_is_noticed(
    version: str, real_host: Host, tree: Tree
) -> None:
    """What is cached of the module runs where it can; where not, an error says what to do."""
    python = pythons.find(version)
    if python is None:
        pytest.skip(pythons.why_not(version))
    script = (
        PREAMBLE
        + f"""
import os, pathlib
import edited
path = pathlib.Path(edited.__file__)
path.write_text({OTHER!r})
os.utime(path, (path.stat().st_mtime + 10,) * 2)
with executor() as ex:
    try:
        print(ex.submit(edited.rate).result())
    except ImportError as error:
        print(error)
"""
    )
    tree.write({"edited.py": ONE, "script.py": script})
    printed = tree.run("script.py", host=real_host, python=python)
    if version == "%d.%d" % sys.version_info[:2]:  # noqa: UP031
        assert printed == "1\n"
    else:
        assert "was changed after it was imported; reload it" in printed


def test_what_is_reloaded_here_runs_on_hosts_that_ask_later(
    loopback_host: Host, tree: Tree
) -> None:
    tree.write({"edited.py": ONE})
    edited = tree.load("edited")
    with SSHExecutor([loopback_host]) as executor:
        assert executor.submit(edited.rate).result(PATIENCE) == 1
    edit(tree, TWO)
    importlib.reload(edited)
    with SSHExecutor([loopback_host]) as executor:
        assert executor.submit(edited.rate).result(PATIENCE) == 2


# ---------------------------------------------------------------------------- how it is known


def test_a_file_older_than_this_process_is_what_was_imported(tree: Tree) -> None:
    tree.write({"edited.py": ONE})
    old(tree)
    tree.load("edited").rate = None
    assert text_of(source_of("edited")) == ONE


def test_what_was_looked_at_is_kept_whatever_happens_to_the_file(tree: Tree) -> None:
    tree.write({"edited.py": ONE})
    tree.load("edited")
    sources = AsImported()
    sources.look()
    (tree.root / "edited.py").unlink()
    assert text_of(source_of("edited", sources)) == ONE


def test_bytecode_that_python_has_cached_is_sent_along(tree: Tree) -> None:
    tree.write({"edited.py": ONE})
    tree.load("edited")
    source = source_of("edited")
    assert text_of(source) == ONE
    assert source.code
    old(tree)
    assert not source_of("edited", AsImported()).code  # it is of another file


def test_code_that_fits_is_enough_where_nothing_is_cached(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    tree.write({"edited.py": ONE})
    tree.load("edited")
    assert text_of(source_of("edited")) == ONE


def test_changed_code_is_an_error_where_nothing_is_cached(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    tree.write({"edited.py": ONE})
    tree.load("edited")
    edit(tree, OTHER)
    source = source_of("edited")
    assert not source.text
    assert not source.code
    assert "was changed after it was imported" in source.problem


@pytest.mark.parametrize("changed", [TWO, OTHER, ONE + "\ndef more():\n    pass\n", "syntax error"])
def test_the_cached_bytecode_is_what_was_imported_before_an_edit(tree: Tree, changed: str) -> None:
    tree.write({"edited.py": ONE})
    tree.load("edited")
    edit(tree, changed)
    source = source_of("edited")
    assert not source.text
    assert source.code


def test_bytecode_that_another_process_has_cached_since_is_not_what_was_imported(
    tree: Tree,
) -> None:
    tree.write({"edited.py": ONE})
    tree.load("edited")
    edit(tree, OTHER)
    import py_compile

    py_compile.compile(str(tree.root / "edited.py"))
    source = source_of("edited")
    assert not source.text
    assert not source.code


def test_older_bytecode_that_could_not_be_written_anew_is_not_taken_for_the_module(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree.write({"edited.py": ONE})
    tree.load("edited")
    del sys.modules["edited"]
    edit(tree, TWO)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert tree.load("edited").rate() == 2
    assert text_of(source_of("edited")) == TWO


def test_a_reloaded_module_is_as_it_was_reloaded(tree: Tree) -> None:
    tree.write({"edited.py": ONE})
    edited = tree.load("edited")
    sources = AsImported()
    sources.look()
    assert text_of(source_of("edited", sources)) == ONE
    edit(tree, TWO)
    importlib.reload(edited)
    assert text_of(source_of("edited", sources)) == TWO


def test_a_module_that_is_not_imported_is_as_its_file_is(tree: Tree) -> None:
    tree.write({"edited.py": ONE})
    sources = AsImported()
    assert text_of(source_of("edited", sources)) == ONE
    edit(tree, TWO)
    assert text_of(source_of("edited", sources)) == TWO


def test_a_module_without_its_source_is_sent_as_its_bytecode(
    loopback_host: Host, tree: Tree
) -> None:
    import py_compile

    tree.write({"sourceless.py": ONE})
    path = str(tree.root / "sourceless.py")
    py_compile.compile(path, cfile=f"{path}c")
    (tree.root / "sourceless.py").unlink()
    sourceless = tree.load("sourceless")
    with SSHExecutor([loopback_host]) as executor:
        assert executor.submit(sourceless.rate).result(PATIENCE) == 1
    python = pythons.find("3.9")
    if python is not None:
        with SSHExecutor([loopback_host], python=python) as executor:
            error = executor.submit(sourceless.rate).exception(PATIENCE)
        assert isinstance(error, ImportError)
        assert "without its source" in str(error)


def test_all_kinds_of_code_in_a_module_count(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    text = """
import dataclasses, functools, enum

def wrapped(function):
    @functools.wraps(function)
    def wrapper(*args):
        return function(*args)
    return wrapper

@wrapped
def decorated(x):
    return x + 1

@dataclasses.dataclass
class Point:
    x: int = 1

    @property
    def prop(self):
        return 2

    @staticmethod
    def static():
        return 3

    @classmethod
    def klass(cls):
        return 4

    @functools.cached_property
    def cached(self):
        return 5

    class Inner:
        def method(self):
            return [n for n in range(6)]

class Color(enum.Enum):
    RED = 1

job = lambda x: x + 7
"""
    tree.write({"edited.py": text})
    tree.load("edited")
    assert text_of(source_of("edited")) == text
    for number in "234567":
        edit(tree, text.replace(number, "0"))
        assert not text_of(source_of("edited")), f"{number} was changed unnoticed"


def test_a_module_that_another_loader_has_changed_is_known_by_its_outline(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As pytest does it for tests: its asserts are other code than the text compiles to."""
    from importlib.machinery import SourceFileLoader

    class Changing(SourceFileLoader):
        def source_to_code(self, data: Any, path: Any, **_: Any) -> Any:  # type: ignore[override]
            return compile(bytes(data).replace(b"return RATE", b"return 4"), path, "exec")

    tree.write({"edited.py": ONE})
    loader = Changing("edited", str(tree.root / "edited.py"))
    spec = importlib.util.spec_from_file_location("edited", loader=loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "edited", module)
    loader.exec_module(module)
    assert module.rate() == 4
    assert text_of(source_of("edited")) == ONE
    edit(tree, "\n" + ONE)
    assert not text_of(source_of("edited"))


def test_a_test_module_of_pytests_is_served(loopback_host: Host) -> None:
    source = source_of(__name__)
    assert text_of(source) == Path(__file__).read_text()
    with SSHExecutor([loopback_host]) as executor:
        assert executor.submit(_of_this_module, 3).result(PATIENCE) == 4


def _of_this_module(x: int) -> int:
    assert x == 3
    return x + 1


def test_a_look_at_what_is_known_costs_next_to_nothing(tree: Tree) -> None:
    tree.write({f"many{n}.py": ONE for n in range(200)})
    for n in range(200):
        tree.load(f"many{n}")
    asimported.as_imported.look()
    assert asimported.as_imported.count == len(sys.modules)
    before = time.process_time()
    for _ in range(10):
        asimported.as_imported.look()
    assert time.process_time() - before < 0.5
