"""Subclasses that are told of"""

from tests.contract.asking import gives, returns


class Plugin:
    registry = []
    by_name = {}

    def __init_subclass__(cls, /, name=None, **kwargs):
        super().__init_subclass__(**kwargs)
        cls.name = name or cls.__name__.lower()
        Plugin.registry.append(cls)
        Plugin.by_name[cls.name] = cls


class First(Plugin):
    def run(self):
        return "first"


class Second(Plugin, name="the second"):
    def run(self):
        return "second"


@returns(["first", "the second"])
def a_registry_is_not_doubled():
    return [kind.name for kind in Plugin.registry]


@returns({"first": "first", "the second": "second"})
def a_registry_by_name():
    return {name: kind().run() for name, kind in Plugin.by_name.items()}


@returns(True)
def a_registry_has_the_same_classes():
    return Plugin.by_name["first"] is First and Plugin.registry[1] is Second


@returns(["first", "the second", "third"])
def one_made_over_there_is_told_of():
    class Third(Plugin):
        pass

    found = [kind.name for kind in Plugin.registry]
    Plugin.registry.pop()
    del Plugin.by_name["third"]
    return found


class Required:
    def __init_subclass__(cls, *, unit, scale=1, **kwargs):
        super().__init_subclass__(**kwargs)
        cls.unit, cls.scale = unit, scale


class Meters(Required, unit="m"):
    def __init__(self, x):
        self.x = x

    def show(self):
        return f"{self.x * self.scale} {self.unit}"


class Kilometers(Meters, unit="km", scale=1000):
    pass


@returns(("3 m", "2000 km"))
def required_arguments():
    return Meters(3).show(), Kilometers(2).show()


@gives(lambda it: type(it) is Kilometers and it.show() == "4000 km")
def one_that_comes_home():
    return Kilometers(4)


@returns((["a", "b"], {"Child": ["own"]}))
def made_over_there_with_a_registry():
    class Base:
        told = {}

        def __init_subclass__(cls, **kwargs):
            super().__init_subclass__(**kwargs)
            Base.told[cls.__name__] = [name for name in vars(cls) if name == "own"]

    class Child(Base):
        own = 1

    return ["a", "b"], Base.told


class Counting:
    count = 0

    def __init_subclass__(cls):
        Counting.count += 1
        cls.number = Counting.count


class A(Counting):
    pass


class B(A):
    pass


@returns((2, 1, 2))
def told_of_once_for_each():
    return Counting.count, A.number, B.number


class Validated:
    def __init_subclass__(cls):
        for name in ("x", "y"):
            if not hasattr(cls, name):
                raise TypeError(f"{cls.__name__} has no {name}")


class Valid(Validated):
    x = 1
    y = 2


@returns((3, "Bad has no y"))
def one_that_looks_at_what_the_class_has():
    try:

        class Bad(Validated):
            x = 1

    except TypeError as error:
        return Valid.x + Valid.y, str(error)


class Named:
    def __set_name__(self, owner, name):
        owner.told = [*getattr(owner, "told", []), name]
        self.name = name


class Holder:
    a = Named()
    b = Named()


@returns((["a", "b"], "a"))
def set_name_is_called_once():
    return Holder.told, Holder.a.name


class RegisteringMeta(type):
    registry = []

    def __new__(cls, name, bases, namespace):
        kind = super().__new__(cls, name, bases, namespace)
        cls.registry.append(name)
        return kind


class One(metaclass=RegisteringMeta):
    pass


class Two(One):
    def two(self):
        return "two"


@returns((["One", "Two"], "two"))
def a_registry_of_a_metaclass():
    return list(RegisteringMeta.registry), Two().two()


def make_plugins():
    known = []

    class Base:
        def __init_subclass__(cls, tag, **kwargs):
            super().__init_subclass__(**kwargs)
            known.append((cls.__name__, tag))

    class Child(Base, tag="t"):
        def known(self):
            return known

    return Child


LocalChild = make_plugins()


@returns([("Child", "t")])
def a_registry_in_a_closure():
    return LocalChild().known()
