"""A person's file of incidents."""

from pathlib import Path

import pytest

from daemon.app.labelled import read_incidents
from daemon.domain.backtest import Incident
from daemon.domain.errors import ConfigError

FROM = 1_795_921_800_000
"""2026-11-29T03:10Z."""


def the_file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "incidents.yaml"
    path.write_text(text)
    return path


def test_incidents_have_a_time_and_perhaps_an_alert_and_labels(tmp_path: Path) -> None:
    path = the_file(
        tmp_path,
        "incidents:\n"
        "  - {from: 2026-11-29T03:10Z, to: 2026-11-29T04:10+01:00}\n"
        "  - {from: 2026-11-29 03:10, to: 2026-11-29 03:11, alert: A, provider_key: codex, stream: true}\n",
    )
    assert read_incidents(path) == (
        Incident(since=FROM, until=FROM),
        Incident(since=FROM, until=FROM + 60_000, alert="A", labels=(("provider_key", "codex"), ("stream", "true"))),
    )


@pytest.mark.parametrize(
    ("text", "complaints"),
    [
        ("incidents: []", ["incidents: should be a list of incidents"]),
        ("other: 1", ["incidents: should be a list"]),
        (
            "incidents:\n  - {to: soon}\n",
            ["incidents[0].from: should be an instant", "incidents[0].to: should be an instant"],
        ),
        (
            "incidents:\n  - {from: 2026-11-29T03:10Z, to: 2026-11-29T03:09Z}",
            ["incidents.yaml:2:31: incidents[0].to: is before `from`"],
        ),
        ("a: 1\na: 2\nincidents: []", ["a"]),
    ],
)
def test_every_mistake_is_told_with_its_place(tmp_path: Path, text: str, complaints: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        read_incidents(the_file(tmp_path, text))
    for complaint in complaints:
        assert complaint in str(caught.value)


def test_a_file_that_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_incidents(tmp_path / "no.yaml")
