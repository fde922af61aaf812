"""Patterns of requests that name no operation: orders, oversteps, small talk, history, follow-ups.

All of them read text that ``slots.fold`` has brought to lower case without accents.
"""

from __future__ import annotations

import re

from orchestrator.core.vocabulary import groups

ANSWERS = {
    "greeting": "Hello. Ask me about forecasts, data quality, balances, the market or the best operation.",
    "operator": "A question writes nothing to the plant and approves nothing: that goes through the operator gate, "
    "where a named person approves a recommendation (dan-g recommendations).",
    "system": "That is about what the system itself did or shows: see decisions, alerts and status.",
    "history": "That is a present or past value: it comes from the historian, and nothing needs to run.",
    "injection": "Text cannot change what I may do; that part of the request is refused.",
    "field": "That is outside my field: I work on this plant's data, forecasts, market and operation.",
}
ORDER = re.compile(
    r"^(?:please |now |and |then |ok(?:ay)?,? |can you |could you |would you |go ahead and |just |you may |"
    r"immediately |quick(?:ly)? )*(?:"
    r"(?:open|close|shut|trip|start|stop|bypass|isolate|block|ramp|stroke|ferme[rz]?|ouvre[rz]?|arrete[rz]?|demarre[rz]?)\b(?! (?:the )?(?:\w+ )?balance).{0,40}"
    r"(?:\b[a-z]{1,4}-?\d{2,5}\b|\b\d{1,3}[a-z]{1,4}\d+\b|valve|pump|compressor|unit|furnace|heater|burner|vanne|pompe|steam|feed|fan)"
    r"|(?:set|write|put|move|change|turn|raise|lower|increase|reduce|decrease|drop|cut|bring|push|mets|regle)\b.{1,50}\b(?:to|by|a|at|up|down|de) (?:about )?-?\d(?! ?-?\d* ?min\w* (?:grid|average))"
    r"|(?:write|send|push|download|apply|implement|execute|enact|activate|appl\w+)\b.{0,40}(?:plant|dcs|controller|set ?points?|moves?|recommend\w*|changes?|targets?|it|them|that|those|all)\b"
    r"|(?:put|switch|set)\b.{1,30}\b(?:in|to|into|on|en) (?:manual|auto\w*|cascade|manuel)\b"
    r"|(?:approve|accept|confirm|reject|authori[sz]e|sign off|approuve[rz]?|valide la recommandation)\b"
    r")"
)
ORDER_INSIDE = re.compile(
    r"\b(?:and |then |just )?(?:write (?:it|them|that|\d\S*) (?:to|into) (?:the )?(?:plant|dcs|controller|\w*\d\w*)|"
    r"approve (?:it|them|the|all|my|that)|apply (?:it|them|the moves|the recommendation)|(?:skip|bypass|override|ignore) (?:the )?(?:gate|approval|operator|interlocks?|limits))"
)
INJECTION = re.compile(
    r"\b(?:(?:forget|ignore|disregard|override|bypass) (?:all |your |the |any |my |previous |prior |these )*"
    r"(?:instructions?|rules?|prompt|guidelines|restrictions|safety|gates?|limits)|system prompt|developer mode|jailbreak|"
    r"you are now|act as|pretend (?:to be|you)|reveal your|no restrictions|oublie (?:tes|les) (?:instructions|regles))"
)
SYSTEM = re.compile(
    r"\b(?:alerts?|alarms?|alarmes?|acknowledg\w*|shelv\w*|acquitt\w*)\b"
    r"|\b(?:why|what|when|which|how many|did|have|has|pourquoi)\b.{0,20}\b(?:you|the system|the orchestrator|dan_?g|nothing|it|anything|decisions?|that)\b.{0,20}\b(?:run|ran|do|did|done|decid\w*|start\w*|recommend\w*|chose|choose|skipp\w*|select\w*|trigger\w*|refus\w*|propos\w*)\b"
    r"|\b(?:decisions?|recommendations?|status|uptime|job queue|jobs|feedback)\b"
    r"|\b(?:who|what) are you\b|\bwhat can you do\b|\bhelp\b$|^help\b|\bwhich model\b|\bare you (?:up|there|ok|alive|running|working)\b|\byour version\b"
)
OWN_DOINGS = re.compile(
    r"\b(?:did (?:the |that |our |any )?(?:\w+ )?(?:plan|optimi[sz]\w+|forecasts?|validation|reconciliation|jobs?|operations?|actions?|modules?) run|"
    r"what (?:was|were|has been) (?:decided|run|started|recommended|proposed|refused))\b|\b(?:why|when|how come|pourquoi)\b.{0,15}\b(?:was|were|is|wasn't|weren't|did|didn't|has|have|hasn't|a|as)\b.{0,40}"
    r"\b(?:run|ran|started?|skipped|deferred|refused|selected|chosen|choose|queued|triggered|decided?|recommend(?:ed)?|lance)\b"
)
GREETING = re.compile(
    r"^(?:hi|hello|hey|hallo|good (?:morning|evening|afternoon|day|night)|morning|evening|bonjour|salut|bonsoir|"
    r"thanks?|thank you|thx|cheers|merci|ta|great|perfect|nice|well done|bye|goodbye|au revoir|see you|ok(?:ay)?|"
    r"got it|fine|good|super|parfait|that's all|no thanks?|understood|roger|good job|nice work|much appreciated)"
    r"(?:[ ,!.]+(?:there|all|you|mate|dan|dan_g|team|everyone|a lot|very much|so much|again|for (?:that|now|the help)|thanks?|then|job|work|beaucoup|night|buddy|that's all))*[ !.?]*$"
)
PAST = (
    rf"\b(?:what|how) (?:was|were|did)\b.*\b{groups()['property']}\b"
    rf"|\b{groups()['property']}\b.*\b(?:yesterday|last (?:week|night|month)|hier)\b"
)
PAST_PROPERTY = re.compile(PAST)
HISTORY = re.compile(
    rf"\b(?:what(?:'s| is| was| were| are| did)|show|give|read|how (?:hot|high|full|much|low|fast)|plot|display|quel\w* (?:est|etait)|combien)\b.*"
    rf"(?:\b{groups()['measured']}\b|\b\d{{1,3}}[a-z]{{2,4}}\d+\b|\b[a-z]{{2,4}}-?\d{{2,4}}\b|\btanks?\b|\bxme?[av]s?_\d+)"
    rf"|{PAST}|\b{groups()['measured']}\b.*\b{groups()['now']}\b|\b{groups()['measured']}\b.*\b(?:yesterday|last (?:week|night|month|shift|hour|year)|this (?:week|morning|month)|"
    r"on (?:mon|tues|wednes|thurs|fri|satur|sun)day|hier|la semaine derniere)\b|\b(?:bacs?|reservoirs?) \d+"
    r"|\bvaleurs? (?:actuelles?|de|du)\b|\b(?:current|present|latest|last|average|mean|max\w*|min\w*|peak|highest|lowest) (?:value|reading|level|temp\w*|flow|rate|pressure|feed|cot|of \S*\d)"
    r"|\b(?:average|mean|max\w*|min\w*|peak|highest|lowest|moyenne)\b.*\b(?:(?:last|past|previous) (?:\w+ )?(?:h(?:ou)?rs?|h|min\w*|days?|weeks?|shifts?|months?)|since|yesterday|today|overnight|this morning|dernier\w*)\b"
    r"|\b(?:value|reading)s? (?:of|for|from) \S*\d"
    r"|\b(?:in|of) (?:our|the|my) (?:own )?tanks?\b|\bour (?:own )?tanks?\b|\b(?:tank|tk-?) ?\d+\b|\b(?:nos|dans nos) (?:bacs|reservoirs)\b"
)
OWN_TANKS = re.compile(
    r"\b(?:our|my|site|own|on ?site|nos|mes) (?:own )?(?:\w+ ){0,2}(?:tanks?|tank farm|inventor\w+|stocks?|bacs|storage)\b|\btk-?\d+\b|\btank \d+\b"
)
NEGATED = re.compile(
    r"\b(?:(?:please )?(?:don't|do not|dont|no need to|not to|never|skip|without|leave out|ne|n'|sans|but no|instead of|rather than)"
    r" ?(?:run(?:ning)? |do(?:ing)? |the |any |an? |start(?:ing)? |bother(?:ing)? (?:with |to )?|need |want |pas |lance[rz]? |me |show |give )*)"
    r"(?:optimi[sz]\w*|optimis\w*|forecast\w*|predict\w*|re-?plan\w*|plan\w*|blend\w*|clean\w*|validat\w*|reconcil\w*|load\w*|ingest\w*|import\w*|"
    r"simulat\w*|set ?points?|prices?|market\w*|cracks?|stocks?|demand|recommend\w*|prevo\w*|prevision\w*|estimat\w*|smooth\w*|filter\w*|resampl\w*|"
    r"back-?test\w*|explain\w*|touch\w*|mov\w*|chang\w*)"
    r"[^,.;?!]*?(?=$|[,.;?!]| but | just | only )"
    r"|\b(?:never mind|forget|leave) (?:about )?(?:the |that |any )?(?:\w+ )?(?:optimi[sz]\w*|forecasts?|plan|blend\w*|set ?points?|cleaning|prices|market|validation|balance)\b"
    r"|\bno (?:optimi[sz]ation|forecasts?|plan|blending|set ?points?|cleaning|prices|market)\b"
    r"|\bnot (?:what|the|a|an|our|about)\b[^,.;?!]*"
)
SPLIT = re.compile(
    r"[;.?!]+(?:\s|$)|,? (?:and )?then (?:also )?|,? and (?:also )?(?!out\b|energy\b|heat\b|mass\b|the bottom|draws?\b|builds?\b)|, (?:plus |also )?|: | plus | also | puis | ensuite | et (?=quel|quand|comment|les|le|la|un|une|des|fais|donne)"
)
FOLLOW_UP = re.compile(
    r"^(?:and|also|what about|how about|same|likewise|again|et|pareil|meme|idem|pour|now|no,|no\b|ok(?:ay)?,?|good(?=[.,])|take|make (?:it|that)|instead|"
    r"rather|or|but|then|for|with|against|versus|in|over|through|by|via|on|at|only|just|double|halve|twice|try|use|extend|shorten|yes|the other|not|"
    r"actually|sorry|i mean(?:t)?|let's say|say|go|why|pourquoi|until|till|up to|down to|change|give me)\b"
    r"|\b(?:likewise|too|as well|instead|i mean(?:t)?|same|it|that|this|those|them|one|ones|aussi)\b"
)
WHY = re.compile(
    r"^(?:and |but |ok,? )?(?:why|why (?:is that|so|that)|how come|pourquoi|what makes you (?:say|think) (?:so|that)|explain(?: that| it)?|on what basis|how so)[ ?!.]*$"
)
ALONE = re.compile(r"\b(?:nothing (?:more|else)|only that|just that|that's all|rien d'autre)\b")

OF_THE_FIELD = re.compile(
    rf"\b(?:{groups()['measured']}|{groups()['product']}|{groups()['property']}|{groups()['instrument']}|crude|brut|refiner(?:y|ies)|"
    r"plant|unit|cdu|vdu|fcc|dht|what about (?:tomorrow|tonight|next|the))\b"
)

VAGUE: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(
            r"\b(?:improve|raise|increase|better|boost|maximi[sz]e|up|help|lift|ameliorer?|augmenter?)\b.{0,20}\b(?:margins?|profit\w*|money|economics|earnings|result|marges?)\b"
            r"|\bmake (?:us )?more money\b|\bearn more\b"
        ),
        "Through the crude and product plan, the set points of the unit, or a blend?",
    ),
    (
        re.compile(
            r"^(?:please |can you |could you |just |now )*(?:optimi[sz]e|optimiser?|optimisation|optimization|run the optimi[sz]er)(?: (?:it|this|that|everything|things|the (?:plant|refinery|site|process|production)|please|now|for me))*[ .!?]*$"
        ),
        "Do you want the plan (crudes, rates, products), the set points of a unit, or a blend?",
    ),
    (
        re.compile(
            r"\b(?:is|are|how(?:'s| is| are)) (?:the |our |this )?(?:crude|diesel|gasoline|jet|kero\w*|naphtha|product|fuel oil|lpg|feed)(?: \w+)? (?:any good|good|ok|okay|fine|doing|looking|bad)\b"
        ),
        "Do you mean its quality, its price, or whether its data can be trusted?",
    ),
    (
        re.compile(
            r"\b(?:the |some |my |all the )?(?:numbers|figures|report|stats|data|info\w*|update|chiffres|results?)\b(?: (?:for|before|please|now|ready|pls|on|pour)\b.*)?[ .!?]*$"
        ),
        "Which numbers: forecasts, data quality, the market, or the plan?",
    ),
    (
        re.compile(
            r"^(?:please |can you |could you )*(?:check|fix|look (?:at|into)|do|run|handle|sort|make|analy[sz]e|have a look at|show)\b.{0,20}\b(?:it|this|that|things?|everything|something|the (?:unit|plant|column|crude|situation))[ .!?]*$"
        ),
        "What shall I look at: the data, a forecast, the balance, or the operation of the unit?",
    ),
    (
        re.compile(
            r"\b(?:how (?:are|is|were) (?:we|things|it|the (?:plant|unit|refinery))(?: doing| looking| going)?|what should we do|what do you (?:suggest|recommend|think)|how do (?:we|things) look|something is (?:off|wrong)|any (?:ideas?|suggestions?)|what now|make it better|can we do better)\b"
        ),
        "About what: the operation of the unit, the plan, or the market?",
    ),
    (
        re.compile(r"\b(?:margins?|marges?|profit\w*|economics)\b"),
        "Do you mean the margins in the market, or what the plant can do to earn more?",
    ),
)
