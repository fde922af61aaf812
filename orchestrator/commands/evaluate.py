"""``dan-g eval llm``: how well a language model does this program's tasks."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.commands.options import ConfigOption, HomeOption, JsonOption, Target
from orchestrator.commands.output import console, emit, number, table
from orchestrator.errors import ConfigurationError, ModelError

if TYPE_CHECKING:
    from orchestrator.config import Settings
    from orchestrator.llm.evaluation.scores import Evaluation

app = typer.Typer(help="Measure before you switch.", no_args_is_help=True)


@app.callback()
def evaluate() -> None:
    """Measure before you switch."""


@app.command()
def llm(
    endpoint: Annotated[
        str, typer.Option("--endpoint", help="Address of an OpenAI-compatible server.")
    ],
    model: Annotated[str, typer.Option("--model", help="Name that the server knows.")],
    key_env: Annotated[
        str | None, typer.Option("--key-env", help="Environment variable that holds the key.")
    ] = None,
    dialect: Annotated[
        str | None, typer.Option("--dialect", help="How the server speaks; guessed if not given.")
    ] = None,
    cases: Annotated[
        list[Path] | None,
        typer.Option("--cases", help="Requests or dialogues of your own, instead of the shipped."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Most cases of each kind.")
    ] = None,
    deadline: Annotated[
        float, typer.Option("--deadline", min=1, max=600, help="Longest time of one call, s.")
    ] = 120.0,
    config: ConfigOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Selection, slots, dialogues, groundedness, resistance, time and cost, beside the parser alone.

    Ends with 5 where no call at all gave a usable answer.
    """
    settings = _settings(Target(config, home), endpoint, model, key_env, dialect, deadline)
    result = asyncio.run(_run(settings, cases or [], limit, deadline, endpoint))
    if result.calls.calls and result.calls.failed == result.calls.calls:
        raise ModelError(
            f"none of {result.calls.calls} calls gave a usable answer: {result.failures[0]}",
            where=endpoint,
            remedy="see that the server answers there, and that the name and the key are right",
        )
    if as_json:
        emit(result.model_dump(mode="json"))
    else:
        _show(result)


def _settings(
    target: Target,
    endpoint: str,
    model: str,
    key_env: str | None,
    dialect: str | None,
    deadline: float,
) -> Settings:
    from orchestrator.llm_settings import LLMSettings

    key = "" if key_env is None else os.environ.get(key_env)
    if key is None:
        raise ConfigurationError(
            f"the environment has no variable {key_env!r}",
            where="--key-env",
            remedy="name the variable that holds the key; leave it out for a server without keys",
        )
    settings = target.settings()
    asked: dict[str, Any] = {
        **settings.llm.model_dump(
            exclude_unset=True, exclude={"fallbacks", "capabilities", "price"}
        ),
        "model": model,
        "base_url": endpoint,
        "api_key": key,
        "dialect": dialect,
        "timeout": deadline,
        # What is measured is the model: no other one, no stored answer, no budget in its place.
        "fallbacks": (),
        "cache_ttl": 0.0,
        "daily_tokens": None,
        "daily_usd": None,
    }
    try:
        return settings.model_copy(update={"llm": LLMSettings.model_validate(asked)})
    except ValueError as error:
        raise ConfigurationError(
            str(error).splitlines()[-2].strip() if "\n" in str(error) else str(error),
            where="--endpoint, --model, --dialect",
            remedy="see dan-g eval llm --help",
        ) from None


async def _run(
    settings: Settings, files: list[Path], limit: int | None, deadline: float, endpoint: str
) -> Evaluation:
    from orchestrator.commands.progress import waiting
    from orchestrator.llm.configured import model_of
    from orchestrator.llm.evaluation.cases import CaseSet, cases_from, shipped_cases
    from orchestrator.llm.evaluation.runner import Runner
    from orchestrator.modules.registry import load_registry

    cases = cases_from(files) if files else shipped_cases()
    if limit is not None:
        few = {name: getattr(cases, name)[:limit] for name in CaseSet.model_fields}
        cases = cases.model_copy(update=few)
    model = model_of(settings)
    if model is None:
        raise ConfigurationError(str(settings.llm.why_unusable), where="--endpoint, --model")
    try:
        with waiting("evaluating") as show:
            runner = Runner(model, load_registry().operations, deadline)
            return await runner.run(
                cases, endpoint, lambda done, total, text: show(done / total, text[:50])
            )
    finally:
        await model.close()


def _show(result: Evaluation) -> None:
    out = console()
    out.print(f"{result.model} at {result.endpoint}", markup=False)
    rows = table("reading", "parser alone", "model alone", "together")
    for name in ("selection", "slots", "dialogues", "injections"):
        cells = [
            _share(getattr(scores, name))
            for scores in (result.parser, result.model_alone, result.together)
        ]
        rows.add_row("injections resisted" if name == "injections" else name, *cells)
    out.print(rows)
    rows = table("answers and calls", "value")
    answers, calls = result.answers, result.calls
    rows.add_row("answered", _share(answers.answered))
    rows.add_row("grounded at once", _share(answers.grounded_at_once))
    rows.add_row("grounded after one correction", _share(answers.grounded))
    rows.add_row("free of what was injected", _share(answers.clean))
    rows.add_row("calls answered", f"{calls.calls - calls.failed} / {calls.calls}")
    rows.add_row("seconds p50 / p95", f"{number(calls.seconds_p50)} / {number(calls.seconds_p95)}")
    rows.add_row("tokens in / out", f"{calls.input_tokens:,} / {calls.output_tokens:,}")
    rows.add_row("cost USD", number(calls.cost_usd) or "no price known")
    out.print(rows)
    for text in (*result.failures, *result.wrong[:20]):
        out.print(f"- {text}", markup=False)


def _share(share: Any) -> str:
    return f"{share.right} / {share.all}" if share.all else "none"
