"""A pytest plugin: SSH hosts on this machine, for the tests of code that uses Interstate.

pytest loads this file in every run where Interstate is installed, so it imports nothing until a
test asks for its fixture.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from interstate.hosts import Host


@pytest.fixture(scope="session")
def interstate_hosts() -> Iterator[list[Host]]:
    """Two SSH hosts on this machine, real ones to Interstate, for the whole session.

    They start with the first test that asks for them, in about 0.2 s, and need neither an sshd
    nor an account; see `interstate.loopback.hosts`, which is also the way to have more of them::

        def test_my_job(interstate_hosts):
            assert interstate.execute(my_job, hosts=interstate_hosts) == [1, 2]
    """
    from interstate import loopback

    with loopback.hosts(2) as hosts:
        yield hosts
