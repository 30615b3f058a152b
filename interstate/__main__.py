"""The command line: `python -m interstate demo`, or `interstate demo`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from . import demo


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what the command line says.

    Args:
        arguments: What stands after the program's name; default: this process's own.
    """
    options = _parser().parse_args(arguments)
    demo.run(options.number, options.hosts)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="interstate", description="Run Python functions on the computers you can ssh to."
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    trial = commands.add_parser(
        "demo",
        help="run a job on SSH hosts on this machine",
        description="Serve SSH hosts on this machine, and search the factors of a number on them: "
        "each host tries its share of the candidates. Nothing needs to be set up for it.",
    )
    trial.add_argument(
        "number",
        nargs="?",
        type=_positive,
        default=demo.NUMBER,
        help="whose factors to search (default: %(default)s)",
    )
    trial.add_argument(
        "--hosts", type=_positive, default=4, help="how many hosts (default: %(default)s)"
    )
    return parser


def _positive(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be a positive integer, not {text!r}")
    return number


if __name__ == "__main__":
    main()
