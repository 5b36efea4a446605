"""What is shipped with the program beside its code: the alerts file, the migrations and the runbook."""

from pathlib import Path

PACKAGE = Path(__file__).parents[2]


def packaged(name: str) -> Path:
    """Where one of them is: inside an installed package, or at the root of a checkout."""
    installed = PACKAGE / "_data" / name
    return installed if installed.exists() else PACKAGE.parent / name
