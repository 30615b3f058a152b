"""Computers with other Pythons than this one's: their homes, their PATHs, and what all users have.

Their interpreters are scripts that answer as ours do, or real ones that are linked to.  What this
computer has in /usr and /opt is hidden by a mount namespace; where that may not be made, the tests
that need it are skipped.
"""

from __future__ import annotations

import functools
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from interstate import boot

from .sshd import Keys, Sshd

_PATIENCE = 60.0
_AS_ROOT = [] if os.getuid() == 0 else ["--map-root-user"]
_UNSHARE = [shutil.which("unshare") or "unshare", *_AS_ROOT, "--mount"]
_HIDE = """\
mount() {{ {mount} "$@"; }}
mount --make-rprivate / && mount --bind {usr_local} /usr/local && mount --bind {opt} /opt || exit 71
for p in /usr/bin/python* /bin/python*; do
  test -f "$p" && mount --bind /dev/null "$p"
done
test -f {system} && mount --bind {system} /usr/bin/python3
true
"""


@functools.cache
def can_hide() -> bool:
    """Whether this process may make a mount namespace."""
    command = [*_UNSHARE, "mount", "--make-rprivate", "/"]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


class World:
    """A computer, made in an empty directory.

    Attributes:
        home: The home directory of its user; has a space and an umlaut in its name.
        usr_local, opt: What is in /usr/local and in /opt.
    """

    def __init__(self, directory: Path) -> None:
        self.home = directory / "it's höme"
        self.usr_local = directory / "usr_local"
        self.opt = directory / "opt"
        self._system = directory / "python3"
        self._enter = directory / "enter"
        for place in (self.home, self.usr_local, self.opt):
            place.mkdir()

    def python(self, path: Path | str, version: str = "") -> Path:
        """Put an interpreter there that says that it has a version; by default that of its name."""
        path = self.home / path
        path.parent.mkdir(parents=True, exist_ok=True)
        said = version or f"{path.name.removeprefix('python')}.7"
        path.write_text(f'#!/bin/sh\necho; echo "$5 {said} $0"; cat >/dev/null\n')
        path.chmod(0o755)
        return path

    def real_python(self, path: Path | str, real: str) -> Path:
        """Put a link to a real interpreter there."""
        path = self.home / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(real)
        return path

    def system_python(self, version: str) -> None:
        """Put an interpreter in place of /usr/bin/python3, and so of what that is a link to."""
        if not Path("/usr/bin/python3").exists():
            pytest.skip("there is no /usr/bin/python3 here, which another could take the place of")
        self.python(self._system, version)

    def hiding(self) -> str:
        """A script that runs what it is given where only this world's Pythons are."""
        if not can_hide():
            pytest.skip("no mount namespace may be made here, so this computer's Pythons are seen")
        places = {"usr_local": self.usr_local, "opt": self.opt, "system": self._system}
        quoted = {name: shlex.quote(str(place)) for name, place in places.items()}
        hide = _HIDE.format(**quoted, mount=shutil.which("mount"))
        inner = self._enter.with_name("enter_inner")
        inner.write_text(f'#!/bin/sh\n{hide}exec "$@"\n')
        self._enter.write_text(f'#!/bin/sh\nexec {shlex.join(_UNSHARE)} {inner} "$@"\n')
        for script in (inner, self._enter):
            script.chmod(0o755)
        return str(self._enter)

    def environ(self, *path: Path | str, **more: str) -> dict[str, str]:
        """The variables of a login: PATH has `path`, then that which no login does without."""
        entries = [*(str(self.home / entry) for entry in path), "/usr/bin", "/bin"]
        named = {"HOME": str(self.home), "PATH": ":".join(entries)}
        return {**named, "LANG": "C.UTF-8", **more}  # fish takes names apart that LANG has not

    def start(
        self,
        python: str | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        shell: str = "sh",
        cwd: Path | None = None,
    ) -> Answered:
        """Log in and start an agent, by a login shell; return what came."""
        start = boot.prepare(python)
        ran = subprocess.run(
            [self.hiding(), shell, "-c", start.command],
            env=dict(environ if environ is not None else self.environ()),
            cwd=cwd or self.home,
            input=b"",
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
        )
        assert ran.returncode != 71, ran.stderr
        return Answered(start, ran.stdout, ran.stderr)

    def sshd(self, keys: Keys, *path: Path | str) -> Sshd:
        """A real sshd that has this world's Pythons only; see `environ`."""
        directory = self._enter.with_name("sshd")
        directory.mkdir()
        force = f'{self.hiding()} sh -c "$SSH_ORIGINAL_COMMAND"'
        return Sshd(directory, keys, env=self.environ(*path), force_command=force)


class Answered:
    """What came when an agent was to be started; a `boot.Stream` of it.

    Attributes:
        error: What was printed as an error.
    """

    finished = lost = True

    def __init__(self, start: boot.Start, output: bytes, error: bytes) -> None:
        self.error = error.decode()
        self._start = start
        self._output = output

    @property
    def interpreter(self) -> str:
        """The path of the interpreter that was started, and its version."""
        line = self._output.partition(self._start.marker + b" ")[2].partition(b"\n")[0]
        assert line, f"no Python was started: {self._output!r} {self.error}"
        version, _, path = line.decode().partition(" ")
        return f"{path} {version}"

    def why(self) -> str:
        """Why there is no agent."""
        with pytest.raises(boot.NoAgentError) as caught:
            boot.await_hello(self, self._start)
        return str(caught.value)

    def read(self, n: int, /) -> bytes:
        said, self._output = self._output[:n], self._output[n:]
        return said

    def write(self, data: object, /) -> None:
        """Nobody reads it."""

    def write_now(self, data: bytes, /) -> bool:
        return True

    def pump(self, receive: object, /) -> None:
        raise NotImplementedError

    def close(self) -> None:
        """There is nothing to close."""


def pyenv(version: str) -> Iterator[str]:
    """The real interpreters of a version that pyenv has."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from map(str, sorted(root.glob(f"versions/{version}.*/bin/python{version}")))
