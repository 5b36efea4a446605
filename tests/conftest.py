"""Tests see none of the settings of whoever runs them."""

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def nobodys_settings() -> Iterator[None]:
    """What the tests' own switches say was read at import."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("RUNBOOKD_")]:
            patch.delenv(name)
        yield
