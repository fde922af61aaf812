"""A plant file is whole, or is refused with all that is wrong in it."""

from pathlib import Path

import pytest

from orchestrator.errors import ConfigurationError
from orchestrator.plant.tags import load_plant

BROKEN = """
tags:
  - {name: A, unit: furlongz, kind: flow}
  - {name: B, unit: m**3/h, kind: flow}
kpis:
  energy_index: {expression: "A +"}
equipment:
  - {id: E-1, health: "B / C"}
market: {crude: "__import__('os')"}
"""


def test_every_fault_of_a_plant_file_is_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "plant.yaml"
    path.write_text(BROKEN, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load_plant(path)
    said = str(caught.value)
    for part in ("plant.yaml", "'furlongz'", "kpi energy_index", "E-1", "C", "market.crude"):
        assert part in said
