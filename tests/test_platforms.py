"""Which wheels a host's Python takes."""

from __future__ import annotations

import os
import sys
import sysconfig

import pytest

from interstate import boot
from interstate.platforms import Platform
from interstate.provision import platform_of
from interstate.remote.hello import hello

HOST = Platform((3, 12, 1), "cpython", "", "Linux", "x86_64", "glibc 2.36")


def test_all_manylinux_that_its_glibc_can_run_the_newest_first() -> None:
    tags = HOST.tags
    assert tags[0] == "manylinux_2_36_x86_64"
    assert tags.index("manylinux_2_17_x86_64") + 1 == tags.index("manylinux2014_x86_64")
    assert tags[-3:] == ["manylinux_2_5_x86_64", "manylinux1_x86_64", "linux_x86_64"]
    assert len(tags) == len(set(tags)) == 32 + 3 + 1


@pytest.mark.parametrize(
    ("machine", "libc", "first", "last", "count"),
    [
        ("x86_64", "glibc 2.12", "manylinux_2_12_x86_64", "linux_x86_64", 8 + 2 + 1),
        ("aarch64", "glibc 2.39", "manylinux_2_39_aarch64", "linux_aarch64", 23 + 1 + 1),
        ("x86_64", "musl", "musllinux_1_2_x86_64", "linux_x86_64", 3 + 1),
        ("riscv64", "glibc 2.16", "linux_riscv64", "linux_riscv64", 1),
    ],
)
def test_tags_of_other_platforms(
    machine: str, libc: str, first: str, last: str, count: int
) -> None:
    tags = HOST._replace(machine=machine, libc=libc).tags
    assert (tags[0], tags[-1], len(tags)) == (first, last, count)


def test_this_platform_is_as_pip_has_it() -> None:
    tags = pytest.importorskip("pip._vendor.packaging.tags")
    markers = pytest.importorskip("pip._vendor.packaging.markers").default_environment()
    here = _here()
    assert set(here.tags) == set(tags.platform_tags())
    assert here.abi in {tag.abi for tag in tags.sys_tags()}
    known = here.markers
    for name in ("platform_release", "platform_version"):  # which no wheel should depend on
        assert (known.pop(name), markers.pop(name)[:0]) == ("", "")
    assert known == markers


def test_hello_says_what_there_is_to_know() -> None:
    here = _here()
    assert here.python == tuple(sys.version_info[:3])
    assert here.machine == os.uname().machine
    assert here.libc == (os.confstr("CS_GNU_LIBC_VERSION") or "musl")
    assert here.abi in (sysconfig.get_config_var("EXT_SUFFIX") or "").replace("cpython-", "cp")


@pytest.mark.parametrize(
    ("changes", "abi"),
    [({}, "cp312"), ({"python": (3, 9, 18)}, "cp39"), ({"abiflags": "t"}, "cp312t")],
)
def test_abi(changes: dict[str, str], abi: str) -> None:
    assert HOST._replace(**changes).abi == abi  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, "x86_64-manylinux_2_36"),
        ({"libc": "glibc 2.29"}, "x86_64-manylinux_2_28"),
        ({"libc": "glibc 2.99"}, "x86_64-manylinux_2_40"),
        ({"libc": "musl", "machine": "aarch64"}, "aarch64-unknown-linux-musl"),
        ({"libc": "glibc 2.12"}, None),
        ({"machine": "ppc64le"}, None),
        ({"abiflags": "t"}, None),
    ],
)
def test_what_uv_calls_it(changes: dict[str, str], name: str | None) -> None:
    assert HOST._replace(**changes).uv_name == name  # type: ignore[arg-type]


def test_what_no_wheels_are_chosen_for_says_so() -> None:
    assert HOST.obstacle == ""
    assert HOST._replace(implementation="pypy").obstacle == "packages can be had for CPython only"
    assert HOST._replace(system="Darwin").obstacle == "packages can be had for Linux only"


def _here() -> Platform:
    return platform_of(boot._parse(hello(b"")))
