"""One job on one host: what it prints there appears here, while it runs.

    python examples/one_job.py --host ssh://me@my-remote-computer

Without --host it runs on an SSH host that Interstate serves on this machine.
"""

import argparse
import contextlib
import time

import interstate
import interstate.loopback


def main() -> None:
    parser = argparse.ArgumentParser(description="Count on another computer.")
    parser.add_argument("--host", help="where to run; default: a host on this machine")
    parser.add_argument("--via", action="append", help="the jump host; several, in order")
    parser.add_argument("--ssh-config", metavar="FILE", help="default: the one that ssh reads")
    parser.add_argument("--steps", type=int, default=10, help="how far to count (%(default)s)")
    parser.add_argument("--pause", type=float, default=1.0, help="seconds a step (%(default)s)")
    args = parser.parse_args()
    steps, pause = args.steps, args.pause

    def my_job(environ: interstate.Environ) -> None:
        for i in range(steps):
            print(i)  # appears here, while it runs over there
            time.sleep(pause)

    options = {"ssh_config": args.ssh_config} if args.ssh_config else {}
    with contextlib.ExitStack() as stack:
        host = args.host or stack.enter_context(interstate.loopback.hosts(1))[0]
        interstate.execute(my_job, host=host, via=args.via, **options)


if __name__ == "__main__":
    main()
