"""Alerts files with mistakes: every line that is said, and that nothing a file holds makes the loader fall over."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.adapters.config.alerts_file import load
from daemon.adapters.config.packaged import packaged
from daemon.domain.errors import ConfigError
from tests.adapters.config.conftest import SHELVES, Load

BAD = Path(__file__).parents[2] / "fixtures" / "alerts" / "bad.txt"


def bad() -> list[Any]:
    """`=== name`, the file, `>>>`, and what is said about it."""
    parts = (part.partition("\n") for part in BAD.read_text().split("=== ")[1:])
    cases = ((name, *rest.split(">>>\n")) for name, _, rest in parts)
    return [pytest.param(text, said.splitlines(), id=name) for name, text, said in cases]


@pytest.mark.parametrize(("text", "said"), bad())
def test_every_mistake_is_told_at_once_with_its_place(text: str, said: list[str], load_text: Load) -> None:
    with pytest.raises(ConfigError) as caught:
        load_text(text)
    assert str(caught.value).splitlines() == said


BILLION = "version: 1\na0: &a0 [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)
)
DEEP = "".join(f"a{n}: &a{n} {'[' * 15}{f'*a{n - 1}' if n else ''}{']' * 15}\n" for n in range(90))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "alerts.yaml: the file is empty"),
        ("version: 1\nrules:\n\t- alert: A\n", r"alerts.yaml:3:1: found character '\t' that cannot start any token"),
        ("# \x07\n", "alerts.yaml: character 0x7 is not allowed in YAML"),
        ("#" * (1 << 20) + "\n", "alerts.yaml: the file is longer than 1048576 characters"),
        ("a: " + "[" * 30 + "]" * 30, "alerts.yaml:1:24: it is nested deeper than 20 levels"),
        ("a: " + "[" * 100_000, "alerts.yaml:1:24: it is nested deeper than 20 levels"),
        ("a: [" + "1," * 20_000 + "]", "alerts.yaml:1:40001: there are more than 20000 values"),
        ("a: &a b\nc: [" + "*a," * 101 + "]", "alerts.yaml:2:305: there are more than 100 aliases"),
        (BILLION, "alerts.yaml:6:14: there are more than 20000 values"),
        (DEEP, "alerts.yaml:2:24: it is nested deeper than 20 levels"),
        ("{a: &x [*x]}", "alerts.yaml:1:9: a[0]: there is no anchor 'x' above"),
        ("? [a, b]\n: c\n", "alerts.yaml:1:3: a key must be text"),
        ('"a\\nb\\e[31m": 1\n', "alerts.yaml:1:1: a\ufffdb\ufffd[31m: is not known here"),
    ],
    ids=range(13),
)
def test_what_is_too_much_or_no_yaml_is_one_line(text: str, said: str, load_text: Load) -> None:
    with pytest.raises(ConfigError) as caught:
        load_text(text)
    assert said in str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"\xff\xfe", "is not UTF-8"), (None, "cannot be read: No such file or directory")],
)
def test_a_file_that_cannot_be_read_is_one_line(content: bytes | None, said: str, tmp_path: Path) -> None:
    path = tmp_path / "alerts.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=f"^{path}: {said}$"):
        load(path, SHELVES)


def test_no_url_is_ever_shown(load_text: Load) -> None:
    receivers = (
        "receivers: 'json://hunter2'\n",
        "receivers: ['json://hunter2']\n",
        "receivers: [{name: operators, urls: 'json://hunter2', send_resolved: 'json://hunter2'}]\n",
        "receivers: [{name: operators, urls: [{'json': hunter2}, [hunter2], hunter2]}]\n",
    )
    for text in receivers:
        with pytest.raises(ConfigError) as caught:
            load_text(text)
        assert "hunter2" not in str(caught.value)


# ---- anything at all -------------------------------------------------------------------------------------------------

WORDS = str.split(
    "version extends defaults receivers route fallbacks mode providers selections rules mitigations alert kind enabled "
    "of by for labels summary levels warning critical above clear_below mitigate bad window min_samples name urls "
    "group_by match provider_key from to set verify release hold outcome fault ratio runbook ratoi 10m 5% none failed "
    "fallback ProviderRateLimited quota-fallback next-credential model_alias upstream_toggle secret:x json://h {value} "
    "{x {x!r} {} present absent 4xx"
)
scalars = st.one_of(st.sampled_from(WORDS), st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8))
keys = st.one_of(st.sampled_from(WORDS), st.text(max_size=5))
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=6)),
    max_leaves=20,
)
FIELDS = str.split("alert kind enabled of by for labels summary levels bad window min_samples")
SECTIONS = str.split("version defaults receivers route fallbacks mode providers selections mitigations")
rules = st.lists(st.one_of(st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, values)), values), max_size=3)
files = st.fixed_dictionaries(
    {}, optional={**dict.fromkeys(SECTIONS, values), "rules": rules, "extends": st.just("runbook")}
)
quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def loads_or_says_why(text: str, path: Path) -> None:
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with suppress(ConfigError):
        load(path, SHELVES, secrets=lambda reference: ())


@quick
@given(content=st.one_of(files, values))
def test_any_content_loads_or_is_a_config_error(content: Any, tmp_path: Path) -> None:
    loads_or_says_why(yaml.safe_dump(content, allow_unicode=True), tmp_path / "alerts.yaml")


@quick
@given(text=st.text(alphabet="ab:-[]{}&*!|>'\"\n ,#?%@\\xu0", max_size=60))
def test_any_text_loads_or_is_a_config_error(text: str, tmp_path: Path) -> None:
    loads_or_says_why(text, tmp_path / "alerts.yaml")


@quick
@given(cuts=st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 6), st.text(max_size=4)), min_size=1, max_size=4))
def test_the_shipped_file_with_slips_of_the_pen_loads_or_is_a_config_error(
    cuts: list[tuple[int, int, str]], tmp_path: Path
) -> None:
    text = packaged("alerts.yaml").read_text().partition("\nversion: 1\n")[2]
    for at, length, other in cuts:
        text = text[:at] + other + text[at + length :]
    loads_or_says_why(text, tmp_path / "alerts.yaml")
