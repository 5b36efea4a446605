"""Runs one fuzz target, guided by coverage: `python -m tests.fuzz.runner TARGET [SECONDS | FILE]`.

A target is a file `fuzz_TARGET.py` with `SEEDS` and `check(data)`, which raises when what must hold does not. What was
interesting so far is kept in `.fuzz`, as is the input that raised; give that file to see it raise again.
"""

import sys
from importlib import import_module
from pathlib import Path
from random import Random

import atheris

from tests.fuzz.words import WORDS

HERE = Path(".fuzz")
LIMITS = ("-max_len=4096", "-timeout=10", "-rss_limit_mb=1024", "-verbosity=0", "-print_final_stats=1")


def main(name: str, what: str = "60") -> None:
    with atheris.instrument_imports(include=["daemon.logic"]):
        target = import_module(f"tests.fuzz.fuzz_{name}")
    chosen = [f"-max_total_time={what}", str(corpus(name, target.SEEDS))] if what.isdigit() else [what]
    atheris.Setup(
        [f"fuzz {name}", *LIMITS, f"-artifact_prefix={HERE}/{name}-", *chosen], target.check, custom_mutator=mutated
    )
    atheris.Fuzz()


def mutated(data: bytes, most: int, number: int) -> bytes:
    """Changed as libFuzzer would; or a word that means something is put into it, or over a piece of it."""
    random = Random(number)
    if random.random() < 0.4:
        return atheris.Mutate(data, most)
    place = random.randrange(len(data) + 1)
    end = place + random.choice((0, 0, 1, 5, 30))
    return (data[:place] + random.choice(WORDS) + data[end:])[:most]


def corpus(name: str, seeds: list[bytes]) -> Path:
    """The directory with the seeds, and what earlier runs have added to them."""
    place = HERE / name
    place.mkdir(parents=True, exist_ok=True)
    (HERE / ".gitignore").write_text("*\n")
    for number, seed in enumerate(seeds):
        (place / f"seed-{number}").write_bytes(seed)
    return place


if __name__ == "__main__":
    main(*sys.argv[1:])
