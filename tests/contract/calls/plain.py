"""Functions and closures"""

from tests.contract.asking import gives, returns

NUMBER = 7
TABLE = {"a": 1, "b": [2, 3]}


@returns(3, 1, 2)
def a_function(a, b):
    return a + b


@returns(14)
def a_global():
    return NUMBER * 2


@returns({"a": 1, "b": [2, 3]})
def a_global_dict():
    return TABLE


def helper(text):
    """Help."""
    return text.upper()


@returns("ABC", "abc")
def another_function(text):
    return helper(text)


@returns("Help.")
def a_docstring():
    return helper.__doc__


@returns(("helper", "helper"))
def its_names():
    return helper.__name__, helper.__qualname__.rpartition(".")[2]


@returns(120, 5)
def factorial(n):
    return 1 if n < 2 else n * factorial(n - 1)


def is_even(n):
    return n == 0 or is_odd(n - 1)


def is_odd(n):
    return n != 0 and is_even(n - 1)


@returns((True, False))
def mutual_recursion():
    return is_even(10), is_odd(10)


def make_adder(n):
    def add(x):
        return x + n

    return add


returns(42, 40, name="a closure")(make_adder(2))


def make_power(base):
    def outer(times):
        def inner(x):
            return base**times + x

        return inner

    return outer


returns(13, 5, name="a closure in a closure")(make_power(2)(3))


def make_counter():
    count = 0

    def increment():
        nonlocal count
        count += 1
        return count

    def get():
        return count

    return increment, get


_increment, _get = make_counter()


@returns((1, 2, 2))
def closures_that_share_a_variable():
    return _increment(), _increment(), _get()


@returns([1, 2, 3, 3])
def closures_made_over_there():
    increment, get = make_counter()
    return [increment(), increment(), increment(), get()]


def make_local_recursion():
    def fibonacci(n):
        return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)

    return fibonacci


returns(55, 10, name="a local recursive function")(make_local_recursion())


def make_local_mutual():
    def even(n):
        return n == 0 or odd(n - 1)

    def odd(n):
        return n != 0 and even(n - 1)

    return even


returns(True, 12, name="local mutual recursion")(make_local_mutual())


def make_late():
    def use():
        return later

    later = "bound after the function was made"
    return use


returns("bound after the function was made", name="a variable bound later")(make_late())


def make_unbound():
    def use(ask):
        return unbound if ask else "not asked"

    if NUMBER == 0:
        unbound = 1
    return use


returns("not asked", False, name="a variable never bound")(make_unbound())


@returns("built in")
def a_builtin():
    return str("built in")


returns(3, [1, 2, 3], name="a builtin itself")(len)


@returns(["a", "b"])
def a_method_of_a_value():
    return "a b".split()


@returns(6)
def functions_in_a_container():
    return sum(fn(1) for fn in [lambda x: x, helper_double, make_adder(2)])


def helper_double(x):
    return x * 2


@returns(19, 3, 4)
def nested_functions(a, b):
    def first(x):
        def second(y):
            return x * y + NUMBER

        return second

    return first(a)(b)


helper_double.factor = 2
helper_double.table = {"fn": helper}


@returns((2, "X"))
def attributes_of_a_function():
    return helper_double.factor, helper_double.table["fn"]("x")


def reassigned():
    return "first"


reassigned_before = reassigned


def reassigned():
    return "second"


@returns(("first", "second"))
def two_of_the_same_name():
    return reassigned_before(), reassigned()


def made_in_a_loop():
    return [lambda x, n=n: x + n for n in range(3)]


_in_a_loop = made_in_a_loop()


@returns([10, 11, 12])
def many_of_the_same_line():
    return [fn(10) for fn in _in_a_loop]


if NUMBER > 3:

    def under_an_if():
        return "then"

else:

    def under_an_if():
        return "else"


@returns("then")
def one_of_two_branches():
    return under_an_if()


try:

    def under_a_try():
        return "try"

finally:
    pass


@returns("try")
def within_a_try():
    return under_a_try()


@gives(lambda text: text.lstrip().startswith("def helper(text):"))
def its_source_over_there():
    import inspect

    return inspect.getsource(helper)


def with_umlauts(größe):
    """Zähle."""
    return "ä" * größe + "…"  # a comment with ü, and a column after it: é


@returns("äää…")
def names_beyond_ascii():
    return with_umlauts(3)


é, ö = (lambda x: "é" + x), (lambda x: "ö" + x)


@returns("éxöx")
def columns_beyond_ascii():
    return é("x") + ö("x")
