"""A job on a host that only another host can reach: all traffic is forwarded through that one.

    python examples/behind_a_jump_host.py --host ssh://me@inner-node --via ssh://me@head-node

Without --host it runs on one of two SSH hosts that Interstate serves on this machine, by way of
the other.
"""

import argparse
import contextlib
import os
import platform

import interstate
import interstate.loopback


def who_am_i() -> str:
    """Say where this runs; a job need not take an argument."""
    client, _, server, port = os.environ["SSH_CONNECTION"].split()
    print(f"Python {platform.python_version()} on {platform.node()}")
    print(f"reached at {server}, port {port}, from {client}")
    return platform.node()


def main() -> None:
    parser = argparse.ArgumentParser(description="Run a job on a host behind a jump host.")
    parser.add_argument("--host", help="where to run; default: a host on this machine")
    parser.add_argument("--via", action="append", help="the jump host; several, in order")
    parser.add_argument("--ssh-config", metavar="FILE", help="default: the one that ssh reads")
    args = parser.parse_args()
    if args.via and not args.host:
        parser.error("--via leads to a --host: give that too")

    options = {"ssh_config": args.ssh_config} if args.ssh_config else {}
    with contextlib.ExitStack() as stack:
        host, via = args.host, args.via
        if host is None:
            via, host = stack.enter_context(interstate.loopback.hosts(2))
        name = interstate.execute(who_am_i, host=host, via=via, **options)
    print(f"the job ran on {name}")


if __name__ == "__main__":
    main()
