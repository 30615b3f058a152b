"""Many calls on many hosts, by the interface of concurrent.futures.

    python examples/futures.py --host ssh://me@node-1 --host ssh://me@node-2

Without --host it runs on two SSH hosts that Interstate serves on this machine.
"""

import argparse
import contextlib
import random

import interstate
import interstate.loopback


def throw_darts(seed: int, darts: int = 100_000) -> int:
    """Return how many of the darts that hit a square also hit the circle in it."""
    numbers = random.Random(seed)  # noqa: S311 - darts, not secrets
    return sum(numbers.random() ** 2 + numbers.random() ** 2 < 1 for _ in range(darts))


def broken(seed: int) -> int:
    print("about to fail, seed", seed)
    raise ValueError("no darts are left")


def main() -> None:
    parser = argparse.ArgumentParser(description="Estimate pi on many hosts.")
    parser.add_argument("--calls", type=int, default=100, help="how many calls (%(default)s)")
    parser.add_argument("--host", action="append", help="where to run; may be given repeatedly")
    parser.add_argument("--via", action="append", help="the jump host; several, in order")
    parser.add_argument("--ssh-config", metavar="FILE", help="default: the one that ssh reads")
    args = parser.parse_args()

    options = {"ssh_config": args.ssh_config} if args.ssh_config else {}
    with contextlib.ExitStack() as stack:
        hosts = args.host or stack.enter_context(interstate.loopback.hosts(2))
        with interstate.SSHExecutor(hosts, args.via, **options) as executor:
            hits = sum(executor.map(throw_darts, range(args.calls)))
            print(f"pi is about {4 * hits / (args.calls * 100_000):.3f}")

            future = executor.submit(broken, 7)
            error = future.exception()
            print(f"{type(error).__name__} on {future.host}: {error}")
            print(f"before that, it printed: {future.stdout.strip()}")


if __name__ == "__main__":
    main()
