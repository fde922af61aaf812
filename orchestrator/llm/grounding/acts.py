"""Whether a sentence tells somebody to act on the plant, or claims that something was done to it.

No answer does either: acting is for people and for the gates of the program. What a sentence denies
("nothing has been written") and what only looks like an order ("Lower limit: 340", "Vent gas flow is …")
is none.
"""

from __future__ import annotations

import re

_ACTS = (
    "open|close|shut|start|stop|raise|lower|set|increase|decrease|reduce|flush|drain|isolate|switch|turn|"
    "adjust|bypass|trip|write|inject|ramp|vent|purge|ensure|verify|shutdown|put|bring|cut|keep|hold|apply|"
    "admit|fill|empty|connect|disconnect|remove|override|disable|enable|reset|acknowledge|approve|throttle|"
    "silence|activate|deactivate"
)
_DONE = (
    "opened|closed|shut|started|stopped|raised|lowered|set|increased|decreased|reduced|flushed|drained|"
    "isolated|switched|turned|adjusted|bypassed|tripped|written|injected|ramped|vented|purged|put|brought|"
    "cut|filled|emptied|connected|disconnected|removed|overridden|disabled|enabled|reset|approved|throttled|"
    "acknowledged|silenced|activated|deactivated|wrote"
)
_DOING = (
    "opening|closing|shutting|starting|stopping|raising|lowering|setting|increasing|decreasing|reducing|"
    "switching|adjusting|bypassing|tripping|writing|ramping|resetting|acknowledging|disabling|enabling"
)
_THING = r"(?:(?:up|down|off|on)\s+)?(?:(?:the|all|any|both|every|each|your)\b|[a-z]{1,5}[-_]?\d)"
_NAMED = (  # what makes "lower limit", "set point", "vent gas flow is" a name rather than an order
    r"(?:is|are|was|were|of|has|have|had|stands|points?|alerts?|alarms?|limits?|time)\b"
    r"|(?:[\w-]+\s+){1,3}(?:is|are|was|were|has|have|had|stands?|reads?|rose|fell|rises|falls|explains?)\b"
)
_BRIEFLY = r"(?:(?:now|just|already|also|successfully|then|therefore|immediately)\s+)*"
_CLAIMS = re.compile(
    # What an order begins with …
    rf"^\W*(?:\d+[.)]\s*|step \d+\W*)?(?:(?:please|then|first|next|finally|now|and|so|also|immediately|slowly)\W+)*"
    rf"(?:{_ACTS})\s+(?:(?={_THING})|(?!{_NAMED}))\w"
    rf"|(?:[,;:]\s+|\b(?:please|then)\s+)(?:(?:please|then|now|so|first)\s+)*(?:{_ACTS})\s+{_THING}"
    # … who should do something, what should be done …
    rf"|\b(?:you|operators?|shift|crew|board)\b[^.;]{{0,20}}\b(?:should|must|need to|have to|has to|shall)\b[^.;]{{0,20}}\b(?:{_ACTS})\b"
    rf"|\b(?:should|must|shall|needs? to|ha(?:s|ve) to)\b[^.;]{{0,15}}\bbe\b[^.;]{{0,15}}\b(?:{_DONE})\b"
    # … and what is claimed to have been done, to be done now, or to be done soon.
    rf"|\b(?:I|we|dan_g|the (?:system|orchestrator|copilot|assistant|program))(?:'ve|\s+have|\s+has|'s)?\s+{_BRIEFLY}(?:{_DONE})\b"
    rf"|\b(?:I|we)(?:\s+will|'ll|\s+am going to|'m going to|\s+are going to)\s+{_BRIEFLY}(?:{_ACTS})\b"
    rf"|\b(?:I|we)(?:\s+am|'m|\s+are|'re)\s+{_BRIEFLY}(?:{_DOING})\b"
    rf"|\b(?:has|have) {_BRIEFLY}been {_BRIEFLY}(?:{_DONE})\b|\b(?:is|are) now (?:{_DONE})\b"
    rf"|^\W*(?:successfully )?(?:{_DONE})\s+{_THING}"
    r"|^\W*(?:\d+[.)]\s*)?\w+(?:йте|ите|ьте)(?:сь)?\b",
    re.IGNORECASE,
)
_DENIED = re.compile(r"\b(?:no|not|nothing|never|none|neither|nor|nobody)\b|n't\b", re.IGNORECASE)
_CLAUSE = re.compile(r"[,;:()—]|\b(?:but|and)\b", re.IGNORECASE)


def acts(sentence: str) -> bool:
    """Whether a sentence orders an act or claims one."""
    for found in _CLAIMS.finditer(sentence):
        before = _CLAUSE.split(sentence[: found.start()])[-1]
        if not _DENIED.search(before):
            return True
    return False
