"""The reading of requests on all wires: it never raises, however a body is cut, and what it finds is short."""

from tests.fuzz.inputs import BODIES, numbers, seed
from tests.logic.wires.answers import WIRES
from tests.logic.wires.test_every_wire import PATHS

SHAPE = "BH"
SEEDS = [seed(SHAPE, wire, len(body) * 2 // 3, rest=body) for body in BODIES for wire in range(len(WIRES))]


def check(data: bytes) -> None:
    (which, cut), body = numbers(data, SHAPE)
    wire = WIRES[which % len(WIRES)]
    path = PATHS[wire.WIRE]
    for given in (body, body[: cut % (len(body) + 1)]):
        facts = wire.read_request(path, given)
        assert len(repr(facts).encode()) < 5000
        target, changed = wire.with_model(path.encode(), given, "new")
        assert facts.model is None or wire.read_request(target.decode(), changed).model is not None
    wire.read_request(body.decode("latin-1"), b"{}")
    wire.with_model(body, b"{}", "new")
    wire.claims("POST", body.decode("latin-1"))
