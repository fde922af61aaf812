"""The safety agent: looks at proposed moves before anyone is asked, and again before each step.

:func:`check` is pure: the same proposal and facts give the same verdict. It only says what it sees; what
keeps the plant safe is that :class:`orchestrator.plant.writer.Writer` looks again at the instant of the
write. There is no language model here, and no text is read, so that none can talk its way through.
"""

from __future__ import annotations

from orchestrator.modules.optimization.safety.check import check, issue_permit
from orchestrator.modules.optimization.safety.proposal import (
    Approval,
    Proposal,
    Step,
    digest_of,
    ramp,
)
from orchestrator.modules.optimization.safety.rehearsal import (
    Crossing,
    Rehearsal,
    Rehearse,
    SteadyRehearsal,
)
from orchestrator.modules.optimization.safety.verdict import Verdict

__all__ = [
    "Approval",
    "Crossing",
    "Proposal",
    "Rehearsal",
    "Rehearse",
    "SteadyRehearsal",
    "Step",
    "Verdict",
    "check",
    "digest_of",
    "issue_permit",
    "ramp",
]
