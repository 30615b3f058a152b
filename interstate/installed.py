"""What is known here of modules and distributions that are installed."""

from __future__ import annotations

import functools
import json
import platform
import re
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from importlib.util import MAGIC_NUMBER
from typing import Any

from . import projects

MAGIC = MAGIC_NUMBER.hex()
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}")
_TEXTS = ("METADATA", "PKG-INFO", "entry_points.txt", "top_level.txt")


def facts_about(name: str) -> dict[str, Any]:
    """Return what is known of a module at the top that a host has not; see remote/absent.py."""
    facts: dict[str, Any] = {"python": platform.python_version()}
    if name in sys.stdlib_module_names:
        return facts | {"stdlib": True}
    if not projects.may_be_own(name) or not projects.is_findable(name):
        return facts
    for distribution in distributions_of(name):
        return facts | {"distribution": distribution, "version": metadata.version(distribution)}
    return facts | {"found": True}


def distributions_of(name: str) -> Sequence[str]:
    """Return the names of the distributions that have some of a module at the top."""
    if name not in _distributions():
        _distributions.cache_clear()  # it may have been installed since
    return _distributions().get(name, ())


@functools.lru_cache(1)
def _distributions() -> Mapping[str, list[str]]:
    """The distributions that have a module at the top, by its name."""
    return metadata.packages_distributions()


def metadata_of_own(name: str) -> dict[str, str] | None:
    """Return the metadata of a distribution of the user's own; None: there is no such.

    Own is what is installed from a folder that stays where it is.
    """
    if not _NAME.fullmatch(name):
        return None
    try:
        distribution = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None
    if not is_editable(distribution):
        return None
    texts = {file: distribution.read_text(file) for file in _TEXTS}
    return {file: text for file, text in texts.items() if text is not None}


def is_editable(distribution: metadata.Distribution) -> bool:
    """Whether a distribution is the user's own, installed from a folder that stays where it is."""
    url = _direct_url_of(distribution)
    if url is not None:
        info = url.get("dir_info", {})
        return bool(info.get("editable")) if isinstance(info, dict) else False
    where = str(distribution.locate_file("_"))
    return projects.is_own_path(where)  # beside the modules: an egg-info in a checkout


def requirement_for(distribution: metadata.Distribution) -> str:
    """Return what to install to have the same, from where it is from; "" if that is no wheel.

    What was not chosen from an index is not asked of one: another one may have that name there.
    """
    name, url = distribution.metadata["Name"], _direct_url_of(distribution)
    if is_editable(distribution):
        return ""
    if url is None:
        return f"{name}=={distribution.version}"
    return f"{name} @ {url['url']}" if str(url.get("url", "")).endswith(".whl") else ""


def _direct_url_of(distribution: metadata.Distribution) -> dict[str, Any] | None:
    """Where it is from, if that is no index; see PEP 610."""
    text = distribution.read_text("direct_url.json")
    found = None if text is None else json.loads(text)
    return found if isinstance(found, dict) else None
