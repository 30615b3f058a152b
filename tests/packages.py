"""What tests of packages have in common: wheels made on the spot, bare Pythons, own caches."""

from __future__ import annotations

import base64
import hashlib
import os
import select
import shlex
import subprocess
import sys
import venv
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

from interstate.remote import wire


def make_wheel(
    folder: Path,
    name: str,
    version: str = "1.0",
    *,
    tag: str = "py3-none-any",
    files: Mapping[str, bytes] | None = None,
    requires: tuple[str, ...] = (),
    requires_python: str = "",
) -> Path:
    """Write a wheel; by default it has one module of its name, with a VERSION."""
    contents = dict(files or {f"{name}.py": f"VERSION = {version!r}\n".encode()})
    about = f"{name}-{version}.dist-info"
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    lines += [f"Requires-Dist: {requirement}" for requirement in requires]
    lines += [f"Requires-Python: {requires_python}"] * bool(requires_python)
    contents[f"{about}/METADATA"] = "\n".join([*lines, ""]).encode()
    contents[f"{about}/WHEEL"] = f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n".encode()
    record = [f"{path},sha256={_digest(data)},{len(data)}" for path, data in contents.items()]
    contents[f"{about}/RECORD"] = "\n".join([*record, f"{about}/RECORD,,", ""]).encode()
    path = folder / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for member, data in contents.items():
            wheel.writestr(member, data)
    return path


def index_of(folder: Path) -> dict[str, str]:
    """The variables by which pip and uv find wheels in a folder, and nowhere else."""
    return {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(folder),
        "PIP_CONFIG_FILE": os.devnull,
        "UV_OFFLINE": "1",
        "UV_FIND_LINKS": str(folder),
        "UV_NO_CONFIG": "1",
    }


def bare_python(folder: Path) -> str:
    """A Python like this one, with nothing installed; return its path."""
    venv.EnvBuilder(symlinks=True).create(folder)
    return str(folder / "bin" / "python")


def wrapped(path: Path, python: str, before: str = "", **environ: str) -> str:
    """Write a program that is a Python with these variables; return its path."""
    settings = "".join(f"export {name}={shlex.quote(v)}\n" for name, v in environ.items())
    path.write_text(f'#!/bin/sh\n{settings}{before}\nexec {shlex.quote(python)} "$@"\n')
    path.chmod(0o755)
    return str(path)


class Process:
    """A line that runs here, as the Stream of a host that it would run on.

    Args:
        line: For /bin/sh.
        environ: Its environment.
        before_write: Called with all that is to be written, before it is.
    """

    def __init__(
        self,
        line: str,
        environ: Mapping[str, str],
        before_write: Callable[[Process, bytes], object] = lambda process, data: None,
    ) -> None:
        self._before_write = before_write
        self.child = subprocess.Popen(
            ["/bin/sh", "-c", line],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=dict(environ),
        )
        self.written = 0

    def await_start(self) -> None:
        """Wait until it has something to say: that it takes time to start is no silence."""
        assert self.child.stdout is not None
        assert select.select([self.child.stdout], [], [], 60.0)[0], "it does not start"

    def read(self, n: int) -> bytes:
        assert self.child.stdout is not None
        return self.child.stdout.read(n)

    def write(self, data: wire.Bytes) -> None:
        assert self.child.stdin is not None
        self._before_write(self, bytes(data))
        view = memoryview(data).cast("B")
        while view:
            view = view[self.child.stdin.write(view) :]
        self.written += len(data)

    def close(self) -> None:
        assert self.child.stdin is not None
        if not self.child.stdin.closed:
            self.child.stdin.close()

    def end(self) -> None:
        """Wait for its end."""
        self.close()
        self.child.wait(30)
        assert self.child.stdout is not None
        self.child.stdout.close()

    def pump(self, receive: Callable[[bytes], object]) -> None:
        raise NotImplementedError

    def write_now(self, data: bytes) -> bool:
        raise NotImplementedError

    @property
    def lost(self) -> bool:
        raise NotImplementedError

    @property
    def finished(self) -> bool:
        raise NotImplementedError


def minor_version() -> str:
    """This Python's, as in "3.12"."""
    return ".".join(map(str, sys.version_info[:2]))


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
