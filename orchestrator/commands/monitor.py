"""``dan-g monitor TRAIN TEST``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.commands.options import ConfigOption, HomeOption, JsonOption, Target
from orchestrator.commands.output import console, emit, number, short_time, table
from orchestrator.errors import ParameterError

if TYPE_CHECKING:
    from orchestrator.monitoring.judgement import Judgement

LISTED = 40


def monitor(
    train: Annotated[Path, typer.Argument(help="Normal operation, CSV or Parquet.")],
    test: Annotated[Path, typer.Argument(help="The record to judge, CSV or Parquet.")],
    calibrate: Annotated[
        Path | None,
        typer.Option(
            "--calibrate",
            help="A second normal record to set the limits from; else held-out parts of TRAIN.",
        ),
    ] = None,
    false_alarm_rate: Annotated[
        float | None,
        typer.Option(
            "--false-alarm-rate", help="Share of normal rows that may be over a limit, 0 to 0.5."
        ),
    ] = None,
    tags: Annotated[
        Path | None, typer.Option("--tags", help="Plant file; else one is inferred from TRAIN.")
    ] = None,
    time_column: Annotated[
        str | None, typer.Option("--time-column", help="Else the first that parses as time.")
    ] = None,
    timezone: Annotated[
        str, typer.Option("--timezone", help="IANA zone of times that carry none.")
    ] = "UTC",
    config: ConfigOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Judge a record against normal operation, row by row: T², SPE, alarms, and what is behind them."""
    if false_alarm_rate is not None and not 0 < false_alarm_rate < 0.5:
        raise ParameterError(
            f"a false-alarm rate lies between 0 and 0.5, got {false_alarm_rate:g}",
            where="--false-alarm-rate",
            remedy="give a share of rows, such as 0.01",
        )
    from orchestrator.api.logs import configure_logging
    from orchestrator.core.sources import configured_plant
    from orchestrator.monitoring.judgement import judge_files
    from orchestrator.plant.tags import load_plant

    settings = Target(config, home).settings()
    configure_logging(settings.logging.model_copy(update={"level": "error"}))
    if false_alarm_rate is not None:
        settings = settings.with_changes(monitoring={"false_alarm_rate": false_alarm_rate})
    judgement = judge_files(
        train.expanduser(),
        test.expanduser(),
        settings.monitoring,
        calibrate=calibrate.expanduser() if calibrate is not None else None,
        plant=load_plant(tags.expanduser()) if tags else configured_plant(settings),
        time_column=time_column,
        timezone=timezone,
    )
    if as_json:
        emit(judgement.document())
    else:
        _show(str(test), judgement)


def _show(name: str, judgement: Judgement) -> None:
    out = console()
    rows = len(judgement.times)
    out.print(
        f"{name}: {rows} rows, {short_time(judgement.times[0].isoformat())} to "
        f"{short_time(judgement.times[-1].isoformat())}; {int(judgement.alarm.sum())} over a limit "
        f"({judgement.alarm.mean():.1%}); limits T² {judgement.t2_limit:.4g}, SPE "
        f"{judgement.spe_limit:.4g}",
        markup=False,
    )
    for warning in judgement.warnings:
        out.print(f"note: {warning}", markup=False)
    out.print(f"\n{len(judgement.alerts)} alerts", markup=False)
    if not judgement.alerts:
        return
    found = table("start", "end", "severity", "largest contributions", "diagnosis")
    for alert in judgement.alerts[:LISTED]:
        found.add_row(
            short_time(alert["start"]),
            short_time(alert["end"]) or "open",
            alert["severity"],
            ", ".join(f"{c['tag']} {number(c['share'])}" for c in alert["contributions"][:3]),
            alert["diagnosis"],
        )
    out.print(found)
    if len(judgement.alerts) > LISTED:
        out.print(f"… and {len(judgement.alerts) - LISTED} more; --json shows all", markup=False)
