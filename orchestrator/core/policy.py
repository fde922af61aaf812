"""The policy that decides: the shipped rules and gates, or those of the configuration."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from orchestrator.config import DecisionEngineSettings, GateSettings, TriggerRule
from orchestrator.errors import ConfigurationError
from orchestrator.yaml_files import read_yaml

SHIPPED_POLICY = Path(__file__).with_name("policy.yaml")


@dataclass(frozen=True)
class Policy:
    """Rules in the order in which they are read, and the thresholds of the gates."""

    triggers: tuple[TriggerRule, ...]
    gates: GateSettings
    where: str

    @property
    def version(self) -> str:
        """First 16 hexadecimal digits of the SHA-256 over the policy's canonical JSON."""
        document = {
            "triggers": [rule.model_dump(mode="json") for rule in self.triggers],
            "gates": self.gates.model_dump(mode="json"),
        }
        text = json.dumps(document, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@cache
def shipped_policy() -> Policy:
    """The rules and gates that come with the package."""
    document = read_yaml(SHIPPED_POLICY)
    return Policy(
        triggers=tuple(TriggerRule.model_validate(rule) for rule in document["triggers"]),
        gates=GateSettings.model_validate(document["gates"]),
        where=SHIPPED_POLICY.name,
    )


def policy_of(settings: DecisionEngineSettings) -> Policy:
    """The configured policy; the shipped rules where the configuration names none.

    Raises:
        ConfigurationError: two rules have one name.
    """
    if settings.triggers is None:
        return Policy(shipped_policy().triggers, settings.gates, shipped_policy().where)
    names = [rule.name for rule in settings.triggers]
    for name in names:
        if names.count(name) > 1:
            raise ConfigurationError(
                f"two rules are called {name!r}",
                where="decision_engine.triggers",
                remedy="give each rule a name of its own",
            )
    return Policy(settings.triggers, settings.gates, "decision_engine.triggers")
