"""Bare hosts: what another Python, packages and modules of one's own cost at the start."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from interstate import SSHExecutor
from interstate.serving import Serving
from tests import pythons

from .place import PATIENCE, Place
from .report import Line, Row, at_most
from .turns import Compared, compare

_STARTS = 7
_MODULES = 50
_SAME = "this Python over there"


def other_python(place: Place) -> Row:
    """From nothing to the first result, and to that of a closure, where it is another version."""
    ours = f"{sys.version_info[0]}.{sys.version_info[1]}"
    others = [v for v in pythons.HOSTS if v != ours and pythons.find(v)]
    found = {v: _compared(place, str(pythons.find(v))) for v in others}
    return Row([f.line("ms", _SAME, what=v, index=1, scale=1e3) for v, f in found.items()])


def _compared(place: Place, python: str) -> Compared:
    return compare(
        _STARTS,
        lambda: _starts(place, python=python),
        {_SAME: lambda: _starts(place, python=sys.executable)},
    )


def _starts(place: Place, **options: Any) -> list[float]:
    """Seconds to the first result, and to that of a closure after it."""
    offset = 1
    begun = time.perf_counter()
    with SSHExecutor(place.host, workers_per_host=1, ssh_config=None, **options) as executor:
        executor.submit(os.getpid).result(PATIENCE)
        first = time.perf_counter() - begun
        executor.submit(lambda: offset).result(PATIENCE)
        return [first, time.perf_counter() - begun]


def packages_again(place: Place) -> Row:
    """The second start with numpy for a bare Python, beside one without packages."""
    home = place.new_directory()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home / "bare")], check=True)
    python = str(home / "bare" / "bin" / "python")
    before = os.environ.get("XDG_CACHE_HOME")
    os.environ["XDG_CACHE_HOME"] = str(home / "here")
    try:
        _starts(place, python=python, packages=["numpy"])
        without = "without packages"
        found = compare(
            _STARTS,
            lambda: _starts(place, python=python, packages=["numpy"])[:1],
            {without: lambda: _starts(place, python=python)[:1]},
        )
    finally:
        if before is None:
            del os.environ["XDG_CACHE_HOME"]
        else:
            os.environ["XDG_CACHE_HOME"] = before
    line = found.line("ms", without, scale=1e3)
    if line.ours is None or line.theirs is None:
        return Row([line])
    more = (line.ours - line.theirs) / 1e3
    return Row([line, Line(more, "s", "more than without", asked=at_most(0.3))])


def own_package(place: Place) -> Row:
    """The first import over there of a package of 50 modules: seconds, and questions asked."""
    folder = place.new_directory()
    _write_package(folder / "fifty")
    sys.path.insert(0, str(folder))
    asked: list[object] = []
    ask = Serving.ask
    try:
        total = importlib.import_module("fifty").total  # as its user would have done
        Serving.ask = _counting(ask, asked)  # type: ignore[method-assign]
        with SSHExecutor(place.host, workers_per_host=1, ssh_config=None) as executor:
            executor.submit(os.getpid).result(PATIENCE)
            asked.clear()
            begun = time.perf_counter()
            assert executor.submit(total).result(PATIENCE) == sum(range(_MODULES))
            seconds = time.perf_counter() - begun
    finally:
        Serving.ask = ask  # type: ignore[method-assign]
        sys.path.remove(str(folder))
    lines = [Line(float(len(asked)), "round trips", asked=at_most(2))]
    return Row(lines, {"seconds": f"{seconds:.3f} s"})


def _counting(ask: Callable[..., Any], asked: list[object]) -> Callable[..., Any]:
    def counted(*args: Any) -> Any:
        asked.append(args)
        return ask(*args)

    return counted


def _write_package(folder: Path) -> None:
    folder.mkdir()
    names = [f"m{index}" for index in range(_MODULES)]
    imports = "".join(f"from . import {name}\n" for name in names)
    every = ", ".join(names)
    (folder / "__init__.py").write_text(
        f"{imports}\ndef total():\n    return sum(m.VALUE for m in ({every}))\n"
    )
    for index, name in enumerate(names):
        (folder / f"{name}.py").write_text(f"VALUE = {index}\n")
