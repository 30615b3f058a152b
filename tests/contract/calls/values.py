"""Values of the standard library, both ways"""
# Ways: kernel.

import array
import collections
import datetime
import decimal
import fractions
import ipaddress
import pathlib
import random
import re
import string
import types
import uuid
import zoneinfo
from collections import Counter, OrderedDict, UserDict, UserList, defaultdict, deque

from tests.contract.asking import gives, returns


def same(value):
    return value


def made(make):
    return make()


WAYS = {
    "None": lambda: None,
    "bool": lambda: [True, False],
    "int": lambda: [0, -1, 2**100, -(2**63)],
    "float": lambda: [0.0, 1.5, -1e300, float("inf")],
    "complex": lambda: 1 + 2j,
    "str": lambda: ["", "ä…😀", "a\x00b", "\ud800"],
    "bytes": lambda: [b"", b"\x00\xff", bytearray(b"xy")],
    "a large bytes": lambda: b"x" * 200_000,
    "list, tuple, dict": lambda: [(), [1, (2, [3])], {"a": {1: None}}],
    "set, frozenset": lambda: [set(), {1, 2}, frozenset({3})],
    "range": lambda: [range(3), range(0, 10, 2), range(5, 0, -1)],
    "slice": lambda: [slice(1), slice(1, 2, 3), slice(None)],
    "Ellipsis, NotImplemented": lambda: [..., NotImplemented],
    "types": lambda: [int, type, object, type(None), type(...), types.FunctionType],
    "functions of modules": lambda: [len, re.compile, dict.fromkeys, str.join],
    "modules": lambda: [re, pathlib, collections.abc],
    "PurePosixPath": lambda: pathlib.PurePosixPath("/a") / "b.txt",
    "PosixPath": lambda: pathlib.Path("/a/b") / "c",
    "PureWindowsPath": lambda: pathlib.PureWindowsPath("c:/a") / "b",
    "the type of a path": lambda: [pathlib.Path, pathlib.PosixPath, pathlib.PurePath],
    "paths in a dict": lambda: {pathlib.Path("a"): [pathlib.Path("b")]},
    "datetime": lambda: datetime.datetime(2024, 2, 29, 12, 30, 1, 5, fold=1),
    "datetime in UTC": lambda: datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc),
    "date, time, timedelta": lambda: [
        datetime.date(2024, 1, 2),
        datetime.time(1, 2, 3),
        datetime.timedelta(days=1, microseconds=5),
    ],
    "timezone": lambda: [
        datetime.timezone.utc,
        datetime.timezone(datetime.timedelta(hours=1), "CET"),
    ],
    "ZoneInfo": lambda: zoneinfo.ZoneInfo("UTC"),
    "Decimal": lambda: [decimal.Decimal("1.50"), decimal.Decimal("-Infinity")],
    "Fraction": lambda: [fractions.Fraction(1, 3), fractions.Fraction(-7)],
    "UUID": lambda: [uuid.UUID(int=5), uuid.NAMESPACE_DNS],
    "re.Pattern": lambda: [re.compile("a+", re.I | re.S), re.compile(b"x(?P<n>y)")],
    "OrderedDict": lambda: OrderedDict([("b", 1), ("a", 2)]),
    "defaultdict": lambda: defaultdict(list, {"a": [1]}),
    "deque": lambda: [deque([1, 2]), deque([1], maxlen=3)],
    "Counter": lambda: Counter("abca"),
    "ChainMap": lambda: collections.ChainMap({"a": 1}, {"b": 2}),
    "UserDict, UserList": lambda: [UserDict(a=1), UserList([1, 2])],
    "SimpleNamespace": lambda: types.SimpleNamespace(a=1, b=[2]),
    "array": lambda: [array.array("d", [1.0, 2.0]), array.array("i", [1])],
    "IP addresses": lambda: [
        ipaddress.ip_address("127.0.0.1"),
        ipaddress.ip_network("10.0.0.0/8"),
        ipaddress.ip_address("::1"),
    ],
    "generic aliases": lambda: [list[int], dict[str, list[int]], tuple[int, ...]],
    "exceptions": lambda: [type(error) for error in (ValueError(1), KeyError("x"))],
}

for name, make in WAYS.items():
    returns(make(), make(), name=f"{name}, both ways")(same)
    returns(make(), make, name=f"{name}, made over there")(made)


@gives(lambda it: (it["new"], it["a"]) == ([], [1]))
def a_defaultdict_of_a_lambda():
    return defaultdict(lambda: [], {"a": [1]})


returns("a is 1", string.Template("$a is 1"), name="a template")(lambda it: it.substitute(a="a"))


@gives(lambda it: it.random() == random.Random(5).random())
def a_random_generator():
    return random.Random(5)


returns(random.Random(7).random(), random.Random(7), name="one of ours")(lambda it: it.random())


@gives(lambda proxy: dict(proxy) == {"a": 1})
def a_dict_of_a_mapping_proxy():
    return dict(types.MappingProxyType({"a": 1}))


returns(True, pathlib.Path.cwd, name="a classmethod")(lambda cwd: cwd().is_absolute())
returns([1, 2], iter([1, 2]), name="an iterator")(list)
returns("2024-01-02", datetime.date(2024, 1, 2), name="a method of a date")(
    lambda day: day.isoformat()
)
returns("b.txt", pathlib.Path("/a/b.txt"), name="a property of a path")(lambda path: path.name)
returns(b"view", memoryview(b"view").tobytes(), name="bytes of a view")(bytes)
