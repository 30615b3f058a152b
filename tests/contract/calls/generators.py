"""Generators and comprehensions"""

from tests.contract.asking import returns

FACTOR = 3


def count(n):
    for i in range(n):
        yield i


@returns([0, 1, 2])
def a_generator():
    return list(count(3))


def delegating(n):
    result = yield from inner(n)
    yield f"returned {result}"


def inner(n):
    yield from count(n)
    return n * 10


@returns([0, 1, "returned 20"])
def yield_from():
    return list(delegating(2))


def averaging():
    total, number = 0, 0
    average = None
    while True:
        total += yield average
        number += 1
        average = total / number


@returns([10.0, 15.0])
def send():
    averages = averaging()
    next(averages)
    return [averages.send(10), averages.send(20)]


def cleaning(found):
    try:
        yield 1
        yield 2
    except KeyError:
        found.append("thrown")
        yield 3
    finally:
        found.append("closed")


@returns([1, 3, ["thrown", "closed"]])
def throw_and_close():
    found = []
    generator = cleaning(found)
    return [next(generator), generator.throw(KeyError("x")), (generator.close(), found)[1]]


@returns([0, 6])
def a_generator_expression():
    return list(x * FACTOR for x in range(3) if x % 2 == 0)


@returns([[0, 0], [0, 3], [0, 6]])
def nested_comprehensions():
    return [[x * y * FACTOR for x in range(2)] for y in range(3)]


@returns([(0, 0), (1, 0), (1, 1)])
def a_comprehension_of_two_loops():
    return [(x, y) for x in range(2) for y in range(x + 1)]


@returns({"a": 3, "b": 6})
def a_dict_comprehension():
    return {name: number * FACTOR for name, number in zip("ab", (1, 2))}


@returns({0, 1, 2})
def a_set_comprehension():
    return {x % 3 for x in range(10)}


@returns([[1, 2], [1, 2]])
def a_comprehension_over_a_closure():
    def make():
        values = [1, 2]
        return [lambda: [v for v in values] for _ in range(2)]

    return [fn() for fn in make()]


class Scope:
    names = ("a", "b")
    upper = [name.upper() for name in names]
    lengths = {name: len(name) for name in names}

    def both(self):
        return [self.upper[i] + name for i, name in enumerate(self.names)]


@returns((["A", "B"], {"a": 1, "b": 1}, ["Aa", "Bb"]))
def comprehensions_in_a_class():
    return Scope.upper, Scope.lengths, Scope().both()


@returns([["A", "B"], {"a": 1}])
def comprehensions_in_a_class_made_over_there():
    class Local:
        names = ("a", "b")
        upper = [name.upper() for name in names]
        first = {name: 1 for name in names if name == "a"}

    return [Local.upper, Local.first]


class Fibonacci:
    def __init__(self, most):
        self.most = most

    def __iter__(self):
        a, b = 0, 1
        while a < self.most:
            yield a
            a, b = b, a + b


@returns([0, 1, 1, 2, 3, 5, 8])
def an_iterator_of_a_class():
    return [*Fibonacci(10)]


@returns([0, 1, 4, 9], count)
def a_generator_function_as_an_argument(make):
    return [i * i for i in make(4)]


@returns([1, 2, 1, 2, 1])
def an_endless_generator():
    import itertools

    def cycle():
        while True:
            yield 1
            yield 2

    return list(itertools.islice(cycle(), 5))


recursive = lambda tree: [
    leaf for part in tree for leaf in (recursive(part) if isinstance(part, list) else [part])
]


@returns([1, 2, 3, 4], [1, [2, [3]], 4])
def a_recursive_comprehension(tree):
    return recursive(tree)


def walk(tree):
    if isinstance(tree, list):
        for part in tree:
            yield from walk(part)
    else:
        yield tree


@returns([1, 2, 3, 4], [1, [2, [3]], 4])
def a_recursive_generator(tree):
    return list(walk(tree))
