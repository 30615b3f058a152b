"""The process that serves loopback hosts; `interstate.loopback.hosts` starts it."""

from __future__ import annotations

import sys
from pathlib import Path

from .server import serve

if len(sys.argv) != 3:
    sys.exit("this process is started by interstate.loopback.hosts(count): use that from Python")
serve(Path(sys.argv[1]), int(sys.argv[2]))
