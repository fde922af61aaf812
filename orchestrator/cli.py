"""The command ``dan-g``. It starts without importing a scientific library."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from orchestrator.commands import (
    alerts,
    configuration,
    decisions,
    doctor,
    invoke,
    plant,
    replay,
    sessions,
    summary,
)
from orchestrator.commands import chat as chatting
from orchestrator.commands import decide as deciding
from orchestrator.commands import documents as documenting
from orchestrator.commands import evaluate as evaluating
from orchestrator.commands import mcp as mcp_serving
from orchestrator.commands import model as refinery_model
from orchestrator.commands import models as modelling
from orchestrator.commands import monitor as monitoring
from orchestrator.commands import operator as operating
from orchestrator.commands import recommendations as recommending
from orchestrator.commands import service as serving
from orchestrator.commands import tags as tagging
from orchestrator.commands import twin as twinning
from orchestrator.commands.output import report
from orchestrator.errors import DanGError, InputError
from orchestrator.threads import use_one_for_linear_algebra

INTERRUPTED = 130
BROKEN_PIPE = 141
TRACEBACK_VARIABLE = "DAN_G_TRACEBACK"

app = typer.Typer(
    name="dan-g",
    help="DAN_G: the orchestrator of an autonomous process optimization system for a refinery.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        from orchestrator import __version__

        typer.echo(f"dan-g {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """DAN_G: the orchestrator of an autonomous process optimization system for a refinery."""


SERVING, ASKING, LOOKING, SETTING = "Run", "Ask and do", "Look", "Set up"

app.command(rich_help_panel=SERVING)(serving.run)
app.command(rich_help_panel=SERVING)(serving.serve)
app.command(rich_help_panel=SERVING)(replay.replay)
app.command(rich_help_panel=ASKING)(chatting.chat)
app.command(rich_help_panel=SERVING)(mcp_serving.mcp)
app.command(rich_help_panel=ASKING)(deciding.ask)
app.command(rich_help_panel=ASKING)(deciding.decide)
app.command(rich_help_panel=ASKING)(invoke.invoke)
app.command(rich_help_panel=LOOKING)(plant.status)
app.command(rich_help_panel=LOOKING)(summary.summary)
app.command(rich_help_panel=LOOKING)(monitoring.monitor)
app.add_typer(decisions.app, name="decisions", rich_help_panel=LOOKING)
app.add_typer(sessions.app, name="sessions", rich_help_panel=LOOKING)
app.add_typer(alerts.app, name="alerts", rich_help_panel=LOOKING)
app.add_typer(recommending.app, name="recommendations", rich_help_panel=LOOKING)
app.add_typer(operating.app, name="operator", rich_help_panel=LOOKING)
app.add_typer(documenting.app, name="documents", rich_help_panel=LOOKING)
app.add_typer(plant.mode_app, name="mode", rich_help_panel=LOOKING)
app.add_typer(configuration.app, name="config", rich_help_panel=SETTING)
app.add_typer(tagging.app, name="tags", rich_help_panel=SETTING)
app.add_typer(twinning.app, name="twin", rich_help_panel=SETTING)
app.add_typer(refinery_model.app, name="model", rich_help_panel=SETTING)
app.add_typer(modelling.app, name="models", rich_help_panel=SETTING)
app.add_typer(evaluating.app, name="eval", rich_help_panel=SETTING)
app.command(rich_help_panel=SETTING)(doctor.doctor)


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code.

    0 done, 2 usage or bad input, 3 not found, 4 refused by a gate, 5 operation failed,
    130 interrupted.
    """
    as_json = "--json" in arguments
    try:
        result = app(args=list(arguments), prog_name="dan-g", standalone_mode=False)
    except DanGError as error:
        return report(error, as_json=as_json)
    except typer.TyperException as error:
        return _usage(error, as_json=as_json)
    except (typer.Abort, KeyboardInterrupt):
        sys.stderr.write("interrupted\n")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has gone (head, less): nothing is left to say, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except Exception as error:
        if os.environ.get(TRACEBACK_VARIABLE):
            raise
        return _unforeseen(error, as_json=as_json)
    return result if isinstance(result, int) else 0


def _unforeseen(error: Exception, *, as_json: bool) -> int:
    said = DanGError(
        f"an error that nobody foresaw: {type(error).__name__}: {error}",
        where="dan-g",
        remedy=f"set {TRACEBACK_VARIABLE}=1 and run it again to see where it comes from",
    )
    return report(said, as_json=as_json)


def _usage(error: typer.TyperException, *, as_json: bool) -> int:
    code = int(getattr(error, "exit_code", 2))
    if code == 0:
        return 0
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "dan-g"
    said = InputError(error.format_message(), where=path, remedy=f"see {path} --help")
    return report(said, as_json=as_json)


def main() -> None:
    """Entry point of the console script."""
    use_one_for_linear_algebra()
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
