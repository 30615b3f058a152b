"""What we add to the traceback of a call that failed: where it was submitted, and where it ran."""

from __future__ import annotations

import sys
import threading
import traceback
from types import CodeType, FrameType, TracebackType
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from .hosts import Host
from .remote.frames import Frame, frame_at
from .remote.sources import lines_of
from .remote.stubs import chain, show

if TYPE_CHECKING:
    from .remote.frames import Lines

Error = TypeVar("Error", bound=BaseException)


class Site(NamedTuple):
    """A place in the user's code."""

    code: CodeType
    instruction: int

    @property
    def frame(self) -> Frame:
        return frame_at(self.code, self.instruction, self.code.co_firstlineno)

    def is_in(self, frame: FrameType | None) -> bool:
        """Whether a frame, or one that led to it, is at this line."""
        line = self.frame.line
        while frame is not None:
            if frame.f_code is self.code and frame.f_lineno == line:
                return True
            frame = frame.f_back
        return False

    def begins(self, tb: TracebackType) -> bool:
        """Whether a traceback begins here."""
        there = tb.tb_frame.f_code.co_filename, tb.tb_lineno
        return there == (self.code.co_filename, self.frame.line)


def begin(
    error: BaseException, site: Site | None, host: Host | None, where: tuple[int, str]
) -> None:
    """Let the traceback of a call's exception begin with where it comes from.

    Args:
        site: Where it was submitted.
        where: Which process ran it: its pid, and its Python's version.
    """
    pid, python = where
    file, name = f"<{host}, worker {pid}, Python {python}>", str(host)
    show(file, {1: "\n"})  # else some would say that its source is missing
    ran = Frame(file, name, name, 1, 1, None, None, None, "")
    if site is None:
        _prepend(error, [ran], {})
    else:
        first, lines = lines_of(site.code) or (1, [])
        _prepend(error, [site.frame, ran], {site.code.co_filename: dict(enumerate(lines, first))})


def as_it_came(
    error: BaseException, tb: TracebackType | None, site: Site | None, frame: FrameType
) -> BaseException:
    """Return an exception with the traceback that it came with, to be raised in a frame.

    Where it was submitted is left out if that is where it is raised.
    """
    if tb is not None and site is not None and site.begins(tb) and site.is_in(frame):
        tb = tb.tb_next
    return BaseException.with_traceback(error, tb)


def without_frames(error: Error) -> Error:
    """Return an exception that, with its causes, leads to no frame any more, nor to what is there.

    For it may be kept for long, as may others of many hosts.
    """
    led: BaseException | None = error
    while led is not None:
        led.__traceback__ = None
        led = led.__cause__ or led.__context__
    return error


def _prepend(error: BaseException, frames: list[Frame], lines: Lines) -> None:
    """Let the traceback of an exception begin with some frames."""
    made = chain(frames, {}, lines)
    last = made
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    if last is not None:
        last.tb_next = error.__traceback__
        BaseException.with_traceback(error, made)


def show_lines_that_ran() -> None:
    """Let Python print uncaught exceptions by its `traceback`, which knows the lines that ran.

    Before Python 3.13 it looks for a file instead.
    """
    if sys.version_info < (3, 13) and sys.excepthook is sys.__excepthook__:
        sys.excepthook = traceback.print_exception
    if sys.version_info < (3, 13) and threading.excepthook is threading.__excepthook__:
        threading.excepthook = _print_of_thread


def _print_of_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_type is not SystemExit and sys.stderr is not None:
        name = args.thread.name if args.thread is not None else threading.get_ident()
        print(f"Exception in thread {name}:", file=sys.stderr)
        traceback.print_exception(args.exc_type, args.exc_value, args.exc_traceback)
