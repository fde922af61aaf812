"""Plain answers from the results of ``etl``."""

from __future__ import annotations

from typing import Any

from orchestrator.llm.answers.draft import Draft, clock, joined, number

MOST = 3


def validate(draft: Draft, result: dict[str, Any]) -> None:
    """The worst tags with what is wrong, and the balances."""
    draft.cite("plant data", "data quality", 100 * result["score"], "%", time=result["time"]["end"])
    draft.cite("plant data", "rows", result["time"]["rows"])
    worst = [tag for tag in result["tags"] if tag["reasons"]]
    for tag in worst[:MOST]:
        draft.list("tag", tag["tag"])
        draft.say(
            f"{tag['tag']}: {number(100 * tag['score'], '%')}; "
            f"{'; '.join(reason['text'] for reason in tag['reasons'][:2])}."
        )
        draft.cite(tag["tag"], "data quality", 100 * tag["score"], "%")
        for reason in tag["reasons"]:
            draft.cite(
                tag["tag"], f"samples {reason['kind']}", reason["count"], time=reason["first"]
            )
    if len(worst) > MOST:
        draft.say(f"{len(worst)} of {len(result['tags'])} tags have a fault.")
    elif not worst:
        draft.say("No tag has a fault.")
    for balance in result["balances"]:
        draft.cite(balance["name"], "mean error of the balance", balance["mean_error_pct"], "%")
    for fault in result["schema_faults"][:MOST]:
        draft.notes.append(fault["text"])


def clean(draft: Draft, result: dict[str, Any]) -> None:
    """What was replaced and filled, and what was not."""
    for tag in result["tags"][:10]:
        for name in ("spikes", "filled", "still_missing"):
            draft.cite(tag["tag"], name.replace("_", " "), tag[name])
    changed = [tag for tag in result["tags"] if tag["spikes"] or tag["filled"]]
    for tag in sorted(changed, key=lambda tag: -tag["spikes"] - tag["filled"])[:MOST]:
        draft.list("tag", tag["tag"])
        draft.say(f"{tag['tag']}: {tag['spikes']} spikes replaced, {tag['filled']} values filled.")


def ingest(draft: Draft, result: dict[str, Any]) -> None:
    """How much was taken, and what was left out."""
    draft.say(
        f"{result['rows_kept']} of {result['rows_read']} rows were kept, "
        f"{clock(result['start'])} to {clock(result['end'])}."
    )
    draft.cite("rows", "read", result["rows_read"])
    draft.cite("rows", "kept", result["rows_kept"], time=result["end"])
    if result["left_out"]:
        told = joined((f"{item['column']} ({item['why']})" for item in result["left_out"]), MOST)
        draft.notes.append(f"left out: {told}")
    for item in result["rejected"][:MOST]:
        draft.notes.append(f"{item['count']} values rejected: {item['reason']}")


def reconcile(draft: Draft, result: dict[str, Any]) -> None:
    """Which meter or leak is to blame, and what is lost."""
    for error in result["gross_errors"][:MOST]:
        draft.list("tag", error["id"])
        alike = f" (as well {joined(error['same_as'])})" if error["same_as"] else ""
        draft.say(
            f"Suspected {error['kind']} at {error['id']}{alike}: {number(error['size'])}, "
            f"confidence {number(100 * error['confidence'], '%')}."
        )
        draft.cite(error["id"], f"size of the {error['kind']}", error["size"])
        draft.cite(error["id"], "confidence", 100 * error["confidence"], "%")
    for balance in result["balances"]:
        draft.cite(balance["name"], "in", balance["input"])
        draft.cite(balance["name"], "out", balance["output"])
        draft.cite(balance["name"], "not closed", balance["imbalance_pct"], "%")
    loss = result["loss"]
    if loss is not None and loss["significant"]:
        money = f", {number(loss['usd'], 'USD')}" if loss["usd"] is not None else ""
        draft.say(
            f"Unaccounted loss {number(loss['rate'], loss['unit'])} over "
            f"{number(loss['hours'], 'h')}{money}."
        )
    elif loss is not None:
        draft.say("No loss beyond what the meters' accuracy allows.")
    if loss is not None:
        draft.cite("unaccounted loss", "rate", loss["rate"], loss["unit"])
        draft.cite("unaccounted loss", "hours", loss["hours"], "h")
        draft.cite("unaccounted loss", "worth", loss["usd"], "USD")
    test = result["global_test"]
    draft.cite("balances", "test of all meters together", test["statistic"])
    draft.cite("balances", "limit of the test", test["critical"])
