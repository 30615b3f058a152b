"""Shows checks as they come: as lines, as JSON, or, with rich, as a table that fills meanwhile."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from logging import StreamHandler
from logging.handlers import MemoryHandler
from typing import TYPE_CHECKING

from . import boot, checktable
from .checking import PATIENCE, look_at
from .checklines import as_json, in_common, plain, printable, speaks_unicode, summary, words
from .checktable import Cell
from .found import Check
from .hosts import Host
from .ssh import SSH, USER_CONFIG, ConfigSource

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

_LOG, _MOST_KEPT = logging.getLogger(__package__), 10_000  # records
_INTERRUPTED, _UNHEARD = 130, 141  # exit statuses that shells give to what SIGINT, SIGPIPE ended


def run(
    hosts: Sequence[Host],
    via: Sequence[Host] = (),
    python: str | None = None,
    ssh_config: ConfigSource = USER_CONFIG,
    timeout: float = PATIENCE,
    in_json: bool = False,
) -> int:
    """Check hosts and show what is found; return the exit status for that.

    Args:
        hosts: Which; each is looked at once, however often it is named.
        via: The hops that they are reached over.
        python: As an executor's.
        ssh_config: As an executor's.
        timeout: As for `look_at`.
        in_json: Show an object of JSON a host.

    Raises:
        ValueError: The ssh_config or `python` is malformed.
        OSError: The ssh_config cannot be read.
    """
    hosts = list(dict.fromkeys(hosts))
    try:
        shown = _chosen(hosts, in_json)
        ssh = SSH(via, ssh_config=ssh_config, aside=shown.aside)
        looked = contextlib.closing(look_at(hosts, ssh, boot.prepare(python), timeout))
        with shown, looked as checks:
            for index, check in checks:
                shown.add(index, check)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is to be flushed
        return _UNHEARD
    return 0 if all(check.good for check in shown.checks.values()) else 1


def _chosen(hosts: Sequence[Host], in_json: bool) -> Lines:
    unicode = speaks_unicode(getattr(sys.stdout, "encoding", None) or "utf-8", os.environ)
    if in_json:
        return JsonLines(hosts, unicode)
    if _on_terminal() and find_spec("rich"):
        from rich.console import Console

        if not (console := Console(highlight=False)).is_dumb_terminal:
            return Table(hosts, unicode, console)
    return Lines(hosts, unicode)


def _on_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()  # it is None where it is closed


class Lines:
    """Writes lines; to be shown each check as it comes, in a with-statement.

    Args:
        hosts: Of which checks are to come.
        unicode: Whether who reads them can show more than ASCII.

    Attributes:
        checks: What has come, in this order, by the numbers of the hosts.
    """

    def __init__(self, hosts: Sequence[Host], unicode: bool) -> None:
        self.checks: dict[int, Check] = {}
        self._hosts = hosts
        self._unicode = unicode
        self._turn = threading.Lock()  # whose it is to write to the terminal
        self._width = max(len(str(host)) for host in hosts)

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_: object) -> None:
        checks = [self.checks[index] for index in sorted(self.checks)]
        good = sum(check.good for check in checks)
        bad = len(checks) - good
        result = summary(good, bad, len(self._hosts) - good - bad)
        self._write("\n".join([result, *in_common(checks)]))

    def add(self, index: int, check: Check) -> None:
        """Show a check.

        Args:
            index: The number of its host.
            check: What was found.
        """
        self.checks[index] = check
        self._write(words(check, self._width))

    def aside(self) -> contextlib.AbstractContextManager[object]:
        """Leave the terminal to a question, for a with-statement."""
        return self._turn if _on_terminal() else contextlib.nullcontext()

    def _shown(self, text: str) -> str:
        return printable(text) if self._unicode else plain(printable(text))

    def _write(self, text: str) -> None:
        with self._turn:
            print(self._shown(text), flush=True)


class JsonLines(Lines):
    """Writes each check as an object of JSON."""

    def __exit__(self, *_: object) -> None:
        pass

    def add(self, index: int, check: Check) -> None:
        self.checks[index] = check
        self._write(as_json(check))


class Table(Lines):
    """A table of all hosts, and below it what is wrong with some.

    While they answer, what there is room for is shown; a table that is too high for the terminal
    has the whole of it meanwhile, and gives it back.  What is logged meanwhile comes then.

    Args:
        hosts: Of which checks are to come.
        unicode: As for Lines.
        console: Where to show it.
    """

    def __init__(self, hosts: Sequence[Host], unicode: bool, console: Console) -> None:
        from rich.live import Live
        from rich.spinner import Spinner

        super().__init__(hosts, unicode)
        self._console = console
        self._over = False
        self._kept = MemoryHandler(_MOST_KEPT, flushLevel=sys.maxsize, target=StreamHandler())
        self._kept.setLevel(logging.WARNING)
        self._spinner = Spinner("dots" if unicode else "line")
        self._live = Live(
            console=console,
            screen=not checktable.fits(len(hosts), console.height),
            transient=True,
            get_renderable=self._now,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> Table:
        _LOG.addHandler(self._kept)
        with self._given_back():
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._given_back():
            with self._turn:
                self._over = True
                self._live.stop()
            _LOG.removeHandler(self._kept)
            self._kept.close()  # which hands over what it has
            self._console.print(self.all(), crop=False)

    def add(self, index: int, check: Check) -> None:
        self.checks[index] = check

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        with self._turn:
            self._live.stop()
            try:
                yield
            finally:
                if not self._over:  # whoever wants to ask may be late
                    self._live.start()

    @contextlib.contextmanager
    def _given_back(self) -> Iterator[None]:
        """Leave the terminal as it was though another Ctrl-C comes in the midst of this."""
        try:
            yield
        except BaseException:
            if self._console.is_alt_screen:
                self._console.set_alt_screen(False)
            self._console.show_cursor()
            raise

    def all(self) -> RenderableType:
        """Return the whole table, in the order of the hosts, and what is wrong."""
        from rich.console import Group
        from rich.table import Table as RichTable

        checks = [self.checks[index] for index in sorted(self.checks)]
        rows = checktable.table(checks, self._console.width, self._shown)
        lines = [self._text(line) for line in rows]
        parts: list[Sequence[RenderableType]] = [lines] if lines else []
        for note in checktable.notes(checks):
            grid = RichTable.grid(padding=(0, 1, 0, 0))
            grid.add_column()
            grid.add_column(overflow="fold")
            for sign, line in note:
                if sign.text:
                    grid.add_row(self._text([sign]), self._text(line))
            parts.append([grid, *(self._whole(line) for sign, line in note if not sign.text)])
        parts.append([self._text([checktable.result(checks, len(self._hosts))])])
        return Group(*[one for part in parts for one in ("", *part)][1:])

    def _now(self) -> RenderableType:
        from rich.console import Group

        checks, size = dict(self.checks), self._console.size
        lines = checktable.live(checks, len(self._hosts), size, self._shown)
        self._spinner.update(text=checktable.so_far(checks.values(), len(self._hosts)))
        return Group(*map(self._text, lines), *([""] if lines else []), self._spinner)

    def _text(self, cells: Sequence[Cell]) -> Text:
        from rich.text import Text

        return Text.assemble(*((self._shown(text), style) for text, style in cells))

    def _whole(self, cells: Sequence[Cell]) -> Text:
        """A line that the terminal is left to wrap: so it is copied as a line."""
        text = self._text([Cell("  "), *cells])
        text.no_wrap, text.overflow = True, "ignore"
        return text
