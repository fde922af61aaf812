"""Finds orders to write or approve, attempts to change the rules, and what somebody rules out.

Patterns read folded text. They stand beside the trained reader so that no sentence has to be learned
for these to hold.
"""

from __future__ import annotations

import re

ORDER = re.compile(
    r"^(?:please |now |and |then |also |so |yes,? |ok(?:ay)?,? |fine,? |can you |could you |would you |go ahead and |just |you may |"
    r"i want you to |immediately |quick(?:ly)? )*(?:"
    r"(?:open|close|shut|trip|start|stop|bypass|isolate|block|ramp|stroke|ferme[rz]?|ouvre[rz]?|arrete[rz]?|demarre[rz]?)\b(?! (?:the )?(?:\w+ )?balance).{0,40}"
    r"(?:\b[a-z]{1,4}-?\d{2,5}\b|\b\d{1,3}[a-z]{1,4}\d+\b|valve|pump|compressor|unit|furnace|heater|burner|vanne|pompe|steam|feed|fan|bypass)"
    r"|(?:set|write|put|move|change|turn|raise|lower|increase|reduce|decrease|drop|cut|bring|push|mets|regle)\b.{1,50}\b(?:to|by|a|at|up|down|de) (?:about )?-?\d+"
    r"(?!\d| ?-?(?:min|sec|hour|h\b|s\b))"
    r"|(?:write|send|push|download|apply|implement|execute|enact|activate|appl\w+)\b.{0,40}(?:plant|dcs|controller|set ?points?|moves?|recommend\w*|changes?|targets?|it|them|that|those|all)\b"
    r"|(?:put|switch|set)\b.{1,30}\b(?:in|to|into|on|en) (?:manual|auto\w*|cascade|manuel)\b"
    r"|(?:approve|accept|confirm|reject|authori[sz]e|sign off|approuve[rz]?|valide la recommandation)\b"
    r")"
)
ORDER_INSIDE = re.compile(
    r"\b(?:write (?:it|them|that|\d\S*) (?:to|into) (?:the )?(?:plant|dcs|controller|\w*\d\w*)|"
    r"approve (?:it|them|the|all|my|that|every\w*|pending)|apply (?:it|them|the moves|the recommendation)|"
    r"(?:skip|bypass|override|ignore|disable|remove|turn off|switch off) (?:the |all |any )?(?:\w+ )?(?:gates?|approvals?|operator|interlocks?|limits|safet\w+|guardrails?))"
)
INJECTION = re.compile(
    r"\b(?:(?:forget|ignore|disregard|override|bypass) (?:all |your |the |any |my |previous |prior |these |earlier |every )*"
    r"(?:instructions?|rules?|prompt|guidelines|restrictions|safety|gates?|limits)|system prompt|developer mode|jailbreak|"
    r"you are now|act as|pretend (?:to be|you)|reveal (?:your|the)|no restrictions|oublie (?:tes|les) (?:instructions|regles)|"
    r"(?:all )?gates? (?:are )?off|(?:delete|erase|wipe|drop|purge) (?:the |all )?(?:audit|logs?\b|database|tables?|historian|backups?)|"
    r"admin(?:istrator)? (?:rights|access|mode|privileges)|root access|api keys?|password)"
)
WHAT_THEN = re.compile(
    r"\bwhat\b|\?|\bthen\b|\beffect|\bresult|\bconsequence|\bhappen|\bwould\b|\bwas\b|\bque\b|\bqu'|会|ماذا|что"
)
_STATED = r"(?! (?:trust|believe|get|understand|know|see|agree|match|like|close|add|work|move|wait|forget|have|think|care))"
NEGATION = re.compile(
    rf"^(?:please |and |but |so |ok,? |then |just |yes,? |no,? |hm+,? )*(?:(?:don't|do not|dont|never){_STATED}|no need (?:to|for|of)|not to|"
    rf"i (?:do not|don't|dont) (?:want|need)(?: you to)?|i (?:do not|don't|dont) care (?:about|for|what|how)\b|i(?:'m| am) not (?:asking|looking) (?:for|to)|not (?:asking )?for|not\b(?! sure|the same| yet)|"
    r"no\b(?! lab|t\b| sample| idea| analy[sz]er| chromatograph| gc\b| result| measure| reading|\.|,|$)|skip|without(?! waiting| the lab| a lab| lab| sampl)|leave (?:out|aside)|forget (?:about )?|never mind|instead of|rather than|"
    r"ne\b|n'|pas (?:de|d')|sans|ohne|kein\w*|nicht|sin|sem|senza|non\b(?=\s\w+r)|geen|zonder|niet|без|не(?: надо| нужно)?|لا|بدون)\b ?"
    r"|^(?:不要|不用|别|无需)"
)
NEGATED_INSIDE = re.compile(
    r"\b(?:instead of|rather than|(?:but|and) (?:not|nothing (?:on|about|of))|nothing (?:on|about|of)|except|leav(?:e|ing) out|not|no|without|minus the)\s+(?:the |an? |any |our |your )*"
    r"(?:optimi[sz]\w*|forecast\w*|predict\w*|plan\w*|blend\w*|clean\w*|validat\w*|reconcil\w*|load\w*|simulat\w*|set ?points?|prices?|market\w*|"
    r"cracks?|stocks?|demand|explan\w*|explain\w*)\b[^,.;?!:]*"
    r"|\b(?:leave|keep|take) (?:the |any |all )?(?:forecasts?|predictions?|plans?|prices?|market|cracks?|stocks?|demand|explanations?) out\b"
)
OWN_DOINGS = re.compile(
    r"\b(?:why|how come|when|what|which \w+|how many \w+) (?:did|have|has|had|were|was)(?:n't| not)? (?:you|the system|the orchestrator|nothing|no plan)\b"
    r".{0,25}\b(?:run|ran|do|done|doing|decid\w*|recommend\w*|start\w*|refus\w*|skip\w*|propos\w*|optimi[sz]\w*|chose\w*|select\w*|trigger\w*)\b"
    r"|\bhow come you (?:ran|started|skipped|refused|recommended|chose|did)\b|\bwho (?:approved|rejected|signed off|confirmed)\b"
)
"""Words about what the system itself did."""
MISNAMED = re.compile(
    r"\b(?:i|you) (?:said|wrote|typed|asked for|put|gave me|showed me|told me) (?P<wrong>[^,.;?!]{2,30}?)(?:,| but|, but| when i| where i)? (?:i |really |actually )*(?:mean|meant|wanted)\b"
)
"""Words that take back what was said before: ``I wrote prices but meant cracks``."""
CONSTRAINED = re.compile(
    r"^(?:and |but |ok,? |please )*(?:without|but not) (?:touching|moving|changing|using|adjusting|altering)\b(?! anything| everything)"
)
"""Words that narrow what the turn before wanted, and rule none of it out."""
NOTHING_ELSE = re.compile(r"\b(?:run|do|start|touch) nothing (?:else|more)\b")
REFUSED_AFTER = re.compile(r"^(.{2,30}) (?:no|nein|non|hayir|not)$")
ALL_MOVES = re.compile(r"optimi|touch|mov|chang|recommend|tweak|adjust")


GO_AHEAD = re.compile(
    r"^(?:ok(?:ay)?,? |yes,? |please |then |so |and |good,? |fine,? |well,? )*(?:just )?(?:do|make|carry|go|let's|put|run with)\b (?:it|that|so|this|them|ahead|for it|do it)(?: out| then| now| please| so)*[ .!]*$"
)


def overstep_of(clause: str) -> str | None:
    """``injection`` or ``order`` where a clause is plainly one."""
    if INJECTION.search(clause):
        return "injection"
    return "order" if ORDER.match(clause) or ORDER_INSIDE.search(clause) else None
