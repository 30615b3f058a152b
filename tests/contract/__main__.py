"""Runs all calls and writes docs/versions_matrix.md.

python -m tests.contract PYTHON ...    what this Python sends, and each of the others
python -m tests.contract --show        what this Python sends, and what is wrong; no page
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys

import interstate.loopback

from .. import pythons
from . import page, running

Found = dict[str, dict[str, running.Results]]  # title of a group -> version over there


def main() -> None:
    """Do what the arguments say."""
    parser = argparse.ArgumentParser(prog="python -m tests.contract", description=__doc__)
    parser.add_argument("clients", metavar="PYTHON", nargs="*", help="run this one, too")
    parser.add_argument("--show", action="store_true", help="print what is wrong, write no page")
    parser.add_argument("--json", action="store_true", help="print what this one finds")
    asked = parser.parse_args()
    there, found = judge()
    if asked.show:
        _show(found)
        return
    section = page.made(platform.python_version(), there, found)
    if asked.json:
        json.dump(section, sys.stdout)
        return
    sections = page.parse(page.PAGE.read_text()) if page.PAGE.exists() else []
    new = [section, *map(_of_another, asked.clients)]
    replaced = {page.minor(made.here) for made in new}
    kept = [made for made in sections if page.minor(made.here) not in replaced]
    page.PAGE.write_text(page.render([*kept, *new]))


def judge() -> tuple[dict[str, str], Found]:
    """The full versions over there by their minor ones, and what comes of all calls."""
    paths = {version: pythons.find(version) for version in pythons.HOSTS}
    present = {version: path for version, path in paths.items() if path is not None}
    with (
        interstate.loopback.hosts(1) as [host],
        running.executors(host, present) as executors,
    ):
        there = running.versions(executors)
        judged = running.judge_all(executors)
    titles = {name: group.title for name, group in running.groups().items()}
    return there, {titles[name]: results for name, results in judged.items()}


def _of_another(python: str) -> page.Made:
    command = [python, "-m", "tests.contract", "--json"]
    printed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return page.Made(*json.loads(printed))


def _show(found: Found) -> None:
    for title, by_version in found.items():
        for version, ways in by_version.items():
            for way, calls in ways.items():
                for name, (word, why) in calls.items():
                    if word == running.WRONG:
                        print(f"{title}: {name}, {way}, to {version}: {why}")


if __name__ == "__main__":
    main()
