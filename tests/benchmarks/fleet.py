"""A hundred hosts at once."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import interstate
from interstate.engine import OPENING
from interstate.hosts import Host

from .place import HOSTS, PATIENCE, READ, Place, in_turns, median, ratio, seconds
from .report import Row

_TURNS = 2


def hundred_hosts(place: Place) -> Row:
    """One execute() on 100 addresses, beside as many bare connections, as many at a time."""
    lost: list[int] = []
    ours, bare = in_turns(
        _TURNS,
        lambda: [seconds(lambda: lost.append(_execute(place)))],
        lambda: [seconds(lambda: _connect_all(place))],
    )
    return Row(
        ours=median(ours) * 1e3 / HOSTS,
        peer=median(bare) * 1e3 / HOSTS,
        unit="ms a host",
        peer_name=f"paramiko, {OPENING} threads: connect, python3 -c pass",
        ratio=ratio(ours, bare),
        more={"time for all": f"{median(ours):.1f} s", "results lost": f"{sum(lost)}"},
    )


def _execute(place: Place) -> int:
    """How many of the 100 did not answer."""
    hosts = place.sshd.hosts(HOSTS)
    pids = interstate.execute(os.getpid, hosts=hosts, ssh_config=None, connect_timeout=PATIENCE)
    return HOSTS - len(set(pids))


def _connect_all(place: Place) -> None:
    with ThreadPoolExecutor(OPENING) as threads:
        list(threads.map(lambda host: _connect(place, host), place.sshd.hosts(HOSTS)))


def _connect(place: Place, host: Host) -> None:
    with place.channel("python3 -c pass", host) as channel:
        while channel.recv(READ):
            pass
