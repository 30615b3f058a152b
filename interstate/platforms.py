"""What a host's Python can import, in the words of pip, of uv, and of us.  Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

_OLDEST = {"x86_64": 5, "i686": 5}  # the glibc 2.X of the first manylinux that an architecture had
_OLDEST_OF_OTHERS = 17
_ALIASES = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
_MUSL = 2  # musl 1.X, since 2019; a Python cannot say which musl it has
_UV_GLIBC = (17, 28, *range(31, 41))  # what uv has names for
_UV_MACHINES = ("x86_64", "aarch64")


class Platform(NamedTuple):
    """A Python and what it runs on.

    Attributes:
        python: Its version.
        implementation: As `sys.implementation.name`.
        abiflags: As `sys.abiflags`.
        system: As `os.uname().sysname`.
        machine: As wheels name it.
        libc: The C library and its version: "glibc 2.36", or "musl".
    """

    python: tuple[int, int, int]
    implementation: str
    abiflags: str
    system: str
    machine: str
    libc: str

    def __str__(self) -> str:
        version = ".".join(map(str, self.python))
        name = "Python" if self.implementation == "cpython" else self.implementation
        return f"{name} {version}{self.abiflags} on {self.system} {self.machine} ({self.libc})"

    @property
    def obstacle(self) -> str:
        """Why no wheels can be chosen for it, or ""."""
        if self.implementation != "cpython":
            return "packages can be had for CPython only"
        return "" if self.system == "Linux" else "packages can be had for Linux only"

    @property
    def abi(self) -> str:
        """What its extension modules are built for, as in wheels' names."""
        return f"cp{self.python[0]}{self.python[1]}{self.abiflags}"

    @property
    def tags(self) -> list[str]:
        """The platform tags of wheels that it takes, the best first."""
        return [*self._libc_tags(), f"linux_{self.machine}"]

    @property
    def markers(self) -> dict[str, str]:
        """What the markers of requirements are to be held against (PEP 508)."""
        full = ".".join(map(str, self.python))
        return {
            "implementation_name": self.implementation,
            "implementation_version": full,
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": self.system,
            "platform_version": "",
            "python_full_version": full,
            "python_version": f"{self.python[0]}.{self.python[1]}",
            "sys_platform": self.system.lower(),
        }

    @property
    def uv_name(self) -> str | None:
        """What uv calls the platform; None if it has no name for it."""
        if self.machine not in _UV_MACHINES or self.abiflags:
            return None
        if self._glibc is None:
            return f"{self.machine}-unknown-linux-musl"
        known = [minor for minor in _UV_GLIBC if minor <= self._glibc]
        return f"{self.machine}-manylinux_2_{known[-1]}" if known else None

    @property
    def _glibc(self) -> int | None:
        """The X of its glibc 2.X."""
        name, _, version = self.libc.partition(" ")
        minor = version.partition(".")[2].partition(".")[0]
        known = name == "glibc" and minor.isdecimal() and len(minor) < 4  # there is a tag for each
        return int(minor) if known else None

    def _libc_tags(self) -> Iterator[str]:
        if self._glibc is None:
            yield from (f"musllinux_1_{minor}_{self.machine}" for minor in range(_MUSL, -1, -1))
            return
        oldest = _OLDEST.get(self.machine, _OLDEST_OF_OTHERS)
        for minor in range(self._glibc, oldest - 1, -1):
            yield f"manylinux_2_{minor}_{self.machine}"
            if minor in _ALIASES:
                yield f"{_ALIASES[minor]}_{self.machine}"
