"""The guard of paths, against any reader: where one comes to a local place, the path is denied."""

from daemon.logic.guarding import is_denied
from tests.fuzz.inputs import numbers, seed
from tests.logic.disguises import CORPUS
from tests.logic.path_readers import READERS, STEPS, leads_inside

SHAPE = "6B"
SEEDS = [seed(SHAPE, 0, 3, 255, 255, 255, 255, rest=target) for targets in CORPUS.values() for target in targets]


def check(data: bytes) -> None:
    steps, path = numbers(data, SHAPE)
    path = b"/" + path.removeprefix(b"/")
    reader = [STEPS[step] for step in steps if step < len(STEPS)]
    assert is_denied(path) or not any(leads_inside(path, one) for one in (reader, *READERS.values()))
