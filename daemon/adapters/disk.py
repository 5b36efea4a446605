"""The disk: how much of it is left."""

import os
from pathlib import Path


def free_share(directory: Path) -> float:
    """The share of its file system that is free for us, from 0 to 1. Raises OSError."""
    disk = os.statvfs(directory)
    return disk.f_bavail / disk.f_blocks if disk.f_blocks else 1.0
