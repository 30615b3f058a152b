"""Code that crosses to another Python, wherever it is from: what lies in files of any kind, what
is typed, what was changed since, and what nobody has kept."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import linecache
import os
import platform
import subprocess
import sys
import textwrap
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import interstate
from interstate import Host, PythonVersionError, SSHExecutor

from . import pythons
from .sshd import Keys, Sshd

PATIENCE = 60.0
OURS = platform.python_version()
OURS_MINOR = ".".join(OURS.split(".")[:2])


@pytest.fixture(scope="module")
def executors(loopback_host: Host) -> Iterator[dict[str, SSHExecutor]]:
    """One for each Python; each has its worker."""
    found = {version: pythons.find(version) for version in pythons.HOSTS}
    with contextlib.ExitStack() as stack:
        made = {
            version: stack.enter_context(
                SSHExecutor(loopback_host, python=python, workers_per_host=1)
            )
            for version, python in found.items()
            if python is not None
        }
        for future in [executor.submit(lambda: platform.node()) for executor in made.values()]:
            future.result(PATIENCE)
        yield made


@pytest.fixture(params=pythons.HOSTS)
def executor(request: pytest.FixtureRequest, executors: dict[str, SSHExecutor]) -> SSHExecutor:
    """One with a Python of each version that is on this machine."""
    version: str = request.param
    if version not in executors:
        pytest.skip(pythons.why_not(version))
    return executors[version]


@pytest.fixture(params=[version for version in pythons.HOSTS if version != OURS_MINOR])
def other(request: pytest.FixtureRequest, executors: dict[str, SSHExecutor]) -> SSHExecutor:
    """The same, but none of our version."""
    version: str = request.param
    if version not in executors:
        pytest.skip(pythons.why_not(version))
    return executors[version]


@pytest.fixture
def same(executors: dict[str, SSHExecutor]) -> SSHExecutor:
    """One with a Python of our version."""
    if OURS_MINOR not in executors:
        pytest.skip(pythons.why_not(OURS_MINOR))
    return executors[OURS_MINOR]


def call(executor: SSHExecutor, fn: Callable[..., Any], *args: Any) -> Any:
    return executor.submit(fn, *args).result(PATIENCE)


def refusal(executor: SSHExecutor, fn: Callable[..., Any], *args: Any) -> str:
    """The message of a call that cannot run there; other calls go on."""
    refused = executor.submit(fn, *args)
    after = executor.submit(divmod, 7, 2)
    error = refused.exception(PATIENCE)
    assert isinstance(error, PythonVersionError), error
    assert after.result(PATIENCE) == (3, 1)
    there = call(executor, platform.python_version)
    message = str(error)
    assert OURS in message
    assert there in message
    assert refused.host is not None
    assert str(refused.host) in message
    return message


def imported(path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The names of a file that was run as a script is."""
    module = types.ModuleType("__main__")
    module.__file__ = str(path)
    monkeypatch.setitem(sys.modules, "__main__", module)
    loader = importlib.util.spec_from_file_location("__main__", path)
    assert loader is not None
    assert loader.loader is not None
    code = loader.loader.get_code("__main__")  # type: ignore[attr-defined]
    exec(code, vars(module))
    return vars(module)


# ------------------------------------------------------------------------- files of any kind

TEXT = '''\
def outer(n):
    """Make one."""
    text = """over
    two lines"""

    class Local:
        name = "größer"

        def size(self):
            return n + len(self.name) + len(text)

    return Local().size(), (lambda x: x * n)(3), f"{text!r:>3}".count("\\\\n")

double = lambda x: (
    x
    * 2
)
'''
EXPECTED = (26, 6, 1), 8

LAYOUTS = {
    "usual": TEXT.encode(),
    "of Windows": TEXT.replace("\n", "\r\n").encode(),
    "of an old Mac": TEXT.replace("\n", "\r").encode(),
    "with tabs": TEXT.replace("    ", "\t").replace("\ttwo", "    two").encode(),
    "with a mark of its encoding": b"\xef\xbb\xbf" + TEXT.encode(),
    "in latin-1": b"# coding: latin-1\n" + TEXT.encode("latin-1"),
    "with form feeds": TEXT.replace("def outer", "\f\ndef outer").encode(),
    "without an end of its last line": TEXT.rstrip().encode(),
    "with continued lines": TEXT.replace("return n + len", "return \\\n  n + len").encode(),
    "with semicolons": TEXT.replace("    return Local", "    pass; return Local").encode(),
    "with trailing blanks": TEXT.replace(":\n", ":   \n").encode(),
    "with comments": TEXT.replace("    class", "# left\n    # ä\n    class").encode(),
    "under an if": b"if 1:\n" + textwrap.indent(TEXT, "  ").encode(),
    "within a function": (
        "def make():\n" + textwrap.indent(TEXT, "\t") + "\treturn outer, double\n\n"
        "outer, double = make()\n"
    ).encode(),
    "beside a deeper one": TEXT.replace(
        "    class Local", "    def size():\n        return 0\n\n    class Local"
    ).encode(),
    "with long lines": TEXT.replace("x * n)(3)", f"x * n)({'+'.join(['0'] * 500)} + 3)").encode(),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_file_of_any_layout(
    layout: str, executor: SSHExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "text.py"
    path.write_bytes(LAYOUTS[layout])
    names = imported(path, monkeypatch)
    expected = names["outer"](2), names["double"](4)
    assert (call(executor, names["outer"], 2), call(executor, names["double"], 4)) == expected
    if layout in ("usual", "in latin-1", "of Windows"):
        assert expected == EXPECTED


PRIVATE = """\
class __Hidden:
    class __Inner:
        def __get(self, __x):
            self.__y = __x
            return [self.__y for _ in range(2)]

        def get(self):
            return self.__get(3), vars(self)

    def inner(self):
        return self.__Inner().get()

    def of(self, other, *, __key=1):
        def deeper():
            __local = other.__dict__
            return __key, __local
        return deeper()

class _:
    def __plain(self):
        return "plain"

    def plain(self):
        return self.__plain()

def run():
    return __Hidden().inner(), __Hidden().of(__Hidden()), _().plain()
"""


def test_private_names_are_those_of_the_class_around(
    executor: SSHExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "text.py"
    path.write_text(PRIVATE)
    run = imported(path, monkeypatch)["run"]
    assert call(executor, run) == run()


SHADOWS = """\
x = "global"

def make(x, y):
    def x_is_free():
        return x
    def x_is_global():
        global x
        return x
    def both():
        def own(x):
            return x, y
        return own("own"), x
    class Local:
        x = "of the class"
        def method(self):
            return x, self.x, __class__.x
        def Local(self):
            return Local is type(self)
        method_of = method
    return x_is_free, x_is_global, both, Local().method, Local().Local

def same(same=1):
    return same

def outer():
    def outer():
        return "inner"
    return outer()

class method:
    def method(self):
        return method is type(self)

fns = make("closure", "y")

def run():
    return [fn() for fn in fns], same(), outer(), method().method()
"""


def test_each_name_is_found_where_it_was(
    executor: SSHExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "text.py"
    path.write_text(SHADOWS)
    run = imported(path, monkeypatch)["run"]
    assert call(executor, run) == run()


def test_a_module_of_the_standard_library_may_be_a_functions_own_name(
    executor: SSHExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "text.py"
    path.write_text("import math\ndef json(x):\n    import os\n    return math.floor(x), os.sep\n")
    assert call(executor, imported(path, monkeypatch)["json"], 1.5) == (1, "/")


# ---------------------------------------------------------------------- what was changed since


def change(path: Path, text: str) -> None:
    """Change a file so that whoever looks sees that it was."""
    path.write_text(text)
    later = time.time() + 10
    os.utime(path, (later, later))
    linecache.checkcache(str(path))


BEFORE = "def f(x):\n    return x + 1\n\ndef g(x):\n    return x * 2\n"


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, dict[str, Any]]:
    """A file, and the names that it has defined."""
    path = tmp_path / "text.py"
    path.write_text(BEFORE)
    return path, imported(path, monkeypatch)


AFTER = {
    "another constant": BEFORE.replace("+ 1", "+ 5"),
    "another operator": BEFORE.replace("+ 1", "- 1"),
    "another name": BEFORE.replace("def f", "def h"),
    "nothing": "",
    "no Python": "this is no Python",
    "another default": BEFORE.replace("return x + 1", "return x and 1"),
}


@pytest.mark.parametrize("after", AFTER)
def test_a_file_that_was_changed_runs_as_it_was_on_the_same_version(
    after: str, script: tuple[Path, dict[str, Any]], same: SSHExecutor
) -> None:
    path, names = script
    change(path, AFTER[after])
    assert call(same, names["f"], 1) == 2


@pytest.mark.parametrize("after", AFTER)
def test_a_file_that_was_changed_is_never_run_as_it_is_now(
    after: str, script: tuple[Path, dict[str, Any]], other: SSHExecutor
) -> None:
    path, names = script
    change(path, AFTER[after])
    assert "f is from Python" in refusal(other, names["f"], 1)


def test_what_did_not_change_in_a_changed_file_crosses(
    script: tuple[Path, dict[str, Any]], other: SSHExecutor
) -> None:
    path, names = script
    change(path, BEFORE.replace("* 2", "* 3"))
    assert call(other, names["f"], 1) == 2


def test_a_file_that_was_changed_after_it_was_read_crosses_as_it_was(
    script: tuple[Path, dict[str, Any]], other: SSHExecutor
) -> None:
    path, names = script
    assert call(other, names["f"], 1) == 2
    change(path, BEFORE.replace("+ 1", "+ 5"))
    assert call(other, names["f"], 1) == 2


def test_a_file_that_was_removed_runs_on_the_same_version(
    script: tuple[Path, dict[str, Any]], same: SSHExecutor
) -> None:
    path, names = script
    path.unlink()
    linecache.checkcache(str(path))
    assert call(same, names["f"], 1) == 2


def test_a_file_that_was_removed_crosses_to_no_other(
    script: tuple[Path, dict[str, Any]], other: SSHExecutor
) -> None:
    path, names = script
    path.unlink()
    linecache.checkcache(str(path))
    refusal(other, names["f"], 1)


def test_a_function_that_was_reloaded_runs_as_it_is_now(
    script: tuple[Path, dict[str, Any]], executor: SSHExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, names = script
    old = names["f"]
    assert call(executor, old, 1) == 2
    change(path, BEFORE.replace("+ 1", "+ 5"))
    assert call(executor, imported(path, monkeypatch)["f"], 1) == 6
    assert call(executor, old, 1) == 2


# ------------------------------------------------------------------------ what was not in a file


def without_source() -> Callable[[int], int]:
    linecache.cache.pop("<string>", None)  # since 3.13 the text of `python -c`, as xdist's is
    names: dict[str, Any] = {"__name__": "__main__"}
    exec("def made(x):\n    return x + 1\n", names)
    made: Callable[[int], int] = names["made"]
    return made


def test_what_exec_has_made_runs_on_the_same_version(same: SSHExecutor) -> None:
    assert call(same, without_source(), 1) == 2


def test_what_exec_has_made_says_why_it_cannot_cross(other: SSHExecutor) -> None:
    message = refusal(other, without_source(), 1)
    assert message.startswith(f"made is from Python {OURS} and cannot run ")
    assert "source" in message


def test_what_exec_has_made_is_refused_wherever_it_is(other: SSHExecutor) -> None:
    made = without_source()

    def calling() -> int:
        return made(1)

    assert "made is from Python" in refusal(other, calling)
    assert "made is from Python" in refusal(other, map, made, [1])


def test_a_cell_that_is_run_again_is_what_it_is_now(executor: SSHExecutor) -> None:
    results = []
    for number, plus in enumerate((1, 5)):
        text = f"def again(x):\n    return x + {plus}\n"
        file = f"<ipython-input-{number}-0123456789ab>"
        linecache.cache[file] = len(text), None, text.splitlines(keepends=True), file
        names: dict[str, Any] = {"__name__": "__main__"}
        exec(compile(text, file, "exec"), names)
        results.append(names["again"])
    try:
        assert [call(executor, again, 1) for again in results] == [2, 6]
    finally:
        for number in (0, 1):
            del linecache.cache[f"<ipython-input-{number}-0123456789ab>"]


TYPED = """\
import interstate
import interstate.loopback
hosts = interstate.loopback.hosts(1)
host = hosts.__enter__()[0]
executor = interstate.SSHExecutor(host, python={python!r}, workers_per_host=1)
def typed(x):
    return [y + x for y in range(3)]

executor.submit(typed, 2).exception()
print("came:", executor.submit(typed, 2).result())
executor.shutdown()
hosts.__exit__(None, None, None)
"""


@pytest.mark.skipif(sys.version_info < (3, 13), reason="what is typed is kept since Python 3.13")
@pytest.mark.parametrize("how", ["-i", "-c"])
def test_what_is_typed_crosses_where_it_is_kept(how: str, tmp_path: Path) -> None:
    python = pythons.find(pythons.HOSTS[0])
    if python is None:
        pytest.skip(pythons.why_not(pythons.HOSTS[0]))
    assert typed(how, python, tmp_path) == "came: [2, 3, 4]"


@pytest.mark.parametrize("how", ["-i", "-c"])
def test_what_is_typed_runs_on_the_same_version(how: str, tmp_path: Path) -> None:
    python = pythons.find(OURS_MINOR)
    if python is None:
        pytest.skip(pythons.why_not(OURS_MINOR))
    assert typed(how, python, tmp_path) == "came: [2, 3, 4]"


def typed(how: str, python: str, directory: Path) -> str:
    """What a function returns that is typed at Python's prompt, or given to it in its command."""
    text = TYPED.format(python=python)
    command = [sys.executable, "-q", "-i"] if how == "-i" else [sys.executable, "-c", text]
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    ran = subprocess.run(
        command,
        input=text if how == "-i" else "",
        env=environ,
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert "came:" in ran.stdout, ran.stderr
    [line] = [line for line in ran.stdout.splitlines() if "came:" in line]
    return line.strip()


# ------------------------------------------------------------------- what packages have generated

ATTRS = """\
import attrs

@attrs.define
class Point:
    x: int
    y: int = attrs.field(default=2, validator=attrs.validators.instance_of(int))
    seen: list = attrs.field(factory=list, repr=False, eq=False)

    def total(self):
        return self.x + self.y

    def moved(self):
        return attrs.evolve(self, x=self.x + 1)

@attrs.frozen(kw_only=True)
class Named(Point):
    name: str = attrs.field(converter=str, default=7)

@attrs.define(slots=False)
class Plain:
    __x = attrs.field(default=5)
    table: dict = attrs.field(factory=lambda: {"a": Point(1)})

    def get(self):
        return self._Plain__x, self.table["a"].total()

def run():
    point = Point(1)
    try:
        Point(1, "y")
    except TypeError as error:
        refused = type(error).__name__
    named = Named(x=1)
    return (
        repr(point), point == Point(1, 2), point.moved().total(), refused,
        repr(named), named.name, Plain().get(), attrs.asdict(Point(3)),
    )

def make():
    return Point(4), Named(x=5), Plain
"""


def with_packages(directory: Path, python: str, *names: str) -> str:
    """An interpreter that has packages of ours, which are of pure Python."""
    for name in names:
        module = importlib.import_module(name)
        assert module.__file__ is not None
        (directory / name).symlink_to(Path(module.__file__).parent)
    path = directory / "python"
    path.write_text(f'#!/bin/sh\nPYTHONPATH="{directory}" exec {python} "$@"\n')
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("version", pythons.HOSTS)
def test_classes_of_attrs_cross(
    version: str, tmp_path: Path, loopback_host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("attrs")
    python = pythons.find(version)
    if python is None:
        pytest.skip(pythons.why_not(version))
    (tmp_path / "text.py").write_text(ATTRS)
    names = imported(tmp_path / "text.py", monkeypatch)
    (tmp_path / "there").mkdir()
    python = with_packages(tmp_path / "there", python, "attr", "attrs")
    with SSHExecutor(loopback_host, python=python, workers_per_host=1) as executor:
        assert call(executor, names["run"]) == names["run"]()
        point, named, plain = call(executor, names["make"])
    assert (point, named, plain) == (names["Point"](4), names["Named"](x=5), names["Plain"])


# ----------------------------------------------------------------------------- hosts that differ


@pytest.fixture
def differing(tmp_path: Path, keys: Keys) -> Iterator[list[Host]]:
    """Hosts with the oldest and the newest Python: what is called as ours is another one."""
    hosts = []
    with contextlib.ExitStack() as stack:
        for version in (pythons.HOSTS[0], pythons.HOSTS[-1]):
            python = pythons.find(version)
            if python is None:
                pytest.skip(pythons.why_not(version))
            place = tmp_path / version
            place.mkdir()
            (place / f"python{OURS_MINOR}").symlink_to(python)
            sshd = stack.enter_context(Sshd(place, keys, env={"PATH": str(place)}))
            hosts.append(sshd.host())
        yield hosts


def test_one_function_goes_to_hosts_of_different_pythons(differing: list[Host]) -> None:
    plus = 10

    def job(environ: interstate.Environ) -> tuple[str, list[int]]:
        def add(y: int) -> int:
            return y + plus + environ.index

        return platform.python_version()[:4], [add(y) for y in range(2)]

    first, second = interstate.execute(job, hosts=differing, ssh_config=None)
    assert first == ("3.9.", [10, 11])
    assert second == ("3.13", [11, 12])


def test_what_was_made_on_one_python_goes_on_to_another(
    executors: dict[str, SSHExecutor],
) -> None:
    """Through here, which is a third one."""

    def make(n: int) -> Callable[[int], Any]:
        class Made:
            def __init__(self, x: int) -> None:
                self.__x = x

            def get(self) -> list[int]:
                return [self.__x + n for _ in range(2)]

        return lambda x: Made(x).get()

    for start in executors:
        made = call(executors[start], make, 5)
        assert made(1) == [6, 6]
        for end in executors:
            assert call(executors[end], made, 2) == [7, 7], (start, end)


def test_a_traceback_names_the_python_over_there(executor: SSHExecutor) -> None:
    import traceback

    def fail(x: int) -> float:
        return 1 / x  # where it fails

    there = call(executor, platform.python_version)
    error = executor.submit(fail, 0).exception(PATIENCE)
    assert error is not None
    text = "".join(traceback.format_exception(error))
    assert f"Python {there}>" in text
    assert "return 1 / x  # where it fails" in text
    assert f'"{__file__}", line {fail.__code__.co_firstlineno + 1}, in fail' in text
