"""From the text of a function to its code object, and back to where in a text that is.

A function is compiled alone, as it would be where it stands: within a function that has its free
variables, and within its class, whose name is part of its private names.  What is outside of it
(defaults, annotations, decorators) is left out: it is not in its code.
"""

from __future__ import annotations

import ast
from collections import namedtuple
from types import CodeType

from . import trees
from .sources import NEWLOCALS, codes_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Union

    Function = Union[ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda]
    Segment = tuple[int, list[str]]  # the number of the first line, and the lines

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_LAMBDA = "<lambda>"
_ANNOTATIONS = 0x1000000  # the flag of `from __future__ import annotations`
_AROUND = "__interstate__"  # the function that stands around the one that is wanted
_LOCALS = ".<locals>."


class Recipe(
    namedtuple("Recipe", "file name qualname free imported flags owner column end_column")
):
    """How to make a code object of a Segment.

    Attributes:
        file: Where it came from.
        name, qualname: Of the function.
        free: Its free variables, in their order.
        imported: Names that it uses and its module imports: what has them is called otherwise.
        flags: That its compiler had from `__future__`.
        owner: The name of the class around it, or "".
        column, end_column: Where it begins in the first line and ends in the last, in bytes.
    """

    __slots__ = ()


def compiled(segment: Segment, recipe: Recipe) -> CodeType:
    """Return the code object of a function, with the positions that it has in its file.

    Raises:
        SyntaxError: This Python does not know the syntax.
        ValueError: It is no function alone.
    """
    node = parsed(segment, recipe)
    _strip(node)
    bound = recipe.owner or (recipe.name if recipe.name != _LAMBDA else "")
    is_global = bool(bound) and bound not in recipe.free
    module = _around(node, recipe, bound if is_global else "")
    code = trees.compile_tree(module, recipe.file, recipe.flags)
    path = [_AROUND, *([recipe.owner] if recipe.owner else []), recipe.name]
    for name in path:
        code = _code_in(code, name)
    if list(code.co_freevars) != list(recipe.free):
        raise ValueError(f"its free variables are {code.co_freevars}, not {recipe.free}")
    got = ".".join(path[1:]) if is_global else _AROUND + _LOCALS + ".".join(path[1:])
    return _renamed(code, got, recipe.qualname)


def parsed(segment: Segment, recipe: Recipe) -> Function:
    """Return the tree of a function, with the positions that it has in its file."""
    first, lines = segment
    text = _cut(lines, recipe.column, recipe.end_column)
    if recipe.name == _LAMBDA:
        statement: Any = trees.parse(f"({text}\n)").body[0]
        node = statement.value
        _move(node, first - 1, recipe.column - 1)
    elif recipe.column:
        statement = trees.parse(f"if 1:\n{_indentation(lines[0], recipe.column)}{text}").body[0]
        node = statement.body[0]
        _move(node, first - 2, 0)
    else:
        node = trees.parse(text).body[0]
        _move(node, first - 1, 0)
    if not isinstance(node, _FUNCTIONS):
        raise ValueError("its text is that of no function")
    return node


class Functions:
    """All functions in a tree: of a module, or of one function that has a Recipe."""

    def __init__(self, tree: ast.AST, within: Recipe | None = None) -> None:
        self._imported = set(within.imported if within else _imported_in(tree))
        owner, begin = (within.owner, within.qualname[: -len(within.name)]) if within else ("", "")
        self._found: dict[tuple[str, int], list[tuple[Function, str, str]]] = {}
        for node, its_owner, qualname in _functions_in(tree, owner, begin):
            self._found.setdefault(_key(node), []).append((node, its_owner, qualname))

    def candidates(self, code: CodeType, segment: Segment) -> Iterator[tuple[Segment, Recipe]]:
        """Yield what a code object may be made of, by its name and its first line.

        Args:
            segment: The text that the tree is of.
        """
        start, lines = segment
        for node, owner, qualname in self._found.get((code.co_name, code.co_firstlineno), ()):
            _, first = _key(node)
            text = lines[first - start : (node.end_lineno or first) - start + 1]
            flags = code.co_flags & _ANNOTATIONS
            qualname = getattr(code, "co_qualname", qualname)
            imported = tuple(sorted(self._imported.intersection(_names_in(code))))
            names = code.co_filename, code.co_name, qualname, code.co_freevars, imported
            end = node.end_col_offset or 0
            yield (first, text), Recipe(*names, flags, owner, node.col_offset, end)


# ------------------------------------------------------------------------------ the text


def _cut(lines: list[str], column: int, end_column: int) -> str:
    """What stands between two columns, which are counted in bytes."""
    *others, last = lines
    whole = "".join((*others, last.encode()[:end_column].decode()))
    return whole.encode()[column:].decode()


def _indentation(line: str, column: int) -> str:
    return line.encode()[:column].decode()


# ------------------------------------------------------------------------------ the tree


def _functions_in(tree: ast.AST, owner: str, begin: str) -> Iterator[tuple[Function, str, str]]:
    """Every function, the class whose name is part of its private names, and its qualified name.

    Args:
        owner: Of the tree.
        begin: Of the qualified names of what is in it.
    """
    waiting = [(tree, owner, begin)]
    while waiting:
        node, owner, begin = waiting.pop()
        if isinstance(node, _FUNCTIONS):
            name = begin + _key(node)[0]
            yield node, owner, name
            begin = name + _LOCALS
        elif isinstance(node, ast.ClassDef):
            owner, begin = node.name, f"{begin}{node.name}."
        waiting.extend((child, owner, begin) for child in ast.iter_child_nodes(node))


def _imported_in(tree: ast.AST) -> Iterator[str]:
    """The names that a module imports, outside of its functions and classes."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from ((name.asname or name.name).partition(".")[0] for name in node.names)
        elif not isinstance(node, (*_FUNCTIONS, ast.ClassDef, ast.expr)):
            waiting.extend(ast.iter_child_nodes(node))


def _names_in(code: CodeType) -> Iterator[str]:
    for part in codes_in(code):
        yield from (*part.co_names, *part.co_varnames, *part.co_cellvars, *part.co_freevars)


def _key(node: Function) -> tuple[str, int]:
    """What its code object has for a name and a first line."""
    if isinstance(node, ast.Lambda):
        return _LAMBDA, node.lineno
    return node.name, min((node.lineno, *(line.lineno for line in node.decorator_list)))


def _move(node: ast.AST, lines: int, columns: int) -> None:
    """Put a tree that began in the first line of a text where it stands in its file."""
    for part in ast.walk(node):
        position: Any = part
        if hasattr(part, "lineno"):
            position.col_offset += columns if position.lineno == 1 else 0
            position.end_col_offset += columns if position.end_lineno == 1 else 0
            position.lineno += lines
            position.end_lineno += lines


def _strip(node: Function) -> None:
    """Take out what is evaluated outside of the function; its decorators mark its first line."""
    takes = node.args
    takes.defaults, takes.kw_defaults = [], [None] * len(takes.kwonlyargs)
    every = (*takes.posonlyargs, *takes.args, *takes.kwonlyargs, takes.vararg, takes.kwarg)
    for argument in filter(None, every):
        argument.annotation = None
    if not isinstance(node, ast.Lambda):
        nothing = ast.Constant(None)
        node.decorator_list = [ast.copy_location(nothing, by) for by in node.decorator_list[:1]]
        node.returns = None
        if hasattr(node, "type_params"):
            node.type_params = []


def _around(node: Function, recipe: Recipe, outside: str) -> ast.Module:
    """A module with the function around it that has the free variables.

    Args:
        outside: The name that the function or its class would bind there, and must not.
    """
    parameters = ", ".join(f"_{index}" for index, _ in enumerate(recipe.free))
    module = trees.parse(f"def {_AROUND}({parameters}):\n class _: pass\n")
    function: Any = module.body[0]
    for argument, name in zip(function.args.args, recipe.free):
        argument.arg = name  # which may be none that could be written
    statement: Any = ast.Expr(node) if isinstance(node, ast.Lambda) else node
    if recipe.owner:
        function.body[0].name, function.body[0].body = recipe.owner, [statement]
        statement = function.body[0]
    function.body = [*([ast.Global([outside])] if outside else []), statement]
    module.body[:0] = [ast.Import([ast.alias(name)]) for name in recipe.imported]
    return ast.fix_missing_locations(module)


# ------------------------------------------------------------------------------ the code


def _code_in(code: CodeType, name: str) -> CodeType:
    found = [part for part in code.co_consts if isinstance(part, CodeType)]
    if [part.co_name for part in found] != [name]:
        raise ValueError(f"{name} is not the only function in its text")
    return found[0]


def _renamed(code: CodeType, got: str, wanted: str) -> CodeType:
    """The code, and what is within it, by other qualified names than it was compiled with."""
    if got == wanted:
        return code
    is_class = not code.co_flags & NEWLOCALS

    def renamed(part: Any) -> Any:
        if isinstance(part, CodeType):
            return _renamed(part, got, wanted)
        if type(part) is not str or not part.startswith(f"{got}."):
            return part
        is_name = is_class or _LOCALS in part  # up to Python 3.10 functions are given theirs so
        return wanted + part[len(got) :] if is_name else part

    code = code.replace(co_consts=tuple(map(renamed, code.co_consts)))
    name = getattr(code, "co_qualname", "")
    if name == got or name.startswith(f"{got}."):
        code = code.replace(co_qualname=wanted + name[len(got) :])
    return code
