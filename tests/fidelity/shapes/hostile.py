"""Exceptions whose methods fail, lie or never return."""

import os
import time
from typing import Any, NoReturn


def _for_ever() -> NoReturn:
    while True:
        time.sleep(0.01)


class _CodeError(Exception):
    def __init__(self, code: int) -> None:
        super().__init__("with a code")
        self.code = code


class FalseError(_CodeError):
    def __bool__(self) -> bool:
        return False


def false() -> NoReturn:
    """`__bool__` returns False"""
    raise FalseError(1)


class EmptyError(_CodeError):
    def __len__(self) -> int:
        return 0


def empty() -> NoReturn:
    """`__len__` returns 0"""
    raise EmptyError(2)


class NoTruthError(_CodeError):
    def __bool__(self) -> bool:
        raise ValueError("neither")


def bool_raises() -> NoReturn:
    """`__bool__` raises"""
    raise NoTruthError(3)


class NoTextError(_CodeError):
    def __str__(self) -> str:
        raise ValueError("no text")


def str_raises() -> NoReturn:
    """`__str__` raises"""
    raise NoTextError(4)


class NoReprError(_CodeError):
    def __repr__(self) -> str:
        raise ValueError("no repr")


def repr_raises() -> NoReturn:
    """`__repr__` raises"""
    raise NoReprError(5)


class DeepTextError(_CodeError):
    def __str__(self) -> str:
        return str(self)


def str_recurses() -> NoReturn:
    """`__str__` calls itself for ever"""
    raise DeepTextError(6)


class EndlessTextError(_CodeError):
    def __str__(self) -> str:
        _for_ever()


def str_loops() -> NoReturn:
    """`__str__` never returns"""
    raise EndlessTextError(7)


class EndlessReprError(_CodeError):
    def __repr__(self) -> str:
        _for_ever()


def repr_loops() -> NoReturn:
    """`__repr__` never returns"""
    raise EndlessReprError(8)


class NoReduceError(_CodeError):
    def __reduce__(self) -> Any:
        raise ValueError("no reduce")


def reduce_raises() -> NoReturn:
    """`__reduce__` raises"""
    raise NoReduceError(9)


class NonsenseError(_CodeError):
    def __reduce__(self) -> Any:
        return 1, "nonsense"


def reduce_returns_nonsense() -> NoReturn:
    """`__reduce__` returns nonsense"""
    raise NonsenseError(10)


class LyingError(_CodeError):
    def __reduce__(self) -> Any:
        return "".join, ([],)


def reduce_lies() -> NoReturn:
    """`__reduce__` makes something else"""
    raise LyingError(11)


class EndlessReduceError(_CodeError):
    def __reduce__(self) -> Any:
        _for_ever()


def reduce_loops() -> NoReturn:
    """`__reduce__` never returns"""
    raise EndlessReduceError(12)


class NoStateError(_CodeError):
    def __setstate__(self, state: Any) -> None:
        raise ValueError("no state")


def setstate_raises() -> NoReturn:
    """`__setstate__` raises"""
    raise NoStateError(13)


class ExitingError(_CodeError):
    def __setstate__(self, state: Any) -> None:
        raise SystemExit(3)


def setstate_exits() -> NoReturn:
    """`__setstate__` raises `SystemExit`"""
    raise ExitingError(14)


class GetattrError(_CodeError):
    def __getattr__(self, name: str) -> Any:
        raise ValueError(f"no {name}")


def getattr_raises() -> NoReturn:
    """`__getattr__` raises another exception"""
    raise GetattrError(15)


class SetattrError(Exception):
    def __setattr__(self, name: str, value: object) -> None:
        raise ValueError("not to be changed")


def setattr_raises() -> NoReturn:
    """`__setattr__` raises"""
    raise SetattrError("as it is")


class NoHashError(_CodeError):
    def __eq__(self, other: object) -> bool:
        raise ValueError("not to be compared")

    def __hash__(self) -> int:
        raise ValueError("not to be hashed")


def eq_and_hash_raise() -> NoReturn:
    """`__eq__` and `__hash__` raise"""
    raise NoHashError(16) from NoHashError(17)


class OnlyThereError(_CodeError):
    """All is well where there is a variable FIDELITY_THERE; elsewhere its methods never return."""

    def __init__(self, code: int) -> None:
        self._work()
        super().__init__(code)

    def __setstate__(self, state: Any) -> None:
        self._work()
        self.__dict__.update(state)

    def __str__(self) -> str:
        self._work()
        return super().__str__()

    def _work(self) -> None:
        if "FIDELITY_THERE" not in os.environ:
            _for_ever()


def loops_here() -> NoReturn:
    """its methods never return, but only here"""
    raise OnlyThereError(18)


class OnlyThereReduceError(_CodeError):
    def __init__(self, code: int) -> None:
        super().__init__(code)
        if "FIDELITY_THERE" not in os.environ:
            raise ValueError("not here")

    def __reduce__(self) -> Any:
        return type(self), (self.code,)


def fails_here() -> NoReturn:
    """its `__init__` raises, but only here"""
    raise OnlyThereReduceError(19)
