"""A hundred hosts at once."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import interstate
from interstate import Host

from .place import HOSTS, PATIENCE, READ, Place, seconds
from .report import Line, Row, at_most
from .turns import compare

_TURNS = 2
_AT_ONCE = 32  # hosts that are being connected to: as many as interstate has
_BARE = f"paramiko, {_AT_ONCE} threads: connect, python3 -c pass"


def hundred_hosts(place: Place) -> Row:
    """One execute() on 100 addresses, beside as many bare connections, as many at a time."""
    lost: list[int] = []
    found = compare(
        _TURNS,
        lambda: [seconds(lambda: lost.append(_execute(place)))],
        {_BARE: lambda: [seconds(lambda: _connect_all(place))]},
    )
    return Row(
        [
            found.line("ms a host", _BARE, scale=1e3 / HOSTS),
            Line(sum(lost), "results", what="lost", asked=at_most(0)),
        ]
    )


def _execute(place: Place) -> int:
    """How many of the 100 did not answer."""
    hosts = place.sshd.hosts(HOSTS)
    pids = interstate.execute(os.getpid, hosts=hosts, ssh_config=None, connect_timeout=PATIENCE)
    return HOSTS - len(set(pids))


def _connect_all(place: Place) -> None:
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        list(threads.map(lambda host: _connect(place, host), place.sshd.hosts(HOSTS)))


def _connect(place: Place, host: Host) -> None:
    with place.channel("python3 -c pass", host) as channel:
        while channel.recv(READ):
            pass
