"""The exceptions of our own that may be made at either end."""

from __future__ import annotations


class InterstateError(Exception):
    """The base of every exception that Interstate raises of its own."""


class PythonVersionError(InterstateError):
    """The Python over there is another one than here, and something cannot cross to it.

    The message names it, both versions and the reason.
    """


class RemoteError(InterstateError):
    """A call raised something that could not be raised here as itself.

    Either it could not be rebuilt, or it would act as a local one: a KeyboardInterrupt, SystemExit
    or GeneratorExit, which then is the `__cause__`.  Its traceback is that of what was raised.

    Args:
        message: What was raised, and why it is not here as itself.
        type_name: The qualified name of the type that was raised over there.
        remote_traceback: The traceback as text, if what was raised could not be rebuilt.
    """

    def __init__(self, message: str, type_name: str = "", remote_traceback: str = "") -> None:
        super().__init__(message)
        self.type_name = type_name
        self.remote_traceback = remote_traceback


class Unreadable(Exception):  # noqa: N818  # it is for ourselves: what is raised is what it holds
    """A file that is to travel cannot be read.

    Args:
        error: Why.
    """

    def __init__(self, error: OSError) -> None:
        super().__init__(error)
        self.error = error
