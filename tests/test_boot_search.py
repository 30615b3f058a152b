"""Which Python is taken over there: ours if there is one, wherever it is, else the newest."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from interstate import BootError, Host, SSHExecutor, boot

from . import pythons, worlds
from .sshd import Keys, Sshd
from .worlds import World

OURS = ".".join(map(str, sys.version_info[:2]))
PATIENCE = 60.0


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A computer with no Python."""
    return World(tmp_path)


# Where an interpreter may be, below HOME; {v} is its version.
PLACES = {
    "pyenv": ".pyenv/versions/{v}.7/bin",
    "uv": ".local/share/uv/python/cpython-{v}.7-linux-x86_64-gnu/bin",
    "miniconda": "miniconda3/bin",
    "anaconda": "anaconda3/bin",
    "miniforge": "miniforge3/bin",
    "mambaforge": "mambaforge/bin",
    "an environment of conda": "miniconda3/envs/my env/bin",
    "one in conda's other folder": ".conda/envs/science/bin",
    "one of micromamba": "micromamba/envs/science/bin",
    "an environment of miniforge": "miniforge3/envs/science/bin",
    "asdf": ".asdf/installs/python/{v}.7/bin",
    "mise": ".local/share/mise/installs/python/{v}.7/bin",
    "~/.local": ".local/bin",
}
SYSTEM = {  # outside of it
    "/usr/local": "usr_local/bin",
    "a folder of /usr/local": "usr_local/python{v}/bin",
    "a folder of /opt": "opt/python{v}/bin",
    "conda in /opt": "opt/conda/bin",
    "an environment of conda in /opt": "opt/conda/envs/science/bin",
    "two folders of /opt": "opt/rh/rh-python/bin",
}


def seen(world: World, path: Path) -> str:
    """By which path an interpreter is started: /opt and /usr/local are elsewhere in truth."""
    for place, mounted in ((world.usr_local, "/usr/local"), (world.opt, "/opt")):
        if path.is_relative_to(place):
            return f"{mounted}/{path.relative_to(place)}"
    return str(path)


def put(world: World, place: str, version: str) -> str:
    """Put an interpreter of a version in a place, by its full name; return what is started."""
    below = {**PLACES, **SYSTEM}[place].format(v=version)
    path = world.python(
        (world.home.parent if place in SYSTEM else world.home) / below / f"python{version}"
    )
    return f"{seen(world, path)} {version}.7"


# --------------------------------------------------------------------------------- where


@pytest.mark.parametrize("place", [*PLACES, *SYSTEM])
def test_ours_is_found_in(place: str, world: World) -> None:
    expected = put(world, place, OURS)
    assert world.start().interpreter == expected


def test_ours_is_found_on_path(world: World) -> None:
    python = world.python(f"my tools/bin/python{OURS}")
    environ = world.environ("nothing here", "my tools/bin", "nor here")
    assert world.start(environ=environ).interpreter == f"{python} {OURS}.7"


def test_what_is_in_usr_bin_is_found_though_path_has_it_not(world: World) -> None:
    world.system_python("3.9.2")
    environ = {"HOME": str(world.home), "PATH": "/nowhere"}
    found = world.start(environ=environ, shell="/bin/sh").interpreter
    assert found.startswith("/usr/bin/python3")
    assert found.endswith(" 3.9.2")


def test_pyenv_may_have_another_root(world: World) -> None:
    python = world.python(f"elsewhere/versions/{OURS}.2/bin/python{OURS}")
    environ = world.environ(PYENV_ROOT=str(world.home / "elsewhere"))
    assert world.start(environ=environ).interpreter == f"{python} {OURS}.7"


def test_pyenvs_shims_are_no_interpreters(world: World) -> None:
    shims = ".pyenv/shims"
    for name in (f"python{OURS}", "python3", "python"):
        world.python(f"{shims}/{name}", "0.0.0")
    python = world.python(f".pyenv/versions/{OURS}.2/bin/python{OURS}")
    environ = world.environ(shims)
    assert world.start(environ=environ).interpreter == f"{python} {OURS}.7"


def test_with_shims_alone_there_is_no_python(world: World) -> None:
    world.python(".pyenv/shims/python3", "0.0.0")
    assert "no Python was found there" in world.start(environ=world.environ(".pyenv/shims")).why()


def test_what_cannot_be_run_is_passed_by(world: World) -> None:
    (world.home / "a" / f"python{OURS}").mkdir(parents=True)
    unrunnable = world.python(f"b/python{OURS}")
    unrunnable.chmod(0o644)
    (world.home / "c").mkdir()
    (world.home / "c" / f"python{OURS}").symlink_to("/nowhere")
    python = world.python(f"d/python{OURS}")
    environ = world.environ("a", "b", "c", "d")
    assert world.start(environ=environ).interpreter == f"{python} {OURS}.7"


# --------------------------------------------------------------------------------- which


def test_path_goes_before_other_places(world: World) -> None:
    put(world, "pyenv", OURS)
    put(world, "/usr/local", OURS)
    python = world.python(f"bin/python{OURS}")
    assert world.start(environ=world.environ("bin")).interpreter == f"{python} {OURS}.7"


def test_the_first_on_path_is_taken(world: World) -> None:
    first, _ = (world.python(f"{name}/python{OURS}") for name in ("first", "second"))
    environ = world.environ("first", "second")
    assert world.start(environ=environ).interpreter == f"{first} {OURS}.7"


@pytest.mark.parametrize("place", ["pyenv", "an environment of conda", "two folders of /opt"])
def test_ours_anywhere_goes_before_another_on_path(place: str, world: World) -> None:
    world.python("bin/python3", "3.9.18")
    for other in ("3.9", "3.10", "3.14"):
        world.python(f"bin/python{other}")
    expected = put(world, place, OURS)
    assert world.start(environ=world.environ("bin")).interpreter == expected


def test_the_newest_is_taken_where_ours_is_missing(world: World) -> None:
    for version in ("3.9", "3.10"):
        world.python(f"bin/python{version}")
    expected = put(world, "uv", "3.14")
    assert world.start(environ=world.environ("bin")).interpreter == expected


def test_the_newest_is_not_the_last_by_its_letters(world: World) -> None:
    put(world, "pyenv", "3.9")
    expected = put(world, "pyenv", "3.10")
    assert world.start().interpreter == expected


def test_one_that_is_too_old_is_passed_by_for_one_that_is_not(world: World) -> None:
    for name, version in (("python3", "3.6.8"), ("python3.8", "3.8.1"), ("python", "2.7.18")):
        world.python(f"bin/{name}", version)
    expected = put(world, "pyenv", "3.9")
    assert world.start(environ=world.environ("bin")).interpreter == expected


@pytest.mark.parametrize("name", ["python3", "python"])
def test_one_without_a_number_will_do(name: str, world: World) -> None:
    python = world.python(f"bin/{name}", "3.9.18")
    assert world.start(environ=world.environ("bin")).interpreter == f"{python} 3.9.18"


# ------------------------------------------------------------------------------ login shells


@pytest.mark.parametrize("python", [None, "~/my env/bin/python"])
def test_the_line_has_nothing_that_a_shell_takes_in_its_own_way(python: str | None) -> None:
    command = boot.prepare(python).command
    assert not set(command) & set("!\\\n\r\0")
    outside = command.split("'")[::2]
    assert "".join(outside).split() == ["exec", "/bin/sh", "-c"]


SHELLS = ["sh", "dash", "bash", "zsh", "fish", "csh"]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("where", ["on path", "uv", "an environment of conda"])
def test_any_login_shell_finds_it(where: str, shell: str, world: World) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not on this machine")
    if where == "on path":
        expected = f"{world.python(f'my bin/python{OURS}')} {OURS}.7"
    else:
        expected = put(world, where, OURS)
    environ = world.environ("my bin")
    assert world.start(environ=environ, shell=shell).interpreter == expected


@pytest.mark.parametrize("shell", SHELLS)
def test_any_login_shell_finds_what_is_named(shell: str, world: World) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not on this machine")
    python = world.python("my env/bin/python", "3.9.18")
    assert world.start("~/my env", shell=shell).interpreter == f"{python} 3.9.18"


@pytest.mark.parametrize("shell", SHELLS)
def test_any_login_shell_says_that_there_is_none(shell: str, world: World) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not on this machine")
    assert "no Python was found there" in world.start(shell=shell).why()


# ------------------------------------------------------------------------------------ python=


def test_an_interpreter_may_be_named_by_its_path(world: World) -> None:
    python = world.python("odd place/snake", "3.10.1")
    assert world.start("~/odd place/snake").interpreter == f"{python} 3.10.1"


def test_an_interpreter_may_be_named_by_its_name(world: World) -> None:
    python = world.python("bin/pypy-like", "3.10.1")
    put(world, "pyenv", OURS)
    environ = world.environ("bin")
    assert world.start("pypy-like", environ=environ).interpreter == f"{python} 3.10.1"


def test_an_interpreter_may_be_named_from_where_a_login_begins(world: World) -> None:
    world.python("tools/bin/python", "3.10.1")
    assert world.start("tools/bin/python").interpreter == "tools/bin/python 3.10.1"
    assert world.start("./tools").interpreter == "./tools/bin/python 3.10.1"


@pytest.mark.parametrize("named", ["~/env", "~/env/", "~/env/bin/python"])
def test_an_environment_may_be_named_by_its_folder(named: str, world: World) -> None:
    world.python("env/bin/python", "3.10.1")
    put(world, "pyenv", OURS)
    assert (
        world.start(named).interpreter.replace("//", "/") == f"{world.home}/env/bin/python 3.10.1"
    )


def test_what_is_named_is_taken_though_ours_is_there(world: World) -> None:
    put(world, "pyenv", OURS)
    python = world.python("bin/python3.9")
    environ = world.environ("bin")
    assert world.start("python3.9", environ=environ).interpreter == f"{python} 3.9.7"


@pytest.mark.parametrize("named", ["~/nowhere", "/nowhere/python", "no-such-name", "~/empty"])
def test_what_is_named_and_not_there_is_told(named: str, world: World) -> None:
    (world.home / "empty").mkdir()
    put(world, "pyenv", OURS)
    why = world.start(named).why()
    assert "no Python was found there" in why
    assert f"looked for {named}" in why


@pytest.mark.parametrize("named", ["", "it's", "a\\b", "wow!", "a\nb"])
def test_what_no_shell_may_be_told_is_refused_at_once(named: str) -> None:
    with pytest.raises(ValueError, match="python="):
        boot.prepare(named)


def test_a_real_venv_is_named_by_its_folder(tmp_path: Path, sshd: Sshd) -> None:
    """What is installed there can be imported."""
    python = pythons.find("3.9") or sys.executable
    venv = tmp_path / "an environment"
    subprocess.run([python, "-m", "venv", "--without-pip", str(venv)], check=True)
    [site] = venv.glob("lib/python3.*/site-packages")
    (site / "only_in_the_venv.py").write_text("WHERE = __file__\n")

    def look() -> tuple[str, str]:
        import only_in_the_venv  # type: ignore[import-not-found]

        return sys.prefix, only_in_the_venv.WHERE

    with SSHExecutor(sshd.host(), python=str(venv), workers_per_host=1) as executor:
        found = executor.submit(look).result(PATIENCE)
    assert found == (str(venv), str(site / "only_in_the_venv.py"))


# ------------------------------------------------------------------------- none that will do


def test_where_there_is_none_it_is_said_what_was_looked_for(world: World) -> None:
    why = world.start().why()
    assert "no Python was found there" in why
    for word in ("python3.9", "PATH", "pyenv", "uv", "conda", "asdf", "mise", "/opt", "/usr/local"):
        assert word in why


@pytest.mark.parametrize(
    ("place", "name", "version"),
    [
        ("bin", "python3", "3.8.18"),
        ("bin", "python", "2.7.18"),
        (".pyenv/versions/3.8.18/bin", "python3", "3.8.18"),
        ("miniconda3/bin", "python", "2.7.18"),
    ],
)
def test_where_all_are_too_old_the_one_that_is_there_is_told(
    place: str, name: str, version: str, world: World
) -> None:
    python = world.python(f"{place}/{name}", version)
    world.python(f"bin/python{version[:3]}", version)
    why = world.start(environ=world.environ("bin")).why()
    assert f"{version} ({python})" in why
    assert "3.9 is the oldest" in why
    assert "looked for python3.9 to" in why
    assert "python=" in why


@pytest.mark.parametrize("version", ["2.7.18", "3.6.15", "3.8.18"])
def test_one_that_is_too_old_is_told_though_nothing_else_names_it(
    version: str, world: World
) -> None:
    python = world.python(f"bin/python{version[:3]}", version)
    assert f"{version} ({python})" in world.start(environ=world.environ("bin")).why()


@pytest.mark.parametrize("version", ["2.7", "3.8"])
def test_a_real_python_that_is_too_old_is_told_with_its_path(version: str, sshd: Sshd) -> None:
    real = next(worlds.pyenv(version), None)
    if real is None:
        pytest.skip(pythons.why_not(version))
    error = failure(sshd.host(), real)
    assert isinstance(error, BootError)
    assert f"is {version}." in str(error)
    assert real in str(error)
    assert str(sshd.host()) in str(error)


@pytest.mark.parametrize("version", ["2.7", "3.8"])
def test_a_real_python_that_is_too_old_is_told_where_it_is_the_only_one(
    version: str, world: World, keys: Keys
) -> None:
    real = next(worlds.pyenv(version), None)
    if real is None:
        pytest.skip(pythons.why_not(version))
    world.real_python("bin/python3" if version == "3.8" else "bin/python", real)
    with world.sshd(keys, "bin") as sshd:
        error = failure(sshd.host())
    assert isinstance(error, BootError)
    assert f"is {version}." in str(error)
    assert "python3.9" in str(error)


def test_a_real_python_is_found_through_a_real_sshd(world: World, keys: Keys) -> None:
    real = pythons.find("3.9")
    if real is None:
        pytest.skip(pythons.why_not("3.9"))
    world.real_python(".pyenv/versions/3.9.0/bin/python3.9", real)
    with (
        world.sshd(keys) as sshd,
        SSHExecutor(sshd.host(), workers_per_host=1) as executor,
    ):
        found = executor.submit(lambda: sys.version_info[:2]).result(PATIENCE)
    assert found == (3, 9)


def failure(host: Host, python: str | None = None) -> BaseException | None:
    with SSHExecutor(host, python=python) as executor:
        return executor.submit(abs, 1).exception(PATIENCE)
