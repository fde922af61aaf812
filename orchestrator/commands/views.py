"""Decisions, jobs, alerts and the status, as tables for people."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from orchestrator.commands.output import number, short_time, table


def show_decision(out: Console, decision: dict[str, Any]) -> None:
    """One decision: what runs, why, what else was considered."""
    mark = " (dry run)" if decision.get("dry_run") else ""
    out.print(f"Decision {decision['id']}{mark}", markup=False)
    calibrated = "" if decision.get("calibrated") else ", not calibrated yet"
    out.print(
        f"{short_time(decision['created_at'])}  by {decision['decided_by']}  "
        f"confidence {decision['confidence']:.2f}{calibrated}",
        markup=False,
    )
    out.print(decision["rationale"], markup=False)
    interpretation = decision.get("interpretation") or {}
    for name in ("clarify", "answer"):
        said = interpretation.get(name)
        if said and said not in decision["rationale"]:
            out.print(said, markup=False)
    if decision["actions"]:
        rows = table("runs", "priority", "after", "parameters")
        for action in decision["actions"]:
            name = f"{action['module']}.{action['operation']}"
            parameters = ", ".join(f"{k}={v}" for k, v in action["parameters"].items())
            rows.add_row(
                name + (" (deferred)" if action["deferred"] else ""),
                str(action["priority"]),
                ", ".join(action["depends_on"]),
                _clip(parameters, 200),
            )
        out.print(rows)
    for refused in decision.get("refused", ()):
        out.print(
            f"refused: {refused['operation']} by {refused['gate']}: {refused['reason']}",
            markup=False,
        )
    if decision["alternatives"]:
        rows = table("not run", "why not")
        for alternative in decision["alternatives"]:
            rows.add_row(alternative["operation"], alternative["why_not"])
        out.print(rows)


def show_decisions(out: Console, decisions: list[dict[str, Any]]) -> None:
    """A list of decisions, each with what called for what it runs; ``decisions show`` has the rest."""
    rows = table("decision", "runs", "because")
    for column, width in zip(rows.columns, (36, 24, 0), strict=True):
        column.no_wrap = True
        column.min_width = width or None
    rows.columns[2].overflow = "ellipsis"
    for decision in decisions:
        actions = [f"{a['module']}.{a['operation']}" for a in decision["actions"]]
        by = f"{decision['decided_by']} {decision['confidence']:.2f}"
        held = [t for t in decision["triggers"] if set(actions) & set(t["operations"])]
        rows.add_row(
            f"{short_time(decision['created_at'])} {by}\n{decision['id']}",
            "\n".join(actions) or "nothing",
            "\n".join(dict.fromkeys(t["because"] for t in held or decision["triggers"])),
        )
    out.print(rows if decisions else "no decisions")


def show_jobs(out: Console, jobs: list[dict[str, Any]]) -> None:
    """Jobs with what came of them."""
    if not jobs:
        return
    rows = table("operation", "status", "seconds", "result")
    for job in jobs:
        rows.add_row(
            f"{job['module']}.{job['operation']}",
            job["status"],
            number(job.get("seconds")),
            outcome_text(job),
        )
    out.print(rows)


def outcome_text(job: dict[str, Any]) -> str:
    """One line on what came of a job."""
    result, error = job.get("result") or {}, job.get("error") or {}
    return str(result.get("summary") or error.get("detail") or job.get("message") or "")


def show_alerts(out: Console, alerts: list[dict[str, Any]]) -> None:
    """A list of alerts."""
    rows = table("id", "from", "what", "state", "message")
    rows.columns[0].no_wrap = True
    for alert in alerts:
        state = alert["state"]
        if state == "shelved":
            state = f"shelved until {short_time(alert['shelved_until'])}: {alert['shelve_reason']}"
        rows.add_row(
            alert["id"],
            short_time(alert["start"])
            + (f" to {short_time(alert['end'])}" if alert["end"] else ""),
            f"{alert['severity']} {alert['kind']}",
            state.replace("_", " "),
            alert["message"],
        )
    out.print(rows if alerts else "no alerts")


def show_status(out: Console, status: dict[str, Any]) -> None:
    """How every part is."""
    plant = status["plant"]
    simulated = "SIMULATED plant" if plant["simulated"] else "plant:"
    out.print(
        f"DAN_G Orchestrator {status['version']}: {status['status']}\n"
        f"{simulated} {plant['name']}: mode {plant['mode'] or 'unknown'}"
        f"{' (set by the operator)' if plant['mode_set_by_operator'] else ''}, "
        f"{plant['tags']} tags, time {short_time(plant['time'])}",
        markup=False,
    )
    service = status.get("service") or {}
    if service.get("url"):
        out.print(f"service at {service['url']}, live loop: {service['loop']}", markup=False)
    else:
        out.print("no service runs on this home; start one with: dan-g serve", markup=False)
    operator = status["operator"]
    stopped = "; ALL WRITING IS STOPPED" if operator["stopped"] else ""
    out.print(f"operator agent: {operator['mode']}{stopped}", markup=False)
    rows = table("part", "state", "details")
    for name, part in status["parts"].items():
        if part is None:
            rows.add_row(name, "none", "")
            continue
        details = ", ".join(
            f"{key} {value}" for key, value in part.items() if key != "ok" and value is not None
        )
        rows.add_row(name, "ok" if part["ok"] else "PROBLEM", details)
    model = status["model"]
    rows.add_row("model", model["name"] if model["usable"] else "none", _model(model))
    out.print(rows)
    rows = table("module", "enabled", "in flight", "success", "p95 s", "operations")
    for name, module in status["modules"].items():
        rows.add_row(
            name,
            "yes" if module.get("enabled", True) else "no",
            str(module.get("in_flight", 0)),
            number(module.get("success_rate")),
            number(module.get("p95_seconds")),
            ", ".join(module["operations"]),
        )
    out.print(rows)


def _model(model: dict[str, Any]) -> str:
    """Why there is none; else each model's server and the use of today."""
    if model.get("note"):
        return str(model["note"])
    told = []
    for each in model.get("models", ()):
        why = f" ({each['why']})" if each["why"] else ""
        told.append(f"{each['model']} at {each['address']}, breaker {each['breaker']}{why}")
    today = model.get("today")
    if today is not None:
        money = f", {today['usd']:.4f} USD" if today["usd"] else ""
        told.append(f"today {today['tokens']} tokens{money}")
    return _clip("; ".join(told), 300)


def _clip(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
