"""The shapes: functions that raise, each one a row of the table; its docstring is the row's name.

A name that begins with an underscore is no shape.  The texts of these files are put together, and
written out as a module, as one of a package, as a script, and as the body of a function; see
`tests.fidelity.situations`.  So they import nothing of ours but `..support`, have no text of
several lines, share no names, and need no `from __future__`.
"""

from __future__ import annotations

import ast
from pathlib import Path

FILES = ("ordinary", "builtin", "chains", "held", "hostile")

# Where in them is what cannot be pickled, as `compare` names places.
LEFT_OUT: dict[str, tuple[str, ...]] = {
    "held_lock": ("attributes.thing",),
    "lock_in_arguments": ("args[1]",),
    "generator_in_arguments": ("args[0]",),
    "held_deep_lock": ("attributes.thing[1][1][0][1][0][1]",),
    "lock_of_a_cause": ("cause.attributes.thing",),
    "lock_in_slot": ("attributes.lock",),
    "state_without_lock": ("attributes.lock",),
    "held_unwilling": ("attributes.thing",),
    "held_unbuildable": ("attributes.thing",),
}
# What is not to be described, since that never ends, or a note says more on purpose.
SKIPS: dict[str, tuple[str, ...]] = {
    "str_loops": ("text",),
    "loops_here": ("text",),
    "no_module": ("notes",),
}


def text() -> str:
    """The texts of all the files."""
    return "\n\n".join(_read(file) for file in FILES)


def titles() -> dict[str, str]:
    """Each shape's title by its name, in the order of the rows."""
    found = {
        node.name: (ast.get_docstring(node) or "")
        for node in ast.parse(text()).body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    }
    assert len(set(found.values())) == len(found), "two rows of one title"
    return found


def _read(file: str) -> str:
    return Path(__file__).with_name(f"{file}.py").read_text()
