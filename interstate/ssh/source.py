"""Where it is said how hosts are reached: which ssh_config files hold."""

from __future__ import annotations

import enum
import os
from typing import Final


class UserConfig(enum.Enum):
    USER_CONFIG = "the user's and the system's ssh_config"

    def __repr__(self) -> str:
        return self.name


USER_CONFIG: Final = UserConfig.USER_CONFIG
"""The user's `~/.ssh/config` and then `/etc/ssh/ssh_config`, as ssh reads them."""

ConfigSource = str | os.PathLike[str] | None | UserConfig
