"""What a module finds over there in place of what Interstate has only where calls come from.

A user's module may both start calls and be imported by them: its `from interstate import
SSHExecutor` must not fail over there, nor may an executor be used there as if it were one.
"""

from __future__ import annotations

from _frozen_importlib import ModuleSpec

from .errors import InterstateError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any


def stand_in(name: str, is_error: bool) -> Any:
    """Return what there is in place of a public name.

    Args:
        is_error: Whether that is an exception.
    """
    members = {"__module__": "interstate", "__doc__": f"The {name} of where calls come from."}
    if is_error:
        return type(name, (InterstateError,), members)
    if name[:1].isupper():
        return type(name, (OnlyThere,), members)

    def function(*args: Any, **kwargs: Any) -> Any:
        raise _not_here(name)

    function.__name__ = function.__qualname__ = name
    function.__module__ = "interstate"
    return function


class OnlyThere:
    """It can be made, as a module may do when it is imported, and nothing else."""

    def __init__(self, *args: Any, **kwargs: Any) -> None: ...

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise _not_here(type(self).__name__)

    def __enter__(self) -> Any:
        raise _not_here(type(self).__name__)

    def __exit__(self, *_: object) -> None: ...

    def __reduce__(self) -> Any:
        raise _not_here(type(self).__name__)


def _not_here(name: str) -> InterstateError:
    return InterstateError(
        f"a call cannot use interstate.{name}: that is only where the call comes from; "
        "return, and go on there"
    )


def find_spec(name: str) -> ModuleSpec | None:
    """Return the spec of what stands for a module of Interstate's, unless that is shipped."""
    if name.startswith("interstate.") and not name.startswith("interstate.remote."):
        return ModuleSpec(name, _Loader, is_package=True)  # type: ignore[arg-type]
    return None


class _Loader:
    """Makes modules in which every name is stood for."""

    @staticmethod
    def create_module(spec: ModuleSpec) -> ModuleType | None:
        return None  # an ordinary one

    @staticmethod
    def exec_module(module: ModuleType) -> None:
        def look_up(name: str) -> Any:
            if name.startswith("__"):
                raise AttributeError(name)
            found = stand_in(name, name.endswith(("Error", "Lost", "Died")))
            setattr(module, name, found)
            return found

        module.__getattr__ = look_up  # type: ignore[method-assign]
