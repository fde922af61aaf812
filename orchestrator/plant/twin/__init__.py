"""A simulated crude distillation unit: the source of the demo, and ground truth for tests.

:class:`~orchestrator.plant.twin.source.TwinSource` hands out samples like any other source and is
marked as simulated wherever its values are shown; :class:`~orchestrator.plant.twin.stepping.Twin` is
stepped by set points.
"""

from pathlib import Path

FOLDER = Path(__file__).parent
SCENARIOS = FOLDER / "scenarios"
PLANT_FILE = FOLDER / "plant.yaml"
PLAN_FILE = FOLDER / "plan.yaml"
ASSAY_FILE = FOLDER / "assays.yaml"
PLANT_NAME = "simulated crude unit"
