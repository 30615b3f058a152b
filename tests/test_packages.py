"""`packages=`: what calls import is chosen here, sent once, and kept on the host's disk."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import interstate
from interstate import Host, PackagesError, SSHExecutor, resolving
from interstate.__main__ import main

from . import processes
from .importing import (
    both_of_a_namespace,
    determinant,
    import_nowhere,
    old_and_tiny,
    version_of_numpy,
    version_of_tiny,
)
from .packages import bare_python, index_of, make_wheel, wrapped
from .pythons import find, why_not
from .sshd import Keys, Sshd

pytestmark = pytest.mark.once

PATIENCE = 100.0


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python like this one, with nothing installed."""
    return bare_python(tmp_path_factory.mktemp("bare") / "env")


class Place:
    """Where the caches of a test are, and how its hosts are used.

    Attributes:
        here: The cache of this computer.
        there: The hosts'.
        python: A Python for the hosts, which has that cache.
    """

    def __init__(self, tmp_path: Path, bare: str) -> None:
        self.here = tmp_path / "here" / "interstate"
        self.there = tmp_path / "there" / "interstate"
        self.wheels = tmp_path / "wheels"
        self.wheels.mkdir()
        self._tmp_path = tmp_path
        self._numbers = itertools.count()
        self.python = self.like(bare)

    def like(self, python: str, before: str = "", there: str | None = None) -> str:
        path = self._tmp_path / f"python-{next(self._numbers)}"
        home = there or str(self.there.parent)
        return wrapped(path, python, before, XDG_CACHE_HOME=home)

    @property
    def sets(self) -> list[str]:
        folder = self.there / "packages"
        return sorted(p.name for p in folder.iterdir()) if folder.exists() else []

    def run(self, host: Host, fn: Callable[[], Any], *packages: str, **options: Any) -> Any:
        options = {"python": self.python, "packages": packages, **options}
        return interstate.execute(fn, host=host, **options)


@pytest.fixture
def place(tmp_path: Path, bare: str, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Caches of its own, here and there, and pip's own settings."""
    place = Place(tmp_path, bare)
    monkeypatch.setenv("XDG_CACHE_HOME", str(place.here.parent))
    monkeypatch.setattr(resolving, "find_uv", lambda: None)
    return place


@pytest.fixture
def wheels(place: Place, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels: all that pip finds."""
    for name, value in index_of(place.wheels).items():
        monkeypatch.setenv(name, value)
    return place.wheels


@pytest.fixture
def pips(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands of pip that were run."""
    commands: list[list[str]] = []
    real = resolving.pip_command

    def noted(*args: Any) -> list[str]:
        commands.append(real(*args))
        return commands[-1]

    monkeypatch.setattr(resolving, "pip_command", noted)
    return commands


# ------------------------------------------------------------------------------ numpy


def test_numpy_computes_on_a_bare_host_and_is_sent_once(
    host: Host, place: Place, pips: list[list[str]]
) -> None:
    with pytest.raises(ModuleNotFoundError):
        place.run(host, determinant)
    where, value, _ = place.run(host, determinant, "numpy>=1.26")
    assert value == "5.000"
    assert where.startswith(f"{place.there}/packages/")
    assert len(pips) == 2, "to choose, and to install"
    times = {path: path.stat().st_mtime_ns for path in Path(where).parent.rglob("*.py")}
    assert place.run(host, determinant, "numpy>=1.26")[0] == where
    assert len(pips) == 2
    assert times == {path: path.stat().st_mtime_ns for path in Path(where).parent.rglob("*.py")}
    assert len(place.sets) == 2, "a folder and its lock"


@pytest.mark.parametrize("version", ["3.9", "3.13"])
def test_a_host_gets_the_wheels_of_its_own_python(
    real_host: Host, place: Place, version: str
) -> None:
    python = find(version)
    if python is None:
        pytest.skip(why_not(version))
    _, value, ran_on = place.run(real_host, determinant, "numpy", python=place.like(python))
    assert (value, ran_on) == ("5.000", version)


# ----------------------------------------------------------------- with small wheels


def test_packages_come_before_what_is_installed_there(
    real_host: Host, place: Place, wheels: Path, tmp_path: Path
) -> None:
    own = tmp_path / "lib" / "site-packages"
    own.mkdir(parents=True)
    (own / "tiny.py").write_text("VERSION = 'the own one of the host'\n")
    (own / "other.py").write_text("")
    make_wheel(wheels, "tiny", "2.0")
    after = f"import sys; sys.path.append({str(own)!r})"
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(after)
    python = place.like(place.python, before=f"export PYTHONPATH={site}")
    assert place.run(real_host, version_of_tiny, python=python)[0] == "the own one of the host"
    version, where = place.run(real_host, version_of_tiny, "tiny", python=python)
    assert version == "2.0"
    assert where.startswith(str(place.there))


def test_what_packages_need_comes_with_them_and_markers_are_the_hosts(
    real_host: Host, place: Place, wheels: Path
) -> None:
    python = find("3.9")
    if python is None:
        pytest.skip(why_not("3.9"))
    markers = ('old; python_version < "3.10"', 'new; python_version >= "3.10"')
    make_wheel(wheels, "tiny", requires=markers)
    make_wheel(wheels, "tiny", "2.0", requires_python=">=3.10")
    make_wheel(wheels, "old")

    assert place.run(real_host, old_and_tiny, "tiny", python=place.like(python)) == (
        "1.0",
        "1.0",
        False,
    )


def test_workers_and_the_initializer_have_them(
    loopback_host: Host, place: Place, wheels: Path
) -> None:
    make_wheel(wheels, "tiny")
    with SSHExecutor(
        loopback_host, packages=["tiny"], python=place.python, initializer=version_of_tiny,
        workers_per_host=2,
    ) as executor:  # fmt: skip
        assert {executor.submit(version_of_tiny).result(PATIENCE)[0] for _ in range(4)} == {"1.0"}


def test_hosts_of_one_platform_share_one_choice(
    loopback_hosts: list[Host], place: Place, wheels: Path, pips: list[list[str]]
) -> None:
    make_wheel(wheels, "tiny")
    hosts = loopback_hosts * 3
    found = interstate.execute(version_of_tiny, hosts=hosts, python=place.python, packages=["tiny"])
    assert len(set(found)) == 1
    assert len(found) == len(hosts)
    assert len(pips) == 2
    assert len(place.sets) == 2


def test_two_clients_at_once_have_them_made_once(
    loopback_host: Host, place: Place, wheels: Path, pips: list[list[str]]
) -> None:
    make_wheel(wheels, "tiny")
    found: list[Any] = []

    def client() -> None:
        found.append(place.run(loopback_host, version_of_tiny, "tiny"))

    clients = [threading.Thread(target=client) for _ in range(3)]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join(PATIENCE)
    assert [version for version, _ in found] == ["1.0"] * 3
    assert len(pips) == 2
    assert len(place.sets) == 2


def test_what_is_wanted_is_looked_for_anew_when_the_settings_of_pip_change(
    loopback_host: Host, place: Place, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_wheel(wheels, "tiny")
    assert place.run(loopback_host, version_of_tiny, "tiny")[0] == "1.0"
    sets = place.sets
    monkeypatch.setenv("PIP_RETRIES", "1")
    assert place.run(loopback_host, version_of_tiny, "tiny")[0] == "1.0"
    assert place.sets == sets, "the same is not sent again"
    make_wheel(wheels, "tiny", "2.0")
    assert place.run(loopback_host, version_of_tiny, "tiny")[0] == "1.0", "for a day"
    monkeypatch.setenv("PIP_PRE", "1")
    assert place.run(loopback_host, version_of_tiny, "tiny")[0] == "2.0"
    for path in (place.here / "resolved").iterdir():
        os.utime(path, (time.time() - 90_000,) * 2)
    monkeypatch.delenv("PIP_PRE")
    assert place.run(loopback_host, version_of_tiny, "tiny")[0] == "2.0", "a day later"


def test_a_wheels_file_may_be_named(loopback_host: Host, place: Place, wheels: Path) -> None:
    path = str(make_wheel(wheels, "tiny"))
    assert place.run(loopback_host, version_of_tiny, path)[0] == "1.0"
    changed = {"tiny.py": b"VERSION = 'changed, and longer than before, so that it differs'\n"}
    make_wheel(wheels, "tiny", files=changed)
    assert place.run(loopback_host, version_of_tiny, path)[0].startswith("changed")


@pytest.mark.skipif(resolving.find_uv() is None, reason="uv is not installed")
def test_uv_serves_as_well(
    loopback_host: Host, place: Place, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolving, "find_uv", lambda: shutil.which("uv"))
    monkeypatch.setattr(resolving, "has_pip", lambda: False)
    make_wheel(wheels, "tiny")
    assert place.run(loopback_host, version_of_tiny, "tiny")[0] == "1.0"
    with pytest.raises(PackagesError, match="nowhere-to-be-found"):
        place.run(loopback_host, version_of_tiny, "nowhere-to-be-found")


# ------------------------------------------------------------------------------ errors


@pytest.mark.parametrize(
    ("packages", "kind", "complaint"),
    [
        ("numpy", TypeError, r'packages must be a list of requirements such as \["numpy>=2"\]'),
        (3, TypeError, "packages must be a list"),
        ([3], TypeError, "a requirement must be a str, not 3"),
        (["--index-url=http://x"], ValueError, "'--index-url=http://x' is no requirement"),
        ([" -r file"], ValueError, "is no requirement"),
        ([""], ValueError, "is no requirement"),
        (["a\nb"], ValueError, "is no requirement"),
    ],
)
def test_what_is_no_list_of_requirements_is_refused_at_once(
    packages: Any, kind: type[Exception], complaint: str
) -> None:
    with pytest.raises(kind, match=complaint):
        SSHExecutor("nowhere", packages=packages)


def test_what_cannot_be_had_says_pips_own_reason(
    real_host: Host, place: Place, wheels: Path
) -> None:
    with pytest.raises(PackagesError) as raised:
        place.run(real_host, version_of_tiny, "nowhere-to-be-found>=3")
    message = str(raised.value)
    assert raised.value.host == real_host
    assert message.startswith(f"{real_host}: no packages (nowhere-to-be-found>=3) for Python 3.")
    assert "No matching distribution found for nowhere-to-be-found>=3" in message
    assert not place.there.exists()


def test_packages_that_contradict_each_other_say_so(
    loopback_host: Host, place: Place, wheels: Path
) -> None:
    make_wheel(wheels, "tiny")
    make_wheel(wheels, "other", requires=("tiny>=2",))
    with pytest.raises(PackagesError, match=r"(?s)Cannot install .*other|matching .* tiny>=2"):
        place.run(loopback_host, version_of_tiny, "tiny==1.0", "other")


def test_without_a_wheel_for_the_platform_it_says_which(
    real_host: Host, place: Place, wheels: Path
) -> None:
    make_wheel(wheels, "tiny", tag="cp312-cp312-win_amd64")
    with pytest.raises(PackagesError) as raised:
        place.run(real_host, version_of_tiny, "tiny>=0.5")
    assert re.search(
        r"no packages \(tiny>=0\.5\) for Python 3\.\S+ on Linux \S+ \(\S+ ?\S*\): "
        r"no wheel of tiny>=0\.5 fits; pip says: Could not find",
        str(raised.value),
    )


def test_without_pip_and_uv_it_says_what_to_do(
    loopback_host: Host, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolving, "has_pip", lambda: False)
    with pytest.raises(PackagesError, match=r"run `.* -m ensurepip`, or install uv"):
        place.run(loopback_host, version_of_tiny, "tiny")


def test_a_home_over_there_that_cannot_be_written_is_named(
    real_host: Host, place: Place, wheels: Path, bare: str
) -> None:
    make_wheel(wheels, "tiny")
    python = place.like(bare, there="/dev/null/nothing")
    with pytest.raises(PackagesError) as raised:
        place.run(real_host, version_of_tiny, "tiny", python=python)
    assert str(raised.value) == (
        f"{real_host}: its packages could not be put there: Not a directory: /dev/null/nothing"
    )


def test_a_cache_here_that_cannot_be_written_is_named(
    loopback_host: Host, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null/nothing")
    with pytest.raises(PackagesError, match="not be made, here: Not a directory: /dev/null/noth"):
        place.run(loopback_host, version_of_tiny, "tiny")


def test_a_disk_that_is_full_over_there_is_named_and_nothing_is_left(
    real_host: Host, place: Place, wheels: Path, bare: str
) -> None:
    make_wheel(wheels, "tiny", files={"tiny.py": b"1\n", "large": os.urandom(2_000_000)})
    limited = place.like(bare, before="ulimit -f 1000")
    with pytest.raises(PackagesError, match=r"there: File too large: .*/large"):
        place.run(real_host, version_of_tiny, "tiny", python=limited)
    assert not place.there.exists()


def test_one_host_that_cannot_have_them_does_not_take_the_others_along(
    loopback_hosts: list[Host], place: Place, wheels: Path, bare: str, tmp_path: Path
) -> None:
    make_wheel(wheels, "tiny")
    once = tmp_path / "once"
    once.touch()
    script = f'rm {once} 2>/dev/null && [ -z "$X" ] && export XDG_CACHE_HOME=/dev/null'
    python = place.like(bare, before=script)
    results = interstate.execute(
        version_of_tiny, hosts=loopback_hosts, python=python, packages=["tiny"],
        return_exceptions=True,
    )  # fmt: skip
    assert len(results) == 2
    assert any(isinstance(result, tuple) for result in results)


def test_an_executor_that_is_shut_down_ends_pip(
    loopback_host: Host, place: Place, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = threading.Event()

    def slow(*args: Any) -> list[str]:
        begun.set()
        return ["/bin/sh", "-c", "sleep 1000"]

    monkeypatch.setattr(resolving, "pip_command", slow)
    executor = SSHExecutor(loopback_host, packages=["tiny"], python=place.python)
    future = executor.submit(version_of_tiny)
    assert begun.wait(PATIENCE)
    started = time.monotonic()
    executor.shutdown(cancel_futures=True)
    assert future.cancelled()
    assert time.monotonic() - started < PATIENCE / 2


# ---------------------------------------------------------------- what is kept over there


def test_what_is_in_use_is_not_cleaned_and_all_else_is(
    real_host: Host, place: Place, wheels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    sshd: Sshd, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    make_wheel(wheels, "tiny")
    make_wheel(wheels, "other")
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "config").write_text(
        sshd.config_file({"node-1": sshd.addresses[0]}).read_text()
    )
    monkeypatch.setattr("interstate.ssh.config.home", lambda: str(home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    gone = place.run(real_host, os.getppid, "other")
    assert not processes.wait_gone([gone], PATIENCE), "it is in use until its agent has ended"
    with SSHExecutor(real_host, packages=["tiny"], python=place.python) as executor:
        executor.submit(version_of_tiny).result(PATIENCE)
        agent = executor.submit(os.getppid).result(PATIENCE)
        main(["clean", "node-1", "--python", place.python])
        said = capsys.readouterr().out
        assert re.fullmatch(
            rf"node-1: removed 0\.0 MB from {place.there} \(other 1\.0\); "
            r"in use, and left there: tiny 1\.0\n",
            said,
        )
        assert executor.submit(version_of_tiny).result(PATIENCE)[0] == "1.0"
    assert not processes.wait_gone([agent], PATIENCE)
    main(["clean", "node-1", "--python", place.python])
    assert "(tiny 1.0)\n" in capsys.readouterr().out
    assert not place.there.exists()
    main(["clean", "node-1", "--python", place.python])
    assert capsys.readouterr().out == f"node-1: nothing to remove in {place.there}\n"
    main(["clean"])
    assert "this computer: removed 0.0 MB" in capsys.readouterr().out
    assert not place.here.exists()


def test_clean_goes_through_a_jump_host_and_says_what_fails(
    place: Place, sshd: Sshd, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses = {"head-node": sshd.addresses[0], "node-1": sshd.addresses[1]}
    config = str(sshd.config_file(addresses))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    main(["clean", "node-1", "--via", "head-node", "--python", place.python, "-F", config])
    assert capsys.readouterr().out == f"node-1: nothing to remove in {place.there}\n"
    with pytest.raises(SystemExit) as ended:
        main(["clean", "node-1", "nobody.invalid", "--python", "/no/such/python", "-F", config])
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert "node-1: it could not be cleaned: no Python was found there" in said
    assert "nobody.invalid" in said


def test_a_set_that_was_removed_meanwhile_is_told_of(
    loopback_host: Host, place: Place, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from interstate import depot

    real = depot.keep

    def keep_and_lose(*args: Any) -> str:
        folder = real(*args)
        shutil.rmtree(folder)
        return folder

    make_wheel(wheels, "tiny")
    monkeypatch.setattr(depot, "keep", keep_and_lose)
    with pytest.raises(interstate.HostLost, match="FileNotFoundError"):
        place.run(loopback_host, version_of_tiny, "tiny", reconnect=0)


def test_a_server_that_allows_one_session_is_connected_to_anew(
    tmp_path: Path, keys: Keys, place: Place, wheels: Path
) -> None:
    make_wheel(wheels, "tiny")
    (tmp_path / "sshd").mkdir()
    with Sshd(tmp_path / "sshd", keys, options=["MaxSessions 1"]) as sshd:
        assert place.run(sshd.host(), version_of_tiny, "tiny")[0] == "1.0"


# ------------------------------------------------------------------------------ progress


def test_progress_tells_each_step(
    real_host: Host, place: Place, wheels: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_wheel(wheels, "tiny", files={"tiny.py": b"VERSION = 1", "large": os.urandom(5_000_000)})
    place.run(real_host, os.getpid, "tiny", progress=True)
    lines = capsys.readouterr().err.splitlines()
    steps = [
        r"\[interstate\] Python 3\.\S+ on Linux .*: resolving tiny",
        r"\[interstate\] Python 3\.\S+ on Linux .*: packing tiny",
        rf"\[interstate\] {real_host}: sending 5\.0 MB",
        rf"\[interstate\] {real_host}: unpacking",
        rf"\[interstate\] {real_host}: has its packages",
    ]
    told = [line for line in lines if " of " not in line]
    assert len(told) == len(steps)
    assert all(map(re.fullmatch, steps, told)), told
    place.run(real_host, os.getpid, "tiny", progress=True)
    assert capsys.readouterr().err == f"[interstate] {real_host}: has its packages\n"


def test_nothing_is_told_unless_it_is_asked_for(
    loopback_host: Host, place: Place, wheels: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_wheel(wheels, "tiny")
    place.run(loopback_host, os.getpid, "tiny")
    assert capsys.readouterr() == ("", "")


# ------------------------------------------------------------------------------ "auto"


def test_what_a_call_imports_comes_at_the_version_that_is_installed_here(
    real_host: Host, place: Place
) -> None:
    import numpy as np

    with SSHExecutor(
        real_host, packages="auto", python=place.python, workers_per_host=2
    ) as executor:
        assert executor.submit(os.getpid).result(PATIENCE)
        assert not place.there.exists(), "nothing is sent before it is imported"
        version, where = executor.submit(version_of_numpy).result(PATIENCE)
        assert version == np.__version__
        assert where.startswith(f"{place.there}/packages/")
        others = {executor.submit(version_of_numpy).result(PATIENCE) for _ in range(4)}
        assert others == {(version, where)}
    assert len(place.sets) == 2


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder from which this computer imports what is installed in it."""
    site = tmp_path / "lib" / "site-packages"
    site.mkdir(parents=True)
    monkeypatch.syspath_prepend(site)
    return site


def install_here(site: Path, wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as content:
        content.extractall(site)


def test_what_is_auto_is_what_is_here_and_so_is_what_it_needs(
    loopback_host: Host, place: Place, wheels: Path, site: Path
) -> None:
    install_here(site, make_wheel(wheels, "tiny", "2.0", requires=("old",)))
    install_here(site, make_wheel(wheels, "old", "1.5"))
    make_wheel(wheels, "tiny", "3.0")
    make_wheel(wheels, "old", "4.0")
    found = place.run(loopback_host, old_and_tiny, packages="auto")
    assert found == ("2.0", "1.5", False)


def test_all_of_a_namespace_comes(
    loopback_host: Host, place: Place, wheels: Path, site: Path
) -> None:
    for name in ("one", "two"):
        files = {f"space/{name}.py": f"VERSION = {name!r}".encode()}
        install_here(site, make_wheel(wheels, f"space_{name}", files=files))
    assert place.run(loopback_host, both_of_a_namespace, packages="auto") == ("one", "two")


def test_what_is_not_to_be_had_for_the_host_says_why_where_it_is_imported(
    loopback_host: Host, place: Place, wheels: Path, site: Path
) -> None:
    path = make_wheel(wheels, "tiny", "2.0")
    install_here(site, path)
    path.unlink()
    with pytest.raises(ImportError, match=r"no packages \(tiny==2\.0\) for Python .*tiny==2\.0"):
        place.run(loopback_host, version_of_tiny, packages="auto")
    with pytest.raises(ModuleNotFoundError, match="nowhere"):
        place.run(loopback_host, import_nowhere, packages="auto")


@pytest.mark.parametrize("kind", ["archive_info", "vcs_info", "dir_info"])
def test_what_is_not_from_an_index_is_not_asked_of_one(
    loopback_host: Host, place: Place, wheels: Path, site: Path, tmp_path: Path, kind: str
) -> None:
    private = tmp_path / "private"
    private.mkdir()
    own = make_wheel(private, "tiny", "1.0")
    install_here(site, own)
    url = own.as_uri() if kind == "archive_info" else "https://nowhere.invalid/tiny"
    (site / "tiny-1.0.dist-info" / "direct_url.json").write_text(json.dumps({"url": url, kind: {}}))
    make_wheel(wheels, "tiny", "1.0", files={"tiny.py": b"VERSION = 'of somebody else'"})
    if kind == "archive_info":
        assert place.run(loopback_host, version_of_tiny, packages="auto")[0] == "1.0"
    else:
        with pytest.raises(ModuleNotFoundError, match="tiny"):
            place.run(loopback_host, version_of_tiny, packages="auto")


def test_an_older_version_will_do_where_that_of_here_is_not_to_be_had_and_a_warning_says_so(
    loopback_host: Host,
    place: Place,
    wheels: Path,
    site: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = make_wheel(wheels, "tiny", "2.0")
    install_here(site, path)
    path.unlink()
    for version in ("0.9", "1.5", "2.5"):
        make_wheel(wheels, "tiny", version)
    for _ in range(2):
        caplog.clear()
        assert place.run(loopback_host, version_of_tiny, packages="auto")[0] == "1.5"
        assert "there is no tiny==2.0 for Python" in caplog.text


def test_what_was_removed_meanwhile_is_sent_again(
    loopback_host: Host, place: Place, wheels: Path, site: Path
) -> None:
    install_here(site, make_wheel(wheels, "tiny"))
    with SSHExecutor(loopback_host, packages="auto", python=place.python) as executor:
        assert executor.submit(version_of_tiny).result(PATIENCE)[0] == "1.0"
    shutil.rmtree(place.there)
    assert place.run(loopback_host, version_of_tiny, packages="auto")[0] == "1.0"
