"""SSHExecutor: a concurrent.futures.Executor whose workers are on other computers."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Literal

from . import ending, limits
from .asimported import as_imported
from .callbacks import Callbacks
from .calls import Call
from .engine import KILL, TERMINATE, Engine
from .errors import BrokenSSHExecutor, InterstateError
from .fleet import OPENING, Reach
from .future import RemoteFuture
from .hosts import Host, expand
from .hosttable import HostTable
from .link import Patience
from .output import Lines, Output, Told
from .progress import Progress
from .provision import Provision, checked
from .remote import payload
from .serving import Serving
from .settings import Settings
from .ssh import SSH, USER_CONFIG, ConfigSource
from .submitting import CallOptions, Submitting
from .view import View, check_number, options_from

_EVER = 1e9  # seconds: timers refuse ten times as many


class SSHExecutor(Submitting):
    """Runs calls on other computers over SSH.

    Connecting begins at once, in the background; calls run on the hosts that are up.  Nothing needs
    to be installed over there but Python.

    Args:
        hosts: Where to run: URLs (`ssh://user@host:port`), `user@host`, ssh_config aliases, ranges
            (`ssh://node-[000-998].cluster`) or Hosts.  A host named twice is connected to twice.
        via: The jump host that all hosts are reached through, or several, in order.
        workers_per_host: How many calls run on a host at the same time; default: as many as there
            are CPUs that the host lets us use.
        python: The Python to use over there: its path or name, or the folder of a virtual or conda
            environment; default: one of the version of this one, wherever such are installed, else
            the newest from 3.9 on.
        initializer: Called in each worker before its first call.
        initargs: The arguments of `initializer`.
        output: What calls print is on their Futures ("capture"), also shown here ("stream"), or
            also given to a callable as (Host, "stdout" or "stderr", text); it may submit calls and
            wait for them.
        output_limit: How much is kept on a Future of what its call prints, bytes: the first and the
            last half of that, and between them a line that says how much was dropped.  None: all.
        ssh_config: The file that says how hosts are reached, as `ssh -F`; default: the user's and
            the system's; None: none.
        password: Called with (Host, prompt) for a key's passphrase, a password, or what else a
            host asks, in place of asking on the terminal; returns it, or None.  It is asked once
            for all hosts with the same user and way, unless it has a password for each host.
        connect_timeout: How long it may take until a host is ready, seconds.
        min_hosts: How many of the hosts must be up before any call is sent; until then calls wait,
            and once so many have failed that it cannot be reached any more, they fail with
            BrokenSSHExecutor.  When it was reached, fewer will do.  None: calls run as
            soon as any host is up.
        retries: How often a call may be tried again, elsewhere maybe, if its host or worker was
            lost while it ran; it may have had effects already.  What had not started is not lost
            with a host, and needs none.
        reconnect: How long the connection to a host may be missing, seconds: for so long calls go
            on over there, and a host that was lost is tried again while none else is there.  0: a
            lost connection ends what runs there, and the host is not used any more.
        heartbeat: Each end is heard of at least so often, seconds; a connection that is silent for
            three times as long counts as lost.
        grace: How long a call that is to stop may take to end by itself, seconds.
        max_calls_per_worker: After so many calls a worker process is replaced; None: never.
        forward_logs: Whether what calls log is handled here by the loggers of the same names, at
            the levels that these have here, and the warnings that they give by the filters here;
            else both are left to the Python over there.
        packages: What calls import and the hosts may lack: requirements as pip takes them, such as
            `["numpy>=2"]`, or "auto": what a call imports that the host lacks, at the version that
            is installed here. They are chosen here, for each host's platform and Python, and are
            kept in a cache on the host's disk; the host needs no way to the internet.
        progress: Whether it is told on stderr how many hosts are up, and how far the packages are.
        context: Whether the values of the context variables of who submits a call travel with it,
            those that can be pickled.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: A host or the ssh_config is malformed, there is no host, or a number is out
            of range.
        OSError: The ssh_config cannot be read; or so many hosts take more open files than this
            process may have.
        pickle.PicklingError: The initializer cannot be pickled.
    """

    def __init__(
        self,
        hosts: str | Host | Iterable[str | Host],
        via: str | Host | Iterable[str | Host] | None = None,
        *,
        workers_per_host: int | None = None,
        python: str | None = None,
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
        output: Literal["capture", "stream"] | Callable[[Host, str, str], object] = "capture",
        output_limit: int | None = 64 * 2**20,
        ssh_config: ConfigSource = USER_CONFIG,
        password: Callable[[Host, str], str | None] | None = None,
        connect_timeout: float = 30.0,
        min_hosts: int | None = None,
        retries: int = 0,
        reconnect: float = 60.0,
        heartbeat: float = 15.0,
        grace: float = 5.0,
        max_calls_per_worker: int | None = None,
        forward_logs: bool = True,
        context: bool = False,
        packages: Iterable[str] | Literal["auto"] = (),
        progress: bool = False,
    ) -> None:
        self._hosts = expand(hosts)
        wanted = checked(packages)
        check_number("workers_per_host", workers_per_host, int)
        check_number("output_limit", output_limit, int, or_zero=True)
        check_number("connect_timeout", connect_timeout)
        check_number("min_hosts", min_hosts, int)
        if min_hosts is not None and min_hosts > len(self._hosts):
            raise ValueError(f"min_hosts={min_hosts} is more than there are: {len(self._hosts)}")
        check_number("reconnect", reconnect, or_zero=True)
        check_number("heartbeat", heartbeat)
        check_number("grace", grace, or_zero=True)
        check_number("max_calls_per_worker", max_calls_per_worker, int)
        self._options = options_from(CallOptions(), None, retries, None, context)
        _check_callable("initializer", initializer)
        _check_callable("password", password)
        callbacks = Callbacks()
        hops = [] if via is None else expand(via)
        self._ssh = ssh = SSH(hops, ssh_config=ssh_config, password=password)
        limits.make_room(ssh.files(self._hosts, OPENING))
        self._lock = threading.Lock()  # guards _shut, and that nothing is submitted after it
        self._shut = False
        as_imported.look()
        connect_timeout = min(connect_timeout, _EVER)
        patience = Patience(connect_timeout, heartbeat, reconnect)
        told = Progress(progress)
        provided = Provision(wanted, ssh.beside, connect_timeout, told)
        self._engine = Engine(
            self._hosts,
            Settings(
                Reach(
                    python,
                    patience,
                    ssh.open,
                    ssh.way,
                    (provided.close, ssh.close),
                    provided.equip,
                    told,
                ),
                workers_per_host=workers_per_host,
                initializer=initializer and payload.dump_call(initializer, initargs, {}),
                grace=grace,
                max_calls=max_calls_per_worker,
                output=_output(output, len(self._hosts), callbacks.run),
                output_limit=output_limit,
                callbacks=callbacks,
                forward_logs=forward_logs,
                serving=Serving(provided.provide if provided.is_auto else None),
                min_hosts=min_hosts or 1,
            ),
        )
        weakref.finalize(self, self._engine.close).atexit = False

    def __repr__(self) -> str:
        hosts = str(self._hosts[0]) if len(self._hosts) == 1 else f"{len(self._hosts)} hosts"
        return f"<SSHExecutor on {hosts}{': shut down' if self._shut else ''}>"

    @property
    def hosts(self) -> HostTable:
        """The hosts and what they are doing: a live sequence of HostStatus; print it."""
        return HostTable(self._engine)

    def with_options(
        self,
        *,
        timeout: float | None = None,
        retries: int | None = None,
        name: str | None = None,
        context: bool | None = None,
    ) -> View:
        """Return an executor that shares the hosts and connections of this one.

        It is shut down on its own, and this one is not with it.

        Args:
            timeout: How long each call may run, seconds; then it is interrupted, killed after the
                executor's `grace` if that did not end it, and raises CallTimeout.
            retries: How often a call may be tried again, if its host or worker is lost; default: as
                here.
            name: What its calls are called in messages; default: as their functions are.
            context: Whether context variables travel with its calls; default: as here.

        Raises:
            TypeError: An option is of the wrong type.
            ValueError: One is out of range.
        """
        return View(self, options_from(self._options, timeout, retries, name, context))

    def add_hosts(self, hosts: str | Host | Iterable[str | Host]) -> None:
        """Connect to more hosts, and run calls there too.  Returns at once.

        Raises:
            TypeError, ValueError, OSError: As for the hosts that an executor is made with.
            RuntimeError: The executor has been shut down.
        """
        more = expand(hosts)
        self._check_process()
        limits.make_room(self._ssh.files(more, OPENING))
        with self._lock:
            self._check_open()
            self._engine.add(more)

    def remove_hosts(self, hosts: str | Host | Iterable[str | Host], *, now: bool = False) -> None:
        """Run no more calls on some hosts, and leave them.  Returns at once.

        When none is left, calls wait until others are added.

        Args:
            hosts: As they were given.
            now: Leave at once: what runs there is lost, as with a host that is lost; default: when
                the calls that have begun there have ended.

        Raises:
            TypeError, ValueError: A host is malformed, or the executor has none like it.
        """
        leaving = expand(hosts)
        known = set(self._engine.fleet.hosts)
        unknown = [str(host) for host in leaving if host not in known]
        if unknown:
            raise ValueError(f"the executor has no host {', '.join(unknown)}")
        self._check_process()
        self._engine.remove(leaving, now=now)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls; the hosts are left when those that were submitted have ended.

        Args:
            wait: Return only then.
            cancel_futures: Cancel the calls that have not started, those too that wait on a host.
        """
        if self._engine.is_elsewhere:
            return  # it goes on in the process that this one was forked from
        with self._lock:
            self._shut = True
            self._engine.close(cancel=cancel_futures)
        if wait:
            self._engine.join()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Shut down and wait; after a Ctrl-C, without waiting for what runs."""
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            self._abort()
        self.shutdown()

    @property
    def _max_workers(self) -> int:
        """How many workers there are; asked for by libraries that cut work to fit."""
        return max(1, self._engine.fleet.count_workers())

    @property
    def _broken(self) -> InterstateError | Literal[False]:
        """Why no call can run any more, as the pools of the standard library have it."""
        return self._engine.pool.broken or self._engine.pool.lost or False

    def _new_future(self) -> RemoteFuture[Any]:
        return self._engine.new_future()

    def _post(self, call: Call | None, host: int | None, retries: int) -> None:
        self._check_process()
        with self._lock:
            self._check_open()
            if call is not None:
                self._engine.submit(call, host, retries)

    def terminate_workers(self) -> None:
        """End the executor now, and what runs over there by SIGTERM; what takes longer than the
        grace, by SIGKILL.  Returns at once.

        Calls that have not ended fail with BrokenSSHExecutor, those that have not started are
        cancelled.
        """
        self._end_now(TERMINATE)

    def kill_workers(self) -> None:
        """The same by SIGKILL, without any grace."""
        self._end_now(KILL)

    def _end_now(self, how: int) -> None:
        self.shutdown(wait=False, cancel_futures=True)
        self._abort(how)

    def _abort(self, how: int = KILL) -> None:
        """End at once, and with it what runs over there."""
        with self._lock:
            self._shut = True
            error = BrokenSSHExecutor("the executor was ended while calls were running")
            self._engine.abort(error, how)

    def __reduce__(self) -> Any:
        raise TypeError(
            "an SSHExecutor cannot travel: a call cannot submit to the executor that runs it, "
            "whose workers might all wait for one another; return, and submit more here"
        )

    def _check_process(self) -> None:
        self._engine.check_process()

    def _check_open(self) -> None:
        if self._shut:
            raise RuntimeError("cannot schedule new futures after shutdown")
        if ending.begun.is_set():
            raise RuntimeError("cannot schedule new futures after interpreter shutdown")
        error = self._engine.pool.broken
        if error is not None:
            raise BrokenSSHExecutor(f"no call can run any more: {error}") from error


def _output(output: Any, hosts: int, run: Callable[[Callable[[], object]], None]) -> Output:
    if isinstance(output, Output):
        return output
    if output == "capture":
        return Output()
    if output == "stream":
        return Lines(labelled=hosts > 1)
    if callable(output):
        return Told(output, run)
    raise ValueError(f'output must be "capture", "stream" or a callable, not {output!r}')


def _check_callable(name: str, value: Any) -> None:
    if value is not None and not callable(value):
        raise TypeError(f"{name} must be callable, not of type {type(value).__name__}")
