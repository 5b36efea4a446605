"""The fuzz targets hold for what they start from."""

from importlib import import_module
from pathlib import Path

import pytest

TARGETS = sorted(file.stem for file in Path(__file__).parent.glob("fuzz_*.py"))


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_holds_for_its_seeds(name: str) -> None:
    target = import_module(f"tests.fuzz.{name}")
    assert len(target.SEEDS) >= 20
    for seed in (b"", *target.SEEDS):
        target.check(seed)
