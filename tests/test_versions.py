"""Any Python over there: every call of the contract, from this Python to each (see `contract`)."""

from __future__ import annotations

import linecache
import platform

import pytest

from interstate import SSHExecutor

from . import pythons
from .contract import page, running
from .contract.__main__ import Found, judge
from .contract.running import WRONG
from .contract.ways import WAYS, loaded
from .sshd import Sshd

PATIENCE = 60.0
GROUPS = running.groups()
OURS = page.minor(platform.python_version())
FEW = ("plain", "data", "raising")  # groups, for where it is slow


@pytest.fixture(scope="module")
def found() -> Found:
    """What came of each call, in every way, to every Python."""
    linecache.cache.pop("<string>", None)  # since 3.13 the text of `python -c`, as xdist's is
    return judge()[1]


@pytest.fixture(params=pythons.HOSTS)
def version(request: pytest.FixtureRequest) -> str:
    """A version of Python that is on this machine."""
    wanted: str = request.param
    if pythons.find(wanted) is None:
        pytest.skip(pythons.why_not(wanted))
    return wanted


@pytest.mark.parametrize("name", GROUPS)
def test_each_call_is_right_over_there_or_says_why_it_cannot_be(
    name: str, version: str, found: Found
) -> None:
    ways = found[GROUPS[name].title][version]
    assert all(ways.values()), "there are no calls"
    wrong = [
        f"{call}, {WAYS[way].about}: {why}"
        for way, calls in ways.items()
        for call, (word, why) in calls.items()
        if word == WRONG
    ]
    assert not wrong, "\n\n".join([f"{len(wrong)} calls, to Python {version}:", *wrong])


@pytest.mark.parametrize("name", GROUPS)
def test_nothing_is_refused_by_our_own_version(name: str, found: Found) -> None:
    if pythons.find(OURS) is None:
        pytest.skip(pythons.why_not(OURS))
    words = [it.word for calls in found[GROUPS[name].title][OURS].values() for it in calls.values()]
    assert running.SAYS_WHY not in words


def test_the_page_is_as_it_is_made_and_nothing_in_it_is_wrong() -> None:
    text = page.PAGE.read_text()
    sections = page.parse(text)
    assert page.render(sections) == text
    assert OURS in [page.minor(made.here) for made in sections]
    assert "wrong" not in text.partition("\n## ")[2]


def test_the_page_says_what_comes_of_the_calls(found: Found) -> None:
    [promised] = [
        made for made in page.parse(page.PAGE.read_text()) if page.minor(made.here) == OURS
    ]
    here = [version for version in pythons.HOSTS if pythons.find(version) is not None]
    assert list(promised.table) == list(found)
    for title, cells in page.made("", {}, found).table.items():
        said = promised.table[title]
        assert {v: cells[v] for v in here} == {v: said[v] for v in here}, title


@pytest.mark.parametrize("name", FEW)
def test_a_real_sshd_makes_no_difference(name: str, version: str, sshd: Sshd) -> None:
    python = pythons.find(version)
    with (
        SSHExecutor(sshd.host(), python=python, workers_per_host=1) as executor,
        loaded(GROUPS[name].path, WAYS["script"]) as calls,
    ):
        futures = [(call, executor.submit(call.fn, *call.args)) for call in calls]
        for call, future in futures:
            error = future.exception(PATIENCE)
            assert not call.wrong(None if error else future.result(), error)
