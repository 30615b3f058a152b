"""One job cut into slices over many hosts: each searches its share of the factors of a number.

    python examples/factors.py --host ssh://me@node-[00-15].cluster --via ssh://me@head-node

Without --host it runs on four SSH hosts that Interstate serves on this machine.
"""

import argparse
import contextlib
import math

import interstate
import interstate.loopback


def main() -> None:
    parser = argparse.ArgumentParser(description="Find the factors of a number on many hosts.")
    parser.add_argument("number", type=int, nargs="?", default=51_527_797_763_237)
    parser.add_argument("--host", action="append", help="where to run; may be given repeatedly")
    parser.add_argument("--via", action="append", help="the jump host; several, in order")
    parser.add_argument("--ssh-config", metavar="FILE", help="default: the one that ssh reads")
    args = parser.parse_args()
    number = args.number
    largest = math.isqrt(number)  # of each pair of factors, one is no larger than this

    def process_factors(environ: interstate.Environ) -> list[int]:
        """Try this slice's candidates; `number` and `largest` travel along."""
        first = int(largest * environ["start_slice"]) + 1  # slices are exact fractions,
        last = int(largest * environ["end_slice"])  # so neighbours meet exactly
        found = []
        for candidate in range(first, last + 1):
            if number % candidate == 0:
                print(f"{number} = {candidate} * {number // candidate}")
                found += [candidate, number // candidate]
        return found

    options = {"ssh_config": args.ssh_config} if args.ssh_config else {}
    with contextlib.ExitStack() as stack:
        hosts = args.host or stack.enter_context(interstate.loopback.hosts(4))
        results = interstate.execute(process_factors, hosts=hosts, via=args.via, **options)
    factors = sorted({factor for found in results for factor in found})
    print(f"{number} has {len(factors)} factors:", *factors)


if __name__ == "__main__":
    main()
