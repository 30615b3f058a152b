"""What others say, as it may be shown on a terminal.  Pure."""

from __future__ import annotations


def printable(text: str, instead: str = "?") -> str:
    """Return a text that does nothing to a terminal but show.

    Args:
        text: What somebody else said.
        instead: What stands for each character that would do more.
    """
    lines = text.replace("\r\n", "\n")  # so ends a line of what ssh says
    return "".join(one if one in "\n\t" or one.isprintable() else instead for one in lines)
