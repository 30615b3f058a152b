"""The command line: `interstate check`, `clean` and `demo`, or `python -m interstate …`."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence

from . import checking, checkscreen, cleaning, demo
from .hosts import expand
from .ssh import USER_CONFIG


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what the command line says.

    Args:
        arguments: What stands after the program's name; default: this process's own.
    """
    options = _parser().parse_args(arguments)
    options.run(options)


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
    trial.set_defaults(run=lambda options: demo.run(options.number, options.hosts))
    _add_check(
        commands.add_parser(
            "check",
            help="see whether hosts can be used",
            description="Log in to hosts as for a call, start our agent there, and say what was "
            "found: the way, host key, login, Python, CPUs, memory, load, round trip and speed; "
            "or what is wrong, and what to do. Exit status: 0 if all are good, 1 if some are not, "
            "2 if the command line makes no sense.",
        )
    )
    _add_clean(
        commands.add_parser(
            "clean",
            help="remove the packages that are kept on hosts",
            description="Remove the packages that Interstate keeps on hosts for calls to import, "
            "but for those that are in use; without a HOST, what it keeps on this computer.",
        )
    )
    return parser


def _add_check(parser: argparse.ArgumentParser) -> None:
    _add_hosts(parser, "+")
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=checking.PATIENCE,
        metavar="SECONDS",
        help="how long a host may take to let us in, and again until its agent is there "
        "(default: %(default)g)",
    )
    parser.add_argument("--json", action="store_true", help="write an object of JSON for each host")
    parser.set_defaults(run=lambda options: _check(parser, options))


def _check(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    try:
        hosts, via = (expand(given) if given else [] for given in (options.hosts, options.via))
        status = checkscreen.run(
            hosts, via, options.python, options.ssh_config, options.timeout, options.json
        )
    except (ValueError, OSError) as error:
        parser.error(str(error))
    if status:
        parser.exit(status)


def _add_clean(parser: argparse.ArgumentParser) -> None:
    _add_hosts(parser, "*")
    parser.set_defaults(run=lambda options: _clean(parser, options))


def _add_hosts(parser: argparse.ArgumentParser, count: str) -> None:
    """Have it take hosts, and how they are reached."""
    parser.add_argument(
        "hosts", nargs=count, metavar="HOST", help="URLs, aliases of ssh_config, ranges"
    )
    parser.add_argument(
        "--via", action="append", default=[], metavar="HOST", help="a hop; may be given repeatedly"
    )
    parser.add_argument("--python", metavar="PATH", help="the Python to use over there")
    parser.add_argument(
        *("-F", "--ssh-config"),
        metavar="FILE",
        default=USER_CONFIG,
        help="the file that says how hosts are reached; default: the user's and the system's",
    )


def _clean(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    try:
        hosts, via = (expand(given) if given else [] for given in (options.hosts, options.via))
        done = cleaning.run(hosts, via, options.python, options.ssh_config)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    if not done:
        parser.exit(1)


def _seconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"must be a positive number, not {text!r}")
    return number


def _positive(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be a positive integer, not {text!r}")
    return number


if __name__ == "__main__":
    main()
