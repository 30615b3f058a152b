"""Gives hosts the packages that calls import: chosen here once for each platform, kept there.

HELLO -> platform -> archive (made or kept here, see archives.py) -> depot over there -> folder
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from typing import Final, Literal, NamedTuple

from . import auto, boot, depot
from .archives import Archive, Archives
from .errors import PackagesError
from .hosts import Host
from .platforms import Platform
from .progress import Progress, megabytes
from .resolving import NoPackagesError, shown

AUTO: Final = "auto"
_log = logging.getLogger("interstate")
_AT_ONCE = 32  # hosts that are talked with about packages at the same time
_HOLDS = 30.0  # seconds for which others are told the same when packages cannot be had
_SILENCE = 15.0  # seconds without a sign of life that are the least to be patient with

Beside = Callable[[object, Host, str, float], boot.Stream]


class _Post(NamedTuple):
    """A host, and by what it can be reached."""

    host: Host
    hello: boot.Hello
    start: boot.Start
    stream: boot.Stream


class _Making(NamedTuple):
    """An archive that is being made, or was."""

    since: float  # when that began, by the monotonic clock
    made: Future[Archive]

    @property
    def is_void(self) -> bool:
        """Whether to make it anew: it was removed since, or failed, as for want of a network."""
        if not self.made.done():
            return False
        if self.made.exception() is not None:
            return time.monotonic() - self.since > _HOLDS
        return not os.path.exists(self.made.result().path)


class Provision:
    """What packages the hosts of an executor get.

    Args:
        requirements: As pip takes them; AUTO: what calls import, as it is installed here.
        beside: Runs another line on the connection of a stream that is there, by a deadline.
        patience: How long a host may take to answer, seconds.
        progress: Told how far it is.
    """

    def __init__(
        self,
        requirements: tuple[str, ...] | Literal["auto"],
        beside: Beside,
        patience: float,
        progress: Progress,
    ) -> None:
        self.is_auto = requirements == AUTO
        self._requirements = () if requirements == AUTO else requirements
        self._beside = beside
        self._patience = patience
        self._progress = progress
        self._archives = Archives()
        self._turn = threading.Semaphore(_AT_ONCE)
        self._lock = threading.Lock()  # guards the next
        self._made: dict[object, _Making] = {}
        self._posts: dict[int, _Post] = {}  # by the hosts' indices

    def close(self) -> None:
        """End what is being made here."""
        self._archives.close()
        self._posts.clear()

    def equip(
        self, index: int, host: Host, hello: boot.Hello, start: boot.Start, stream: boot.Stream
    ) -> list[str]:
        """Give a host the packages that are asked for; a link asks for it, on its own thread.

        Args:
            index: The host's.
            host: Whose.
            hello: What its agent said.
            start: The line that its agent was started by.
            stream: The agent's, in which nothing happens by this.

        Returns:
            The folders over there that calls are to import from.

        Raises:
            PackagesError: The packages cannot be had, or not be kept there.
        """
        post = _Post(host, hello, start, stream)
        if self.is_auto:
            self._posts[index] = post
        return [self._bring(self._requirements, post)] if self._requirements else []

    def provide(self, index: int, module: str) -> list[str] | None:
        """Give a host what has a module here; return the folders, or None if nothing has.

        What it needs besides has the versions that are installed here, if that can be.  Where there
        is none of that version for that Python, it is the newest before it.

        Args:
            index: The host's.
            module: The name of a module at the top.

        Raises:
            PackagesError: It cannot be had, or not be kept there.
        """
        post, requirements = self._posts.get(index), auto.requirements_for(module)
        if post is None or not requirements:
            return None
        if post.hello.python[:2] == sys.version_info[:2]:
            with contextlib.suppress(PackagesError):  # what is here may be at odds with itself
                return [self._bring(requirements, post, auto.pins())]
        return [self._bring(requirements, post, instead=auto.not_newer(requirements))]

    def _bring(
        self,
        requirements: Sequence[str],
        post: _Post,
        constraints: Sequence[str] = (),
        instead: Sequence[str] = (),
    ) -> str:
        """Return the folder over there with these packages, or with others that will do."""
        platform = platform_of(post.hello)
        try:
            archive = self._archive(requirements, platform, constraints, instead)
            if archive.second_choice:
                _log.warning(
                    "%s: there is no %s for %s; what calls import there is older",
                    post.host, shown(requirements), platform,
                )  # fmt: skip
            return self._keep(archive, post)
        except NoPackagesError as error:
            what = f"no packages ({shown(requirements)}) for {platform}: {error}"
        except (depot.DepotError, boot.NoAgentError) as error:
            what = f"its packages could not be put there: {error}"
        except OSError as error:
            where = f": {error.filename}" if error.filename else ""
            what = f"its packages could not be made, here: {error.strerror or error}{where}"
        raise PackagesError(f"{post.host}: {what}", post.host)

    def _keep(self, archive: Archive, post: _Post) -> str:
        def sent(done: int) -> None:
            if not done:
                self._progress.tell(post.host, f"sending {megabytes(archive.size)}")
            self._progress.sent(post.host, done, archive.size)

        with self._turn:
            deadline = time.monotonic() + self._patience
            beside = self._beside(post.stream, post.host, post.start.command, deadline)
            silence = max(_SILENCE, self._patience)
            folder = depot.keep(beside, post.start, archive, silence, sent)
        self._progress.tell(post.host, "has its packages")
        return folder

    def _archive(
        self,
        requirements: Sequence[str],
        platform: Platform,
        constraints: Sequence[str],
        instead: Sequence[str],
    ) -> Archive:
        """The packages for a platform, which are made once; others wait for who makes them."""
        key = (*requirements, bool(constraints)), platform
        with self._lock:
            making = self._made.get(key)
            ours = making is None or making.is_void
            if making is None or ours:
                making = self._made[key] = _Making(time.monotonic(), Future())
        if ours:
            self._make(making.made, requirements, platform, constraints, instead)
        return making.made.result()

    def _make(
        self,
        made: Future[Archive],
        requirements: Sequence[str],
        platform: Platform,
        constraints: Sequence[str],
        instead: Sequence[str],
    ) -> None:
        def tell(stage: str) -> None:
            self._progress.tell(platform, stage)

        try:
            archive = self._archives.find_or_make(
                requirements, platform, constraints, tell, instead
            )
            made.set_result(archive)
        except BaseException as error:
            made.set_exception(error)


def platform_of(hello: boot.Hello) -> Platform:
    """What an agent says of where it runs."""
    return Platform(
        hello.python, hello.implementation, hello.abiflags, hello.platform, hello.machine,
        hello.libc,
    )  # fmt: skip


def checked(packages: Iterable[str]) -> tuple[str, ...] | Literal["auto"]:
    """Return the requirements that a user gave, if they are some, or AUTO.

    Raises:
        TypeError: It is no iterable of texts.
        ValueError: One of them is none that can be passed on.
    """
    if packages == AUTO:
        return AUTO
    if isinstance(packages, str | bytes) or not isinstance(packages, Iterable):
        raise TypeError(
            'packages must be a list of requirements such as ["numpy>=2"], or "auto", '
            f"not {packages!r}"
        )
    return tuple(_checked(requirement) for requirement in packages)


def _checked(requirement: str) -> str:
    if not isinstance(requirement, str):
        raise TypeError(f"a requirement must be a str, not {requirement!r}")
    text = requirement.strip()
    if not text or text.startswith("-") or not text.isprintable():
        raise ValueError(
            f"{requirement!r} is no requirement: expected something like 'numpy>=2' (options of "
            "pip are set by its configuration or its environment variables)"
        )
    return text
