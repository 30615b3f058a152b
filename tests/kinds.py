"""The kinds of host that tests run with; in what they differ does not depend on the Python here."""

import pytest

KINDS = ["sshd", pytest.param("loopback", marks=pytest.mark.once)]
