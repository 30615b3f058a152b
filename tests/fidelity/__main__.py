"""Runs all cells and writes docs/fidelity.md.

python -m tests.fidelity                    ours; the peers' tables stay as they are
python -m tests.fidelity --peers PYTHON     the peers' too, by the Python that has them
python -m tests.fidelity --show             ours, and where what comes back differs; no page
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import interstate
import interstate.loopback

from . import page
from .children import Child
from .compare import EQUAL, Judged
from .runners import ours
from .running import Run
from .situations import SITUATIONS, Place

Judgements = dict[str, dict[str, Judged]]  # situation -> shape


def main() -> None:
    """Do what the arguments say."""
    parser = argparse.ArgumentParser(prog="python -m tests.fidelity", description=__doc__)
    parser.add_argument("--peers", metavar="PYTHON", help="run the peers, by this Python")
    parser.add_argument("--show", action="store_true", help="print what differs, write no page")
    asked = parser.parse_args()
    text = page.PAGE.read_text() if page.PAGE.exists() else ""
    tables, versions = page.parse(text)
    with tempfile.TemporaryDirectory() as directory:
        place = Place(Path(directory))
        place.write()
        with interstate.loopback.hosts(1) as [host]:
            mine = judge_ours(place, host)
        if asked.show:
            _show(mine)
            return
        tables[page.OURS] = _as_table(mine)
        versions[page.OURS] = f"Python {platform.python_version()}"
        for peer in (page.POOL, page.DASK) if asked.peers else ():
            tables[peer] = _as_table(judge_peer(peer, place, asked.peers))
            versions[peer] = _version(peer, asked.peers)
    page.PAGE.write_text(
        page.render({who: tables[who] for who in page.HEADS if who in tables}, versions)
    )


def judge_ours(place: Place, host: interstate.Host) -> Judgements:
    """What comes back from a host, in each situation."""
    fields = (host.name, host.user, host.port, host.identity_file, host.known_hosts_file)
    with Child("ours", "main", place, fields) as script:
        with place.entered(), ours(place, host) as running:
            runs = {name: Run(running, place, name) for name in SITUATIONS if name != "main"}
            found = {name: dict(run.results()) for name, run in runs.items()}
        found["main"] = script.results()
    return {name: found[name] for name in SITUATIONS}


def judge_peer(peer: str, place: Place, python: str) -> Judgements:
    """What comes back from a peer, in each situation."""
    found = {}
    for name in SITUATIONS:
        place.restore()
        with Child(peer, name, place, None, python) as child:
            found[name] = child.results()
        print(f"{peer}: {name}", file=sys.stderr)
    return found


def _as_table(found: Judgements) -> page.Table:
    return {
        shape: {situation: found[situation][shape].word for situation in found}
        for shape in next(iter(found.values()))
    }


def _show(found: Judgements) -> None:
    for situation, judged in found.items():
        for shape, (word, differences) in judged.items():
            if word != EQUAL:
                print(f"{situation} {shape}: {word}", *differences, sep="\n    ")


def _version(peer: str, python: str) -> str:
    ask = "import platform; print('Python', platform.python_version(), end='')"
    if peer == page.DASK:
        ask += "; import distributed; print(', distributed', distributed.__version__, end='')"
    return subprocess.run([python, "-c", ask], capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    main()
