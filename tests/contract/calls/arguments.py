"""Arguments and annotations"""

import inspect
from typing import Any, Callable, Dict, List, Optional, Union

from tests.contract.asking import returns

MARK = object()
LIMIT = 3


def defaults(a, b=2, *, c=3, d=LIMIT + 1):
    return a, b, c, d


@returns((1, 2, 3, 4))
def default_arguments():
    return defaults(1)


@returns((1, 5, 6, 7))
def keyword_only_arguments():
    return defaults(1, b=5, c=6, d=7)


def positional(a, b=2, /, c=3, *, d=4):
    return a, b, c, d


@returns(((1, 2, 3, 4), "TypeError"))
def positional_only_arguments():
    try:
        positional(a=1)
    except TypeError as error:
        return positional(1), type(error).__name__


def everything(a, /, b, *args, c=1, **kwargs):
    return a, b, args, c, kwargs


@returns((1, 2, (3, 4), 5, {"d": 6}))
def star_arguments():
    return everything(1, 2, *[3, 4], **{"c": 5, "d": 6})


def appending(x, into=[]):
    into.append(x)
    return list(into)


@returns([1, 2])
def a_default_that_is_changed():
    appending.__defaults__[0].clear()
    appending(1)
    return appending(2)


def sentinel(x=MARK):
    return x is MARK


@returns((True, False))
def a_default_that_is_a_global():
    return sentinel(), sentinel(1)


def of_functions(x, key=len, also=defaults):
    return key(x), also(x)


@returns((2, ("ab", 2, 3, 4)))
def defaults_that_are_functions():
    return of_functions("ab")


@returns("(a, b=2, /, c=3, *, d=4)")
def its_signature():
    return str(inspect.signature(positional))


def annotated(a: int, b: "str" = "x", *c: float, d: List[int] = (), **e: Any) -> Optional[int]:
    return a


@returns((1, ["a", "b", "c", "d", "e", "return"], int))
def annotations():
    return annotated(1), list(annotated.__annotations__), annotated.__annotations__["a"]


def builtin_generics(a: list[int], b: dict[str, tuple[int, ...]]) -> type[int]:
    return a, b


@returns(([1], "list[int]"))
def annotations_of_builtin_types():
    return builtin_generics([1], {})[0], str(builtin_generics.__annotations__["a"])


def typings(
    a: Callable[[int], str], b: Union[int, None], c: Dict[str, List["Later"]], d: "Later"
) -> "Later":
    return a


class Later:
    pass


@returns((3, "Later"))
def forward_references():
    return typings(3, None, {}, None), typings.__annotations__["d"]


def own_class(a: Later, b: Optional[Later] = None) -> Later:
    return a, b


@returns((1, True))
def annotations_of_ones_own_class():
    return own_class(1)[0], own_class.__annotations__["a"] is Later


def local_variables():
    x: int = 1
    y: "list[int]"
    z: undefined = 2
    y = [x, z]
    return y


@returns([1, 2])
def annotations_of_local_variables():
    return local_variables()


@returns({"x": int, "y": 3})
def an_annotated_function_made_over_there():
    def made(x: int, y: 1 + 2):
        pass

    return made.__annotations__


def checked(fn):
    expected = {k: v for k, v in fn.__annotations__.items() if k != "return"}

    def call(**kwargs):
        return all(isinstance(kwargs[name], kind) for name, kind in expected.items())

    return call


@checked
def typed(a: int, b: str) -> None: ...


@returns((True, False))
def annotations_that_are_used():
    return typed(a=1, b="x"), typed(a=1, b=2)


def type_hints_of(a: int, b: Optional[str] = None, c: "int" = 0) -> List[int]: ...


@returns({"a": int, "b": Optional[str], "c": int, "return": List[int]})
def type_hints():
    import typing

    return typing.get_type_hints(type_hints_of)


returns((1, 2, (), {}), *(1, 2), name="arguments that go along")(lambda a, b, *c, **d: (a, b, c, d))
