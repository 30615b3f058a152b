"""The laws of the house: who may import what."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

HOUSE = Path(__file__).parent.parent / "interstate"
FILES = sorted(HOUSE.rglob("*.py"))
CHAIN = {  # each layer, and what of ours it may import
    "executor": {
        *("asimported", "callbacks", "calls", "ending", "engine", "errors", "fleet", "future"),
        *("hosts", "progress", "provision", "serving"),
        *("hosttable", "limits", "link", "output", "remote", "settings", "ssh", "submitting"),
        "view",
    },
    "settings": {"boot", "callbacks", "fleet", "hosts", "output", "serving"},
    "view": {"calls", "future", "submitting"},
    "submitting": {
        *("asimported", "blobs", "calls", "fileblobs", "future", "remote", "tracebacks"),
    },
    "hosttable": {"engine", "hosts"},
    "limits": set(),
    "engine": {
        *("arrivals", "blobs", "boot", "callbacks", "calls", "ending", "errors", "events"),
        *("fleet", "future", "hosts", "logs", "messages", "outcome", "pool", "posted", "remote"),
        *("settings", "shipment"),
    },
    "posted": {"events"},
    "fleet": {"boot", "hostnews", "hosts", "link", "messages", "progress", "turns"},
    "turns": set(),
    "hostnews": {"errors", "hosts", "messages", "progress", "summary"},
    "arrivals": {
        *("arriving", "blobs", "calls", "errors", "events", "hostlog", "hosts", "logs"),
        *("outcome", "output", "remote", "serving"),
    },
    "arriving": {"incoming", "remote"},
    "incoming": {"remote"},
    "calls": {"arriving", "blobs", "errors", "future", "remote"},
    "ending": {"errors"},
    "logs": {"hosts", "outcome", "remote"},
    "outcome": {"calls", "errors", "hosts", "patience", "remote", "tracebacks"},
    "patience": set(),
    "tracebacks": {"hosts", "remote"},
    "callbacks": set(),
    "link": {
        *("blobs", "boot", "errors", "hosts", "messages", "noagent", "pauses", "remote"),
        *("tracebacks", "writer"),
    },
    "messages": {"boot", "errors", "remote"},
    "pauses": set(),
    "writer": {"blobs", "boot", "fileblobs", "remote", "shelf"},
    "shelf": {"blobs"},
    "blobs": set(),
    "fileblobs": {"blobs", "remote"},
    "sharing": {"blobs", "fileblobs", "remote"},
    "serving": {"bundles", "errors", "installed", "projects", "remote"},
    "bundles": {"asimported", "projects", "remote"},
    "asimported": {"projects", "remote"},
    "installed": {"projects"},
    "projects": set(),
    "provision": {
        *("archives", "auto", "boot", "depot", "errors", "hosts", "platforms", "progress"),
        "resolving",
    },
    "auto": {"installed"},
    "depot": {"archives", "boot", "shipment"},
    "archives": {"platforms", "remote", "resolving"},
    "resolving": {"platforms"},
    "platforms": set(),
    "progress": {"output"},
    "cleaning": {"archives", "boot", "depot", "errors", "hosts", "progress", "remote", "ssh"},
    "checkscreen": {"boot", "checking", "checklines", "checktable", "found", "hosts", "ssh"},
    "checktable": {"checklines", "found", "summary"},
    "checklines": {"found", "printable", "summary"},
    "checking": {"boot", "errors", "found", "hosts", "noagent", "probing", "ssh"},
    "found": {"hosts"},
    "probing": {"boot", "shipment"},
    "boot": {"noagent", "remote", "shipment"},
    "noagent": {"errors", "printable"},
    "printable": set(),
    "shipment": {"errors", "remote"},
    "pool": {"comebacks", "dispatch", "errors", "events", "room"},
    "retries": set(),
    "dispatch": {"events", "retries", "room"},
    "comebacks": {"errors", "room", "summary"},
    "summary": {"errors", "hosts"},
    "events": {"errors"},
    "room": set(),
    "future": {"callbacks", "hosts", "printed", "tracebacks"},
    "hostlog": {"hosts", "screen"},
    "output": {"hosts", "screen"},
    "printed": set(),
    "screen": set(),
    "hosts": set(),
    "errors": {"hosts", "remote"},
}
REMOTE = {  # what the layers may import of remote/
    "executor": {"payload"},
    "submitting": {"chunked", "context", "errors", "files", "payload"},
    "calls": {"wire"},
    "engine": {"wire"},
    "arrivals": {"payload", "wire"},
    "arriving": {"files", "packer", "payload", "wire"},
    "incoming": {"files"},
    "logs": {"records", "stubs", "wire"},
    "outcome": {"payload", "rebuilding", "wire"},
    "tracebacks": {"frames", "sources", "stubs"},
    "errors": {"errors"},
    "fileblobs": {"errors", "files"},
    "sharing": {"errors", "payload"},
    "writer": {"ledger", "packer", "wire"},
    "link": {"wire"},
    "messages": {"wire"},
    "boot": {"wire"},
    "shipment": {"wire"},
    "archives": {"depot"},
    "cleaning": {"depot"},
    "serving": {"served", "wire"},
    "bundles": {"served"},
    "asimported": {"served", "sources"},
}


def imports(path: Path) -> set[str]:
    """The modules that a file imports, by full name."""
    package = ["interstate", *path.relative_to(HOUSE).parts[:-1]]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return found


def ours(path: Path) -> set[str]:
    """The names below interstate that a file imports."""
    return {name.split(".")[1] for name in imports(path) if name.startswith("interstate.")}


@pytest.mark.parametrize("layer", CHAIN)
def test_imports_go_one_way(layer: str) -> None:
    path = HOUSE / f"{layer}.py"
    known = {file.stem for file in HOUSE.glob("*.py")} | {"remote", "ssh", "loopback", "contrib"}
    assert ours(path) & known <= CHAIN[layer]
    of_remote = {n.split(".")[2] for n in imports(path) if n.startswith("interstate.remote.")}
    modules = {file.stem for file in (HOUSE / "remote").glob("*.py")}
    assert of_remote & modules <= REMOTE.get(layer, set())


def test_the_pool_is_pure() -> None:
    forbidden = {"threading", "queue", "time", "socket", "paramiko", "asyncio", "logging", "os"}
    for module in (
        "pool.py",
        "dispatch.py",
        "comebacks.py",
        "retries.py",
        "room.py",
        "events.py",
        "summary.py",
    ):
        assert not {name.split(".")[0] for name in imports(HOUSE / module)} & forbidden


def test_what_ssh_config_says_is_found_without_files_or_networks() -> None:
    forbidden = {"os", "pathlib", "glob", "socket", "subprocess", "paramiko", "threading", "time"}
    for module in (
        *("applying", "checkers", "directives", "keywords", "patterns", "tokens", "words"),
    ):
        path = HOUSE / "ssh" / f"{module}.py"
        assert not {name.split(".")[0] for name in imports(path)} & forbidden


def test_what_is_tried_to_log_in_is_decided_without_files_or_networks() -> None:
    forbidden = {"os", "pathlib", "socket", "subprocess", "paramiko", "threading", "time"}
    for module in ("answers", "fields", "identities", "methods", "prompts", "publickeys"):
        path = HOUSE / "ssh" / f"{module}.py"
        assert not {name.split(".")[0] for name in imports(path)} & forbidden


def test_every_module_of_ssh_has_its_place_in_the_architecture() -> None:
    told = (HOUSE.parent / "docs" / "architecture.md").read_text()
    modules = [path.name for path in (HOUSE / "ssh").glob("[!_]*.py")]
    assert [name for name in modules if not re.search(rf"\b{name}`", told)] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(HOUSE)))
def test_only_ssh_and_the_loopback_server_import_paramiko(path: Path) -> None:
    allowed = {"ssh", "loopback"} & set(path.relative_to(HOUSE).parts)
    assert allowed or "paramiko" not in {name.split(".")[0] for name in imports(path)}


@pytest.mark.parametrize("path", sorted((HOUSE / "remote").glob("*.py")), ids=lambda p: p.stem)
def test_what_travels_needs_nothing_but_the_standard_library(path: Path) -> None:
    allowed = set(sys.stdlib_module_names) | {"interstate"}
    if path.stem in ("pickling", "reducing", "remaking", "classes"):
        allowed |= {"cloudpickle"}
    assert {name.split(".")[0] for name in imports(path)} <= allowed
    assert all(
        name.startswith("interstate.remote")
        for name in imports(path)
        if name.startswith("interstate")
    )


@pytest.mark.parametrize("path", sorted((HOUSE / "remote").glob("*.py")), ids=lambda p: p.stem)
def test_what_travels_is_valid_python_3_9(path: Path) -> None:
    ast.parse(path.read_text(), feature_version=(3, 9))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(HOUSE)))
def test_files_are_small_and_say_what_they_own(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 420
    assert ast.get_docstring(ast.parse(text))
