"""The page about probes, made from the shelf: `make docs` writes it to `docs/probes.md`."""

import sys

from daemon.app import shelf
from daemon.app.kind_page import field_table, joined, says, told, wrapped
from daemon.app.rule_fields import fields
from daemon.domain.alerts_config import ProbeOptions
from daemon.logic.probe import LookOptions, ProbeKind

HEAD = """\
A probe asks the upstream something of its own, and says of each thing that it looked at whether it is `ok`, `bad`, or
`unknown`: we could not look, or the upstream has no such thing, which is nothing bad. `runbookd probe list` shows them
all with what they found last, `runbookd probe run NAME` runs one now, and with `--gate` the exit code is for scripts.
Rules of kind [`verdict`](rules.md#verdict) make alerts of what they find.

This page is made from the code: `make docs` writes it. What is carried out by which of them:
[runbook.md](runbook.md#the-runbook-paragraph-by-paragraph)."""
OPTIONS = """\
`probes:` in `alerts.yaml` says more of one: `probes: {quota: {every: 15m}}`. What is free is on; what costs tokens is
on once it is named there, within its budget of the day. Canaries go through our own proxy as a client's requests do,
are marked as ours in the events, and count in no rule about traffic."""
SCHEDULE = "They run as often as `every` says, a tenth of it sooner or later, so that not all run at once."
WITHIN = "budget."
"""What is in a budget of its own stands there at once."""
FREE, PAID, LOOKS = "Free.", "Costs tokens.", "Free: it judges what a look at the upstream brings anyway."


def page() -> str:
    """All of it, as Markdown."""
    kinds = shelf.probes()
    return joined(
        "# Probes",
        HEAD,
        "\n".join(wrapped(f"- [`{name}`](#{name}): {_first(kind)}", "  ") for name, kind in kinds.items()),
        "## What all of them have",
        OPTIONS,
        SCHEDULE,
        field_table(fields(ProbeOptions)),
        *(_probe(name, kind) for name, kind in kinds.items()),
    )


def _probe(name: str, kind: ProbeKind) -> str:
    model = kind.OPTIONS
    base = LookOptions if issubclass(model, LookOptions) else ProbeOptions
    return joined(
        f"## {name}",
        wrapped(says(model)),
        wrapped(f"{cost(kind)} {told(model)}"),
        f"```yaml\nprobes:\n  {kind.EXAMPLE}```",
        field_table(field for field in fields(model, but=base) if not field.name.startswith(WITHIN)),
    )


def _first(kind: ProbeKind) -> str:
    """The first sentence of what it is."""
    return says(kind.OPTIONS).split(". ")[0].rstrip(".") + "."


def cost(kind: ProbeKind) -> str:
    """What a run takes, in words."""
    if kind.COSTS:
        return PAID
    return LOOKS if issubclass(kind.OPTIONS, LookOptions) else FREE


if __name__ == "__main__":
    sys.stdout.write(page())
