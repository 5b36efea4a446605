"""The alerts file: read with places, laid over the shipped one, checked, handed on as types; every mistake at once."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from daemon.adapters.config.built_in import built_in, built_in_names
from daemon.adapters.config.loops import loop_mistakes
from daemon.adapters.config.merging import extend, with_defaults
from daemon.adapters.config.packaged import packaged
from daemon.adapters.config.receiving import LeadsHome, Secrets, receiver_mistakes
from daemon.adapters.config.references import YOURS, file_mistakes, release_mistakes, rule_mistakes
from daemon.adapters.config.selecting import sources_of
from daemon.adapters.config.validating import fields_of, validated
from daemon.adapters.config.wording import did_you_mean, nearest, quoted
from daemon.adapters.config.workloads import workload_mistakes
from daemon.adapters.config.yaml_tree import MOST_CHARACTERS, Node, read_tree
from daemon.domain.alerts_config import AlertsConfig, MitigationOptions, ProbeOptions, Rule
from daemon.domain.errors import ConfigError, Mistake
from daemon.domain.kinds import Kinds
from daemon.domain.sources import EVENTS

AMONG_EVENTS = frozenset({"of", "by"})
"""Rule fields that name fields of events, where the rule is about events."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A file without mistakes, and what it would be better to mend."""

    config: AlertsConfig
    warnings: tuple[Mistake, ...]
    off: tuple[str, ...] = ()
    """The names of rules that are switched off."""
    unsaid: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Mitigations that only an operator can say and that nobody has said: the rules that only tell without them."""


def load(
    path: Path,
    kinds: Kinds,
    *,
    secrets: Secrets | None = None,
    leads_home: LeadsHome | None = None,
) -> Loaded:
    """The alerts file at a path, with the kinds that there are. Raises `ConfigError` with every mistake.

    `secrets` tells which receivers will hear nothing; without it none is thought to be deaf. What leads
    to our own proxy is told of.
    """
    tree, mistakes = _read(path)
    beneath = built_in()
    if tree.child("extends").value is not None:
        beneath = extend(beneath, _read(packaged("alerts.yaml"))[0])
    tree = extend(beneath, tree)
    return _Check(tree, kinds, mistakes).loaded(secrets or _as_said, leads_home)


def without_a_file(rules: Mapping[str, type[Rule]]) -> AlertsConfig:
    """The built-in rules alone: what is wrong with a file can be told before any was loaded."""
    return _Check(built_in(), Kinds(rules=rules), []).loaded(_as_said).config


def _as_said(reference: str, plain: bool = False) -> tuple[str, ...]:
    return (reference,)


def _to_nobody(url: str) -> bool:
    return False


def _read(path: Path) -> tuple[Node, list[Mistake]]:
    try:
        with path.open("rb") as file:
            text = file.read(4 * MOST_CHARACTERS).decode("utf-8-sig")
    except OSError as error:
        raise ConfigError([Mistake(source=str(path), message=f"cannot be read: {error.strerror}")]) from None
    except UnicodeDecodeError:
        raise ConfigError([Mistake(source=str(path), message="is not UTF-8")]) from None
    tree, mistakes = read_tree(text, str(path))
    if not isinstance(tree.value, dict):
        raise ConfigError([*mistakes, tree.mistake("should be a map that begins with version: 1")])
    # A section whose lines are all commented out is as good as absent.
    return replace(tree, value={key: node for key, node in tree.map.items() if node.value is not None}), mistakes


@dataclass(slots=True)
class _Check:
    """One pass over the merged tree."""

    tree: Node
    kinds: Kinds
    found: list[Mistake] = field(default_factory=list)

    def loaded(self, secrets: Secrets, leads_home: LeadsHome | None = None) -> Loaded:
        config = self._head()
        rules = self._all_rules()
        mitigations = {name: self._mitigation(node) for name, node in self.tree.child("mitigations").map.items()}
        probes = {name: self._probe(name, node) for name, node in self.tree.child("probes").map.items()}
        self.found += [
            *file_mistakes(self.tree, self.kinds.rules),
            *release_mistakes(self.tree, self.kinds.probes),
            *receiver_mistakes(self.tree, secrets, leads_home or _to_nobody),
            *loop_mistakes(self.tree),
            *workload_mistakes(self.tree),
        ]
        told = sorted(dict.fromkeys(self.found), key=lambda one: (one.source, one.line or 0, one.column or 0))
        if config is None or not all(one.warning for one in told):
            raise ConfigError([one for one in told if not one.warning])
        whole = config.model_copy(update={"rules": tuple(rules), "mitigations": mitigations, "probes": probes})
        return Loaded(config=_without_unsaid(whole), warnings=tuple(told), off=self._off(), unsaid=_unsaid(whole))

    def _head(self) -> AlertsConfig | None:
        """Rules, mitigations and probes are left in only where they are not even a list or a map."""
        rest = dict(self.tree.map)
        if isinstance(self.tree.child("rules").value, list):
            del rest["rules"]
        for section in ("mitigations", "probes"):
            if isinstance(self.tree.child(section).value, dict):
                del rest[section]
        return validated(AlertsConfig, replace(self.tree, value=rest), self.found)

    def _all_rules(self) -> list[Rule]:
        self._defaults()
        names: dict[str, Node] = {}
        rules: list[Rule] = []
        for node in self.tree.child("rules").list:
            name = node.child("alert")
            if name.text is not None and names.setdefault(name.text, name) is not name:
                self.found.append(name.mistake(f"{quoted(name.text)} is the name of {names[name.text].path[:-6]} too"))
            rule = self._rule(node)
            if rule is not None and rule.enabled:
                rules.append(rule)
        return rules

    def _off(self) -> tuple[str, ...]:
        rules = self.tree.child("rules").list
        return tuple(node.child("alert").text or "" for node in rules if node.child("enabled").value is False)

    def _rule(self, node: Node) -> Rule | None:
        if isinstance(node.value, dict) and "kind" not in node.map and node.child("enabled").value is False:
            self.found.append(node.mistake(f"there is no such rule to switch off{self._meant(node)}", warning=True))
            return None
        kind = self._kind(node, self.kinds.rules, "rule kind")
        if kind is None:
            return None
        model = self.kinds.rules[kind]
        full = with_defaults(_of_kind(node, kind), self.tree.child("defaults"), self._defaulted(node, model))
        self.found += rule_mistakes(full, model, self.tree)
        return validated(model, full, self.found)

    @staticmethod
    def _defaulted(node: Node, model: type[Rule]) -> Collection[str]:
        """What `defaults:` may say of it: what selects among events says nothing of readings, and none is about us."""
        if node.child("alert").text in built_in_names():
            return ()
        return fields_of(model).keys() - (() if sources_of(model) == (EVENTS,) else AMONG_EVENTS)

    def _mitigation(self, node: Node) -> MitigationOptions | None:
        kind = self._kind(node, self.kinds.mitigations, "mitigation kind")
        return None if kind is None else validated(self.kinds.mitigations[kind], _of_kind(node, kind), self.found)

    def _probe(self, name: str, node: Node) -> ProbeOptions | None:
        """Known by its name; a name alone is enough to switch it on."""
        kinds = self.kinds.probes
        if name not in kinds:
            self.found.append(node.mistake(f"{quoted(name)} is not a probe{did_you_mean(name, kinds, most=16)}"))
            return None
        return validated(kinds[name], node if node.value is not None else replace(node, value={}), self.found)

    def _kind(self, node: Node, kinds: Collection[str], what: str) -> str | None:
        """The kind to check against: for an unknown one the nearest, so that what is behind it is seen too."""
        kind = node.child("kind")
        if not isinstance(node.value, dict):
            self.found.append(node.mistake("should be a map"))
        elif "kind" not in node.map:
            message = f"is needed, one of: {', '.join(sorted(kinds))}{self._meant(node)}"
            self.found.append(node.mistake(message, below="kind"))
        elif kind.text not in kinds:
            word = str(kind.plain)
            self.found.append(kind.mistake(f"{quoted(word)} is not a {what}{did_you_mean(word, kinds, most=12)}"))
            return nearest(word, kinds)
        return kind.text

    def _meant(self, rule: Node) -> str:
        """A rule without a kind is meant to change one that has a kind."""
        names = {one.child("alert").text or "" for one in self.tree.child("rules").list if "kind" in one.map}
        near = nearest(rule.child("alert").text or "", names, alike=0.85)
        return f"; did you mean the rule '{near}'?" if near else ""

    def _defaults(self) -> None:
        known = {name for model in self.kinds.rules.values() for name in fields_of(model)} - {"alert", "kind"}
        for name, node in self.tree.child("defaults").map.items():
            if name not in known:
                self.found.append(node.mistake(f"is not a field of a rule{did_you_mean(name, known)}"))


def _of_kind(node: Node, kind: str) -> Node:
    """With the kind that it is checked as: what it says itself was judged already."""
    return replace(node, value={**node.map, "kind": replace(node.map["kind"], value=kind)})


def _unsaid(config: AlertsConfig) -> dict[str, tuple[str, ...]]:
    wanting = {
        name: tuple(rule.alert for rule in config.rules if any(name in one.mitigate for one in rule.levels.values()))
        for name in YOURS
        if name not in config.mitigations
    }
    return {name: alerts for name, alerts in wanting.items() if alerts}


def _without_unsaid(config: AlertsConfig) -> AlertsConfig:
    """Without what was told of: mitigations that nobody has said, and models that stand in for themselves."""

    def now(rule: Rule) -> Rule:
        levels = {
            severity: level.model_copy(update={"mitigate": _known(level.mitigate, config)})
            for severity, level in rule.levels.items()
        }
        return rule.model_copy(update={"levels": levels})

    fallbacks = {model: tuple(o for o in others if o != model) for model, others in config.fallbacks.items()}
    return config.model_copy(update={"rules": tuple(map(now, config.rules)), "fallbacks": fallbacks})


def _known(wanted: tuple[str, ...], config: AlertsConfig) -> tuple[str, ...]:
    return tuple(name for name in wanted if name not in YOURS or name in config.mitigations)
