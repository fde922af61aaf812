"""What is done about an answer that does not hold: tell the model once, then take out what has no evidence."""

from __future__ import annotations

from orchestrator.llm.grounding.report import Report

MOST_TOLD = 12


def complaint(report: Report) -> str:
    """What is wrong, as the model is told it."""
    lines = [
        f'- "{problem.text}": {problem.why}.'
        for problem in list(dict.fromkeys(report.problems))[:MOST_TOLD]
    ]
    return (
        "These places do not agree with the evidence:\n"
        + "\n".join(lines)
        + "\nWrite the answer again. Use only numbers that the evidence gives, with their units and signs; "
        "where you compute a difference, a ratio or a percentage, name both numbers. Leave out what you "
        "cannot support."
    )


def mended(report: Report) -> str:
    """The answer without the sentences that do not hold, and a last line that says so."""
    if report.sound:
        return report.answer
    bad = {problem.sentence for problem in report.problems}
    kept: list[str] = []
    last_end = 0
    for number, (begin, end) in enumerate(report.sentences):
        if number not in bad:
            kept.append(report.answer[last_end:begin] if kept else "")
            kept.append(report.answer[begin:end])
        last_end = end
    text = "".join(kept).strip()
    # In words, so that the note claims no number of its own.
    note = (
        "(One statement that no evidence supports was taken out.)"
        if len(bad) == 1
        else "(Some statements that no evidence supports were taken out.)"
    )
    return f"{text}\n\n{note}" if text else note
