"""Proves the laws: `python -m tests.simulation SEEDS` on so many days, `… --only SEED` on one of them."""

import logging
import sys
import time
from multiprocessing import Pool

from tests.simulation.laws import Broken
from tests.simulation.world import World

AT_ONCE = 10
"""Seeds that a process is given together."""


def judged(seed: int) -> str | None:
    """What went wrong with a seed."""
    logging.disable(logging.CRITICAL)
    try:
        World(seed).run()
    except Broken as broken:
        return str(broken)
    except Exception as error:
        return f"seed {seed}: {type(error).__name__}: {error}"
    return None


def main(seeds: int) -> int:
    """Runs the seeds on all cores, and says how far it is."""
    began, broken = time.monotonic(), 0
    with Pool() as pool:
        for done, wrong in enumerate(pool.imap_unordered(judged, range(seeds), AT_ONCE), 1):
            if wrong is not None:
                broken += 1
                sys.stdout.write(f"\r{wrong}\n    again: {_again(wrong)}\n")
            rate = done / (time.monotonic() - began)
            left = f"{rate:.1f} a second, {(seeds - done) / rate:.0f} s left"
            sys.stdout.write(f"\r{done} of {seeds} days, {broken} broken, {left}   ")
            sys.stdout.flush()
    sys.stdout.write("\n")
    return int(broken > 0)


def _again(wrong: str) -> str:
    return f"python -m tests.simulation --only {wrong.split()[1].rstrip(':')}"


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--only", seed]:
            World(int(seed)).run()
        case [seeds]:
            sys.exit(main(int(seeds)))
        case _:
            sys.exit(__doc__)
