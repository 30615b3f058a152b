"""What tests of packages run on hosts where nothing is installed: it imports nothing else here."""

from __future__ import annotations

import sys


def version_of_tiny() -> tuple[str, str]:
    import tiny  # type: ignore[import-not-found]

    return tiny.VERSION, tiny.__file__


def determinant() -> tuple[str, str, str]:
    import numpy

    matrix = numpy.array([[2.0, 1.0], [1.0, 3.0]])
    value = f"{numpy.linalg.det(matrix):.3f}"
    return numpy.__file__, value, ".".join(map(str, sys.version_info[:2]))


def version_of_numpy() -> tuple[str, str]:
    import numpy

    return numpy.__version__, numpy.__file__


def both_of_a_namespace() -> tuple[str, str]:
    import space.one  # type: ignore[import-not-found]
    import space.two  # type: ignore[import-not-found]

    return space.one.VERSION, space.two.VERSION


def old_and_tiny() -> tuple[str, str, bool]:
    import importlib.util

    import old  # type: ignore[import-not-found]
    import tiny

    return tiny.VERSION, old.VERSION, importlib.util.find_spec("new") is not None


def import_nowhere() -> None:
    import nowhere  # type: ignore[import-not-found]  # noqa: F401
