"""The user's own modules travel: what is imported over there is what is imported here."""

from __future__ import annotations

import inspect
import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest

import interstate
from interstate import Host, SSHExecutor, bundles

from . import pythons
from .proxy import Proxy
from .trees import PATIENCE, PREAMBLE, Tree, questions


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tree]:
    """An empty project, importable here."""
    tree = Tree(tmp_path, monkeypatch)
    tree.importable()
    yield tree
    tree.forget()


@pytest.fixture(params=pythons.HOSTS)
def python(request: pytest.FixtureRequest) -> str:
    """An interpreter over there: the test runs once with each version."""
    found = pythons.find(request.param)
    if found is None:
        pytest.skip(pythons.why_not(request.param))
    return found


@pytest.fixture
def executor(loopback_host: Host) -> Iterator[SSHExecutor]:
    with SSHExecutor([loopback_host], workers_per_host=2) as executor:
        yield executor


@pytest.fixture
def elsewhere(loopback_host: Host, python: str) -> Iterator[SSHExecutor]:
    """An executor on each version of Python."""
    with SSHExecutor([loopback_host], python=python, workers_per_host=2) as executor:
        yield executor


@pytest.fixture
def wants(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    with questions(monkeypatch) as asked:
        yield asked


def outcome(future: Future[Any]) -> Any:
    return future.result(PATIENCE)


def failure(future: Future[Any]) -> BaseException:
    error = future.exception(PATIENCE)
    assert error is not None
    return error


def shown(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


def of_tests(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as one that needs none of the tests' own modules over there."""
    assert not function.__code__.co_freevars
    namespace = {"__name__": "__main__", "__builtins__": __builtins__}
    return FunctionType(function.__code__, namespace, function.__name__, function.__defaults__)


PACKAGE = {
    "pack/__init__.py": "from .core import compute\nVERSION = '1.0'\n",
    "pack/core.py": """
        from . import helpers
        from .deep.inner import offset

        def compute(x):
            return helpers.double(x) + offset()
        """,
    "pack/helpers.py": "def double(x):\n    return 2 * x\n",
    "pack/deep/__init__.py": "",
    "pack/deep/inner.py": "from ..numbers import ONE\n\ndef offset():\n    return ONE\n",
    "pack/numbers.py": "ONE = 1\n",
    "pack/late.py": "def name():\n    return __name__, __file__, __package__\n",
}


# ------------------------------------------------------------------------------- what travels


def test_a_package_runs_where_it_is_not_installed(host: Host, tree: Tree) -> None:
    tree.write(PACKAGE)
    pack = tree.load("pack")
    with SSHExecutor([host]) as executor:
        assert outcome(executor.submit(pack.compute, 4)) == 9
        assert outcome(executor.submit(lambda: pack.VERSION)) == "1.0"


def test_a_package_runs_on_any_python(elsewhere: SSHExecutor, tree: Tree) -> None:
    tree.write(PACKAGE)
    assert outcome(elsewhere.submit(tree.load("pack").compute, 4)) == 9


def test_a_module_that_is_imported_only_over_there_travels(
    elsewhere: SSHExecutor, tree: Tree
) -> None:
    tree.write(PACKAGE)
    tree.load("pack")

    def job() -> Any:
        import pack.late  # type: ignore[import-not-found]

        return pack.late.name()

    where = str(tree.root / "pack/late.py")
    assert outcome(elsewhere.submit(of_tests(job))) == ("pack.late", where, "pack")
    assert "pack.late" not in sys.modules


def test_nothing_need_be_imported_here_at_all(executor: SSHExecutor, tree: Tree) -> None:
    tree.write(PACKAGE)

    def job() -> Any:
        from pack import compute

        return compute(1)

    assert outcome(executor.submit(of_tests(job))) == 3
    assert "pack" not in sys.modules


def test_a_package_of_fifty_modules_takes_two_round_trips(
    executor: SSHExecutor, tree: Tree, wants: list[bytes]
) -> None:
    names = [f"part{number}" for number in range(49)]
    imports = "\n".join(f"from . import {name}" for name in names)
    tree.write({"many/__init__.py": f"{imports}\ndef count():\n    return {len(names)}\n"})
    tree.write({f"many/{name}.py": f"import sharedone\nNAME = {name!r}\n" for name in names})
    tree.write({"sharedone.py": "import sharedtwo\n", "sharedtwo.py": ""})
    assert outcome(executor.submit(tree.load("many").count)) == 49
    assert 1 <= len(wants) <= 2


def test_what_is_too_much_for_one_answer_is_sent_when_it_is_imported(
    executor: SSHExecutor, tree: Tree, wants: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundles, "_MOST_ON_DISK", 1000)
    long = "# " + "a line\n# " * 1000
    tree.write({f"vast/part{n}.py": f"{long}\nVALUE = {n}\n" for n in range(5)})
    tree.write({"vast/__init__.py": ""})

    def job() -> Any:
        import importlib

        return [importlib.import_module(f"vast.part{n}").VALUE for n in range(5)]

    assert outcome(executor.submit(of_tests(job))) == [0, 1, 2, 3, 4]
    assert 3 <= len(wants) <= 6


def test_a_module_may_have_any_encoding(elsewhere: SSHExecutor, tree: Tree) -> None:
    text = "# coding: latin-1\nimport inspect\nWORD = 'gr\xfc\xdfe'\ndef go():  # \xe4\n"
    (tree.root / "encoded.py").write_bytes(
        (text + "    return WORD, inspect.getsource(go)\n").encode("latin-1")
    )
    word, source = outcome(elsewhere.submit(tree.load("encoded").go))
    assert word == "gr\xfc\xdfe"
    assert source.startswith("def go():  # \xe4\n")


def test_modules_that_mention_each_other_come_together(
    executor: SSHExecutor, tree: Tree, wants: list[bytes]
) -> None:
    tree.write({
        "alpha.py": """
            import os, beta
            from gamma import three

            def go():
                return beta.two + three
            """,
        "beta.py": "two = 2\n",
        "gamma/__init__.py": "from .inside import three\n",
        "gamma/inside.py": "import delta\nthree = delta.three\n",
        "delta.py": "three = 3\n",
    })  # fmt: skip
    assert outcome(executor.submit(tree.load("alpha").go)) == 5
    assert len(wants) == 1


def test_a_host_asks_once_for_all_its_workers(
    loopback_host: Host, tree: Tree, wants: list[bytes]
) -> None:
    tree.write({
        "slow.py": """
            import os, time

            def pid(folder):
                open(f"{folder}/{os.getpid()}", "w").close()
                deadline = time.monotonic() + 60
                while len(os.listdir(folder)) < 4 and time.monotonic() < deadline:
                    time.sleep(0.005)
                return os.getpid()
            """,
    })  # fmt: skip
    here = tree.root / "here"
    here.mkdir()
    with SSHExecutor([loopback_host], workers_per_host=4) as executor:
        pids = set(executor.map(tree.load("slow").pid, [str(here)] * 8, timeout=PATIENCE))
    assert len(pids) == 4
    assert len([asked for asked in wants if b"slow" in asked]) == 1


def test_namespace_packages_travel(elsewhere: SSHExecutor, tree: Tree) -> None:
    tree.write({
        "one/space/first.py": "from space.deeper.second import two\n\ndef go():\n    return two",
        "two/space/deeper/second.py": "two = __name__\n",
    })  # fmt: skip
    tree.importable("one")
    tree.importable("two")
    assert outcome(elsewhere.submit(tree.load("space.first").go)) == "space.deeper.second"


def test_what_a_host_has_of_a_namespace_is_there_as_well(loopback_host: Host, tree: Tree) -> None:
    tree.write({
        "here/shared/ours.py": """
            def go():
                import shared.theirs, shared.within.ours2, shared.within.theirs2
                within = shared.within
                return shared.theirs.WHO, within.ours2.WHO, within.theirs2.WHO
            """,
        "here/shared/within/ours2.py": "WHO = 'ours'\n",
        "there/shared/theirs.py": "WHO = 'theirs'\n",
        "there/shared/within/theirs2.py": "WHO = 'theirs'\n",
    })  # fmt: skip
    tree.importable("here")
    with having(loopback_host, tree.root / "there") as executor:
        found = outcome(executor.submit(tree.load("shared.ours").go))
    assert found == ("theirs", "ours", "theirs")


def having(host: Host, folder: Path) -> SSHExecutor:
    """An executor on a host that has what is in a folder installed."""
    return SSHExecutor([host], initializer=of_tests(_add_to_path), initargs=(str(folder),))


def _add_to_path(folder: str) -> None:
    import sys

    sys.path.append(folder)


def test_own_modules_come_before_those_that_are_installed_over_there(
    loopback_host: Host, tree: Tree
) -> None:
    tree.write({
        "here/doubled/__init__.py": "def who():\n    return 'mine'\n",
        "there/doubled/__init__.py": "def who():\n    return 'installed'\n",
    })  # fmt: skip
    tree.importable("here")
    with having(loopback_host, tree.root / "there") as executor:
        assert outcome(executor.submit(tree.load("doubled").who)) == "mine"


def test_a_package_that_is_installed_there_is_not_hidden_by_a_folder_here(
    loopback_host: Host, tree: Tree
) -> None:
    tree.write({
        "here/plainfolder/notes.txt": "no package",
        "there/plainfolder/__init__.py": "WHO = 'installed'\n",
    })  # fmt: skip
    tree.importable("here")

    def job() -> Any:
        import plainfolder  # type: ignore[import-not-found]

        return plainfolder.WHO

    with having(loopback_host, tree.root / "there") as executor:
        assert outcome(executor.submit(of_tests(job))) == "installed"


INNER = """
import pkgutil
from importlib.resources import files

def go():
    words = files("zipped").joinpath("words.txt").read_text()
    return __name__, words, pkgutil.get_data("zipped", "words.txt")
"""


def test_a_module_in_an_archive_travels(executor: SSHExecutor, tree: Tree) -> None:
    import zipfile

    with zipfile.ZipFile(tree.root / "zipped.zip", "w") as archive:
        archive.writestr("zipped/__init__.py", "from .inner import go\n")
        archive.writestr("zipped/inner.py", INNER)
        archive.writestr("zipped/words.txt", "words")
    tree.importable("zipped.zip")
    assert outcome(executor.submit(tree.load("zipped").go)) == ("zipped.inner", "words", b"words")


def test_a_module_of_the_users_own_finder_travels(
    executor: SSHExecutor, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree.write({
        "hooked.py": """
            import importlib.abc, importlib.machinery, importlib.util

            class Loader(importlib.abc.InspectLoader):
                def get_source(self, name):
                    return "def go():\\n    return 'from nowhere'\\n"

            class Finder:
                @staticmethod
                def find_spec(name, path=None, target=None):
                    if name == "fromnowhere":
                        return importlib.machinery.ModuleSpec(name, Loader())
            """,
    })  # fmt: skip
    hooked = tree.load("hooked")
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, hooked.Finder])
    module = tree.load("fromnowhere")
    try:
        assert outcome(executor.submit(module.go)) == "from nowhere"
    finally:
        del sys.modules["fromnowhere"]


def test_pkgutil_lists_what_is_in_a_package(elsewhere: SSHExecutor, tree: Tree) -> None:
    tree.write({
        "plugs/__init__.py": """
            import importlib, pkgutil

            def names():
                return sorted(
                    importlib.import_module(each.name).WHO
                    for each in pkgutil.iter_modules(__path__, __name__ + ".")
                )
            """,
        "plugs/one.py": "WHO = 1\n",
        "plugs/two/__init__.py": "WHO = 2\n",
        "plugs/data/x.txt": "",
    })  # fmt: skip
    assert outcome(elsewhere.submit(tree.load("plugs").names)) == [1, 2]


def test_the_version_of_an_editable_project_is_known_over_there(
    elsewhere: SSHExecutor, tree: Tree
) -> None:
    tree.write({
        "src/edited/__init__.py": """
            import importlib.metadata
            VERSION = importlib.metadata.version("edited-x")

            def go():
                return VERSION
            """,
        "src/edited_x.egg-info/PKG-INFO": "Metadata-Version: 2.1\nName: edited-x\nVersion: 4.5.6\n",
    })  # fmt: skip
    tree.importable("src")
    assert outcome(elsewhere.submit(tree.load("edited").go)) == "4.5.6"


def test_a_module_that_starts_calls_itself_travels(elsewhere: SSHExecutor, tree: Tree) -> None:
    tree.write({
        "starting.py": """
            import interstate
            import interstate.loopback
            from interstate import Host, HostLost, SSHExecutor, execute, slices
            from interstate.hosts import expand

            HOSTS = [Host("node-1"), Host("node-2")]

            def job(x):
                try:
                    return x + len(slices(3))
                except (HostLost, interstate.WorkerDied):
                    return None

            def nested():
                with SSHExecutor(HOSTS) as executor:
                    return executor

            def within():
                return execute(job, hosts=HOSTS)

            def mistaken():
                return interstate.slcies
            """,
    })  # fmt: skip
    starting = tree.load("starting")
    assert outcome(elsewhere.submit(starting.job, 1)) == 4
    for fails in (starting.nested, starting.within):
        error = failure(elsewhere.submit(fails))
        assert type(error) is interstate.InterstateError
        assert "only where the call comes from" in str(error)
    assert isinstance(failure(elsewhere.submit(starting.mistaken)), AttributeError)


# --------------------------------------------------------------------------- whole programs

GUARDED = (
    PREAMBLE
    + """
import beside

def job(x):
    import insidejob
    return beside.twice(x) + insidejob.ONE

if __name__ == "__main__":
    with executor() as ex:
        print(ex.submit(job, 20).result(), ex.submit(beside.twice, 4).result())
"""
)
BESIDE = {"beside.py": "def twice(x):\n    return 2 * x\n", "insidejob.py": "ONE = 1\n"}


def test_a_guarded_script_takes_its_folder_along(real_host: Host, tree: Tree) -> None:
    tree.write(BESIDE)
    tree.write({"script.py": GUARDED})
    assert tree.run("script.py", host=real_host) == "41 8\n"


def test_what_is_typed_in_takes_the_working_directory_along(real_host: Host, tree: Tree) -> None:
    """A notebook and the interactive prompt have "" on sys.path."""
    tree.write(BESIDE)
    typed = f"{PREAMBLE}\nimport beside\nwith executor() as ex:\n    "
    typed += "print(ex.submit(lambda x: beside.twice(x), 4).result())"
    assert tree.run("-c", typed, host=real_host) == "8\n"


def test_a_program_that_is_run_as_a_module_may_import_by_relation(
    real_host: Host, tree: Tree
) -> None:
    main = (
        PREAMBLE
        + """
from . import tools

class Point:
    def __init__(self, x):
        self.x = x

def job(x):
    from .tools import deeper
    return Point(tools.twice(x) + deeper.ONE)

if __name__ == "__main__":
    with executor() as ex:
        point = ex.submit(job, 20).result()
        print(point.x, type(point) is Point)
"""
    )
    tree.write({
        "proj/__init__.py": "",
        "proj/main.py": main,
        "proj/tools/__init__.py": "def twice(x):\n    return 2 * x\n",
        "proj/tools/deeper.py": "ONE = 1\n",
    })  # fmt: skip
    assert tree.run("-m", "proj.main", host=real_host) == "41 True\n"


def test_a_project_that_is_installed_editably_travels(
    real_host: Host, tree: Tree, tmp_path: Path
) -> None:
    """Its folder is named by a .pth file, as `pip install -e` leaves it."""
    tree.write({
        "checkout/src/edited/__init__.py": "from .core import go\n",
        "checkout/src/edited/core.py": "def go():\n    return 'edited'\n",
        "elsewhere/script.py": PREAMBLE
        + "import edited\nwith executor() as ex:\n    print(ex.submit(edited.go).result())\n",
        "site-packages/edited.pth": f"{tmp_path}/checkout/src\n",
        "run.py": "import runpy, site, sys\n"
        f"site.addsitedir({str(tmp_path / 'site-packages')!r})\n"
        f"runpy.run_path({str(tmp_path / 'elsewhere/script.py')!r}, run_name='__main__')\n",
    })  # fmt: skip
    assert tree.run("run.py", host=real_host) == "edited\n"


# ------------------------------------------------------------------------------------ data

DATA = {
    "datapack/__init__.py": """
        import importlib.resources as resources, pkgutil

        def read():
            return (
                resources.files(__name__).joinpath("words.txt").read_text(),
                (resources.files("datapack") / "sub" / "bytes.bin").read_bytes(),
                resources.open_text("datapack", "words.txt").read(),
                resources.read_text("datapack", "words.txt"),
                pkgutil.get_data("datapack", "sub/bytes.bin"),
                sorted(file.name for file in resources.files("datapack").iterdir()
                       if file.is_file()),
                resources.files("datapack").joinpath("none.txt").is_file(),
                resources.is_resource("datapack", "words.txt"),
            )

        def as_file():
            with resources.as_file(resources.files("datapack").joinpath("words.txt")) as path:
                return path.read_text()

        def missing():
            return resources.files("datapack").joinpath("none.txt").read_text()
        """,
    "datapack/words.txt": "some words",
    "datapack/sub/bytes.bin": "some bytes",
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_data_files_of_a_package_can_be_read(elsewhere: SSHExecutor, tree: Tree) -> None:
    tree.write(DATA)
    module = tree.load("datapack")
    words, binary = "some words", b"some bytes"
    names = ["__init__.py", "words.txt"]
    expected = (words, binary, words, words, binary, names, False, True)
    assert outcome(elsewhere.submit(module.read)) == expected
    assert outcome(elsewhere.submit(module.as_file)) == words
    assert isinstance(failure(elsewhere.submit(module.missing)), FileNotFoundError)


def test_data_is_as_it_is_when_a_call_is_submitted_and_sent_once_while_it_stays(
    loopback_host: Host, tree: Tree
) -> None:
    tree.write(DATA)
    big = os.urandom(200_000).hex()
    tree.write({"datapack/words.txt": big})
    module = tree.load("datapack")
    with SSHExecutor([loopback_host], workers_per_host=1) as executor:
        assert outcome(executor.submit(module.as_file)) == big
        assert outcome(executor.submit(module.as_file)) == big
        tree.write({"datapack/words.txt": "others"})
        assert outcome(executor.submit(module.as_file)) == "others"


# ----------------------------------------------------------------------------------- errors


def test_a_module_that_fails_shows_its_lines(elsewhere: SSHExecutor, tree: Tree) -> None:
    tree.write({
        "failing/__init__.py": "",
        "failing/inner.py": "def divide(x):\n    return 1 // x  # this line\n\ndivide(0)\n",
    })  # fmt: skip

    def job() -> Any:
        import failing.inner  # type: ignore[import-not-found]

        return failing

    error = failure(elsewhere.submit(of_tests(job)))
    assert isinstance(error, ZeroDivisionError)
    text = shown(error)
    where = tree.root / "failing/inner.py"
    assert f'File "{where}", line 2, in divide\n    return 1 // x  # this line\n' in text
    assert f'File "{where}", line 4, in <module>\n    divide(0)\n' in text
    assert "imports.py" not in text
    assert "loading.py" not in text


def test_inspect_finds_the_source_over_there(elsewhere: SSHExecutor, tree: Tree) -> None:
    tree.write({
        "inspected.py": "import inspect\n\ndef go():\n    return inspect.getsource(go)\n"
    })  # fmt: skip
    inspected = tree.load("inspected")
    assert outcome(elsewhere.submit(inspected.go)) == inspect.getsource(inspected.go)


def test_a_class_of_a_module_is_the_same_one_there_and_here(
    elsewhere: SSHExecutor, tree: Tree
) -> None:
    tree.write({
        "shapes.py": """
            class Shape:
                def __init__(self, size):
                    self.size = size

            class WrongSize(Exception):
                def __init__(self, shape):
                    super().__init__(shape)
                    self.shape = shape

            def grown(shape):
                assert type(shape) is Shape
                if shape.size > 10:
                    raise WrongSize(shape)
                return Shape(shape.size + 1)
            """,
    })  # fmt: skip
    shapes = tree.load("shapes")
    result = outcome(elsewhere.submit(shapes.grown, shapes.Shape(1)))
    assert type(result) is shapes.Shape
    assert result.size == 2
    error = failure(elsewhere.submit(shapes.grown, shapes.Shape(11)))
    assert type(error) is shapes.WrongSize
    assert type(vars(error)["shape"]) is shapes.Shape


def test_syntax_that_is_too_new_says_which_pythons_these_are(
    loopback_host: Host, tree: Tree
) -> None:
    python = pythons.find("3.9")
    if python is None:
        pytest.skip(pythons.why_not("3.9"))
    tree.write({
        "modern.py": "def go(x):\n    match x:\n        case 1:\n            return 'one'\n"
    })  # fmt: skip
    modern = tree.load("modern")
    with SSHExecutor([loopback_host], python=python) as executor:
        error = failure(executor.submit(modern.go, 1))
    assert isinstance(error, SyntaxError)
    here = ".".join(map(str, sys.version_info[:3]))
    assert any(f"Python {here}" in note and "Python 3.9." in note for note in error.__notes__)


def test_an_extension_module_cannot_travel_and_says_so(executor: SSHExecutor, tree: Tree) -> None:
    from importlib.machinery import EXTENSION_SUFFIXES

    file = f"quick/_speed{EXTENSION_SUFFIXES[0]}"
    tree.write({
        "quick/__init__.py": """
            try:
                from . import _speed
            except ImportError:
                _speed = None

            def go():
                return _speed

            def really():
                import quick._speed
            """,
        file: "\0",
    })  # fmt: skip
    quick = tree.load("quick")
    assert outcome(executor.submit(quick.go)) is None
    error = failure(executor.submit(quick.really))
    assert isinstance(error, ImportError)
    assert "extension module" in str(error)
    assert str(tree.root / file) in str(error)


def _import_missing() -> Any:
    import surelynotthere.within  # type: ignore[import-not-found]

    return surelynotthere


def _import_installed_here() -> Any:
    import onlyhere  # type: ignore[import-not-found]

    return onlyhere


def _look_for_missing() -> Any:
    import importlib.util

    try:
        import surelynotthere
    except ImportError:
        surelynotthere = None
    return surelynotthere, importlib.util.find_spec("surelynotthere")


def test_a_missing_module_is_an_ordinary_error_with_a_note(elsewhere: SSHExecutor) -> None:
    error = failure(elsewhere.submit(of_tests(_import_missing)))
    assert type(error) is ModuleNotFoundError
    assert error.name == "surelynotthere"
    (note,) = error.__notes__
    assert "nor a module of your own" in note


def test_the_note_says_what_is_installed_here_and_what_to_do(
    elsewhere: SSHExecutor, loopback_host: Host, tree: Tree
) -> None:
    tree.write({
        "site-packages/onlyhere/__init__.py": "",
        "site-packages/only_here-2.5.dist-info/METADATA": "Name: only-here\nVersion: 2.5\n",
        "site-packages/only_here-2.5.dist-info/top_level.txt": "onlyhere\n",
    })  # fmt: skip
    tree.importable("site-packages")
    error = failure(elsewhere.submit(of_tests(_import_installed_here)))
    assert type(error) is ModuleNotFoundError
    (note,) = error.__notes__
    assert f"on {loopback_host} has no module 'onlyhere'" in note
    assert 'packages=["only-here==2.5"]' in note


def test_the_note_is_on_what_an_exception_leads_to_as_well(executor: SSHExecutor) -> None:
    def job() -> Any:
        try:
            import surelynotthere
        except ImportError as error:
            raise ValueError("no such thing") from error
        return surelynotthere

    error = failure(executor.submit(of_tests(job)))
    assert isinstance(error, ValueError)
    assert error.__cause__ is not None
    assert error.__cause__.__notes__


def test_who_looks_for_a_module_is_told_that_there_is_none(elsewhere: SSHExecutor) -> None:
    assert outcome(elsewhere.submit(of_tests(_look_for_missing))) == (None, None)


def test_a_module_that_is_made_after_it_was_missing_is_found(
    executor: SSHExecutor, tree: Tree
) -> None:
    def job() -> Any:
        import madelater  # type: ignore[import-not-found]

        return madelater.VALUE

    assert isinstance(failure(executor.submit(of_tests(job))), ModuleNotFoundError)
    tree.write({"madelater.py": "VALUE = 5\n"})
    assert outcome(executor.submit(of_tests(job))) == 5


def test_a_finder_that_fails_here_fails_the_import_there(
    executor: SSHExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        @staticmethod
        def find_spec(name: str, path: Any = None, target: Any = None) -> Any:
            if name == "surelynotthere":
                raise RuntimeError("this finder is broken")

    monkeypatch.setattr(sys, "meta_path", [Broken, *sys.meta_path])
    error = failure(executor.submit(of_tests(_import_missing)))
    assert isinstance(error, ImportError)
    assert "this finder is broken" in str(error)


# ------------------------------------------------------------------------- many at a time


def test_threads_of_a_call_may_import_at_the_same_time(executor: SSHExecutor, tree: Tree) -> None:
    tree.write({f"atonce{n}.py": f"import time\ntime.sleep(0.05)\nVALUE = {n}\n" for n in range(8)})

    def job() -> Any:
        import importlib
        from concurrent.futures import ThreadPoolExecutor

        def value(n: int) -> Any:
            return importlib.import_module(f"atonce{n % 8}").VALUE

        with ThreadPoolExecutor(16) as pool:
            return list(pool.map(value, range(16)))

    assert outcome(executor.submit(of_tests(job))) == [*range(8), *range(8)]


def test_a_process_that_a_call_forks_may_import(elsewhere: SSHExecutor, tree: Tree) -> None:
    tree.write({
        "forking.py": """
            import multiprocessing

            def work(x):
                import onlyinchild
                return onlyinchild.twice(x)

            def go():
                with multiprocessing.get_context("fork").Pool(2) as pool:
                    return pool.map(work, range(4))
            """,
        "onlyinchild.py": "def twice(x):\n    return 2 * x\n",
    })  # fmt: skip
    assert outcome(elsewhere.submit(tree.load("forking").go)) == [0, 2, 4, 6]


def test_an_initializer_may_need_own_modules(loopback_host: Host, tree: Tree) -> None:
    tree.write({
        "prepared.py": """
            STATE = []

            def prepare(x):
                STATE.append(x)

            def state():
                return STATE
            """,
    })  # fmt: skip
    prepared = tree.load("prepared")
    with SSHExecutor([loopback_host], initializer=prepared.prepare, initargs=(3,)) as executor:
        assert outcome(executor.submit(prepared.state)) == [3]


def test_execute_takes_modules_along(loopback_hosts: list[Host], tree: Tree) -> None:
    tree.write(PACKAGE)
    pack = tree.load("pack")
    found = interstate.execute(lambda environ: pack.compute(environ.index), hosts=loopback_hosts)
    assert found == [1, 3]


# --------------------------------------------------------------------- when something is lost


class Slow:
    """A finder of the user's that waits before it finds nothing, until it is told to go on."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.asked = threading.Event()
        self.go_on = threading.Event()

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name == self.name:
            self.asked.set()
            assert self.go_on.wait(PATIENCE)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Slow]:
    slow = Slow("surelynotthere")
    monkeypatch.setattr(sys, "meta_path", [slow, *sys.meta_path])
    yield slow
    slow.go_on.set()


def test_an_import_goes_on_when_the_connection_is_there_again(
    host: Host, tmp_path: Path, slow: Slow, tree: Tree
) -> None:
    with Proxy(host, tmp_path) as proxy, SSHExecutor(proxy.host) as executor:
        future = executor.submit(of_tests(_look_for_missing))
        assert slow.asked.wait(PATIENCE)
        proxy.cut()
        slow.go_on.set()
        assert outcome(future) == (None, None)
        assert proxy.accepted > 1


def test_a_call_that_waits_for_a_module_can_be_stopped(executor: SSHExecutor, slow: Slow) -> None:
    future = executor.submit(of_tests(_import_missing))
    assert slow.asked.wait(PATIENCE)
    future.terminate()
    assert isinstance(failure(future), interstate.CallTerminated)
    slow.go_on.set()
    assert outcome(executor.submit(of_tests(_look_for_missing))) == (None, None)


def test_a_host_that_was_lost_gets_no_answers_that_are_not_its_own(
    loopback_host: Host, slow: Slow, tree: Tree
) -> None:
    """Its next agent has other questions of the same numbers."""
    tree.write(PACKAGE)
    pack = tree.load("pack")

    def kill_agent() -> None:
        import os
        import signal

        os.kill(os.getppid(), signal.SIGKILL)

    with SSHExecutor([loopback_host], workers_per_host=2) as executor:
        waits = executor.submit(of_tests(_import_missing))
        assert slow.asked.wait(PATIENCE)
        executor.submit(of_tests(kill_agent))
        assert isinstance(failure(waits), interstate.HostLost)
        future = executor.submit(pack.compute, 4)
        slow.go_on.set()
        assert outcome(future) == 9


def test_the_executor_ends_while_an_import_waits(loopback_host: Host, slow: Slow) -> None:
    executor = SSHExecutor([loopback_host])
    future = executor.submit(of_tests(_import_missing))
    assert slow.asked.wait(PATIENCE)
    executor.kill_workers()
    assert isinstance(failure(future), interstate.BrokenSSHExecutor)
    slow.go_on.set()
    executor.shutdown()


def test_lines_that_came_with_a_function_hide_none_of_its_module(
    loopback_host: Host, tree: Tree
) -> None:
    tree.write({
        "lined.py": """
            import linecache

            def make():
                def inner():
                    return 1
                return inner

            def lines():
                return "".join(linecache.getlines(__file__))
            """,
    })  # fmt: skip
    lined = tree.load("lined")
    with SSHExecutor([loopback_host], workers_per_host=1) as executor:
        text = (tree.root / "lined.py").read_text()
        assert outcome(executor.submit(lined.lines)) == text
        outcome(executor.submit(lined.make()))
        assert outcome(executor.submit(lined.lines)) == text
