"""The shipped rules, where examples in files cannot say it: each has its examples, and a few things besides.

That each rule fires on the trouble that it is made for, keeps quiet on what is near to it, and ends with it, is in
`tests/rules`.
"""

from pathlib import Path

import pytest
import yaml

from daemon.adapters.config.alerts_file import load
from daemon.adapters.config.built_in import own_rules
from daemon.adapters.config.packaged import packaged
from daemon.app.rule_testing import play, read
from daemon.app.shelf import scan
from daemon.domain.alert import Alert
from daemon.domain.alerts_config import AlertsConfig
from daemon.domain.expectation import Expectation
from daemon.domain.probe import ProbeOutcome, ProbeResult
from daemon.logic.judging import Book
from tests.logic.playing import Play

RULES = Path(__file__).parent / "rules"
SHELVES = scan()
OFF = ["AmpBypass"]


def shipped() -> AlertsConfig:
    """As the app loads it."""
    return load(packaged("alerts.yaml"), SHELVES).config


def expected(path: Path) -> list[Expectation]:
    return [wanted for case in read(path, SHELVES).cases for wanted in case.expect]


def of_trouble(name: str) -> list[Alert]:
    """The rows of the alerts of the first example of a file."""
    file = read(RULES / f"{name}.yaml", SHELVES)
    return list(play(file, file.cases[0]).transitions)


def test_every_shipped_rule_has_an_example_that_fires_and_one_that_stays_quiet() -> None:
    names = [rule["alert"] for rule in yaml.safe_load(packaged("alerts.yaml").read_text())["rules"]]
    wanted = [one for path in RULES.glob("*.yaml") for one in expected(path)]
    fires = {one.alert for one in wanted if one.state == "firing"}
    ends = {one.alert for one in wanted if one.state == "resolved"}
    quiet = {one.never for one in wanted}
    assert [name for name in names if not (name in fires and name in ends and name in quiet)] == []
    assert [rule.alert for rule in own_rules(shipped())] == [name for name in names if name not in OFF]


def test_an_upstream_that_nobody_could_look_at_is_not_down() -> None:
    day = Play(Book(shipped()))
    for _ in range(10):
        day.book.observe(ProbeResult(probe="health", outcome=ProbeOutcome.UNKNOWN, emitted_at=day.now))
        day.silence(60)
    assert (day.firing, day.errors) == (set(), [])


@pytest.mark.parametrize("name", ["provider-down", "auth-file-duplicates"])
def test_a_name_is_told_without_a_label_that_says_nothing(name: str) -> None:
    assert {row.labels for row in of_trouble(name)} == {()}
