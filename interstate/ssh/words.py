"""How a line of ssh_config falls into words: two ways, both ssh's."""

from __future__ import annotations

_BLANK = " \t\r\n"


def shift(text: str) -> tuple[str, str]:
    """Return the first word of a text and what is left; a word may be in double quotes.

    One `=` may stand between them, as after a keyword.

    Raises:
        ValueError: A quote is not closed.
    """
    end = next((i for i, one in enumerate(text) if one in _BLANK + '"='), len(text))
    if text[end : end + 1] == '"':
        word, quote, rest = text[end + 1 :].partition('"')
        if not quote:
            raise ValueError("a closing quote")
        return text[:end] + word, rest.lstrip(_BLANK)
    rest = text[end + 1 :].lstrip(_BLANK)
    if text[end : end + 1] != "=" and rest.startswith("="):
        rest = rest[1:].lstrip(_BLANK)
    return text[:end], rest


def split(text: str) -> list[str]:
    """Return all words of a text, up to a comment; single and double quotes and `\\` count.

    Raises:
        ValueError: A quote is not closed.
    """
    words: list[str] = []
    i = 0
    while i < len(text) and text[i] != "#":
        if text[i] in " \t":
            i += 1
        else:
            word, i = _word(text, i)
            words.append(word)
    return words


def _word(text: str, i: int) -> tuple[str, int]:
    word, quote = "", ""
    while i < len(text):
        one, after = text[i], text[i + 1 : i + 2]
        if one == "\\" and after and after in ("'\"\\" if quote else "'\"\\ "):
            word += after
            i += 1
        elif not quote and one in " \t":
            break
        elif one == quote:
            quote = ""
        elif not quote and one in "'\"":
            quote = one
        else:
            word += one
        i += 1
    if quote:
        raise ValueError("a closing quote")
    return word, i
