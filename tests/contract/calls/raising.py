"""Exceptions that come home"""

from tests.contract.asking import raises

NAMES = ["a", "b"]


def deeper(table, key):
    return table[key]  # the line that fails


@raises(KeyError, "x", lines=['deeper({}, "x")', "return table[key]  # the line that fails"])
def an_exception_of_python():
    return deeper({}, "x")


class Plain(Exception):
    pass


@raises(Plain, "plain", 1, lines=['raise Plain("plain", 1)'])
def a_class_of_ones_own():
    raise Plain("plain", 1)


class Rich(ValueError):
    def __init__(self, row, column):
        super().__init__(f"at {row}:{column}")
        self.row, self.column = row, column

    def where(self):
        return self.row, self.column

    def __str__(self):
        return f"<{super().__str__()}>"


@raises(
    Rich,
    "at 1:2",
    also=lambda error: (error.where(), str(error), error.extra) == ((1, 2), "<at 1:2>", "more"),
)
def attributes_and_methods():
    error = Rich(1, 2)
    error.extra = "more"
    raise error


@raises(
    Plain,
    "second",
    lines=["KeyError: 'first'", "direct cause", 'raise Plain("second") from error'],
    also=lambda error: type(error.__cause__) is KeyError and error.__suppress_context__,
)
def a_cause():
    try:
        deeper({}, "first")
    except KeyError as error:
        raise Plain("second") from error


@raises(
    Plain,
    "later",
    lines=["1 / 0", "ZeroDivisionError", "During handling", 'raise Plain("later")'],
    also=lambda error: type(error.__context__) is ZeroDivisionError and error.__cause__ is None,
)
def a_context():
    try:
        1 / 0
    except ZeroDivisionError:
        raise Plain("later")


@raises(Plain, "noted", also=lambda error: error.__notes__ == ["by hand"])
def notes_by_hand():
    error = Plain("noted")
    error.__notes__ = ["by hand"]
    raise error


class Base(Exception):
    """The base."""


class Derived(Base, LookupError):
    pass


@raises(Derived, also=lambda error: isinstance(error, Base) and isinstance(error, LookupError))
def several_bases():
    raise Derived


@raises(AttributeError, "'list' object has no attribute 'nothing'", lines=["NAMES.nothing"])
def an_attribute_error():
    return NAMES.nothing


@raises(NameError, "name 'not_there' is not defined", lines=["return not_there"])
def a_name_error():
    return not_there


@raises(FileNotFoundError, 2, "No such file or directory", also=lambda error: error.errno == 2)
def an_os_error():
    open("/nowhere/at/all")


@raises(UnicodeDecodeError, "utf-8", b"\xff", 0, 1, "invalid start byte")
def a_unicode_error():
    b"\xff".decode("utf-8")


class Slotted(Exception):
    __slots__ = ("code",)


@raises(Slotted, "slotted", also=lambda error: error.code == 7)
def slots():
    error = Slotted("slotted")
    error.code = 7
    raise error


def recursive(n):
    if n == 0:
        raise Plain("deep down")
    recursive(n - 1)


@raises(Plain, "deep down", lines=["recursive(n - 1)", 'raise Plain("deep down")'])
def from_deep_down():
    recursive(5)


def make_failing():
    class Local(Exception):
        def hello(self):
            return f"hello {self.args[0]}"

    def fail():
        raise Local("you")

    return fail, Local


fail, Local = make_failing()
raises(Local, "you", lines=['raise Local("you")'], also=lambda e: e.hello() == "hello you")(fail)


def failing_generator():
    yield 1
    raise Plain("in a generator")


@raises(Plain, "in a generator", lines=["list(failing_generator())", "in a generator"])
def in_a_generator():
    list(failing_generator())


@raises(Plain, "in a lambda", lines=["failing_lambda(0)", "failing_lambda = lambda"])
def in_a_lambda():
    failing_lambda(0)


failing_lambda = lambda x: raise_it(Plain("in a lambda"))


def raise_it(error):
    raise error


@raises(Plain, "in a comprehension", lines=["raise_it(Plain(name))"])
def in_a_comprehension():
    return [raise_it(Plain(name)) for name in ["in a comprehension"]]


@raises(StopIteration, "stopped", also=lambda error: error.value == "stopped")
def stop_iteration():
    raise StopIteration("stopped")


class WithState(Exception):
    def __init__(self, needed, *, keyword):
        self.needed, self.keyword = needed, keyword

    def __reduce__(self):
        return make_with_state, (self.needed, self.keyword)


def make_with_state(needed, keyword):
    return WithState(needed, keyword=keyword)


@raises(WithState, 1, also=lambda error: (error.needed, error.keyword) == (1, 2))
def a_reduce_of_its_own():
    raise WithState(1, keyword=2)


class Holding(Exception):
    pass


@raises(Holding, [1, {"a": (2,)}], also=lambda error: error.fn(2) == 4)
def functions_as_attributes():
    error = Holding([1, {"a": (2,)}])
    error.fn = lambda x: x * 2
    raise error
