"""A first parser of requests in words: which operations they want, with which slots.

A grammar of cues, without a language model. Text is data: it can name operations and nothing else.
What orders a write, approves, or tells the system to forget its rules is never more than refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from orchestrator.core.plan import rank
from orchestrator.core.slots import (
    DAYS_BACK,
    HOURS_AHEAD,
    find_changes,
    find_durations,
    find_product,
    find_property,
    find_tags,
    find_unit,
    fold,
    whole,
)
from orchestrator.core.vocabulary import ENOUGH, SURE, cues, groups

CONFIDENT, PLAIN, GUESSED, ASKING = 0.95, 0.88, 0.7, 0.9
LONGEST_TEXT = 4000


class Turn(BaseModel):
    """What is known of a session after its last turn; an ``Interpretation`` serves as one."""

    model_config = ConfigDict(frozen=True, extra="ignore", from_attributes=True)

    operations: tuple[str, ...] = ()
    slots: dict[str, Any] = Field(default_factory=dict)
    clarify: str | None = None
    topic: tuple[str, ...] = ()
    pending: dict[str, Any] = Field(default_factory=dict)

    @property
    def about(self) -> tuple[str, ...]:
        """The operations that a follow-up refers to."""
        return self.topic or self.operations


@dataclass(frozen=True)
class QueryRequest:
    """Words, and the turn before them where there is one."""

    text: str
    previous: Turn | Mapping[str, Any] | Any | None = None


@dataclass(frozen=True)
class Reading:
    """How the words are read.

    Attributes:
        operations: What they want, in the order of dependency.
        slots: What they, or the turns before, say.
        clarify: The one question to ask back, or ``None``.
        answer: What the system says itself where no operation runs for a part of the words.
        topic: Operations to which a follow-up refers.
        pending: Slots of a turn that asked back.
        confidence: How sure the reading is, 0 to 1.
    """

    operations: tuple[str, ...] = ()
    slots: dict[str, Any] = field(default_factory=dict)
    clarify: str | None = None
    answer: str | None = None
    topic: tuple[str, ...] = ()
    pending: dict[str, Any] = field(default_factory=dict)
    confidence: float = CONFIDENT


ANSWERS = {
    "greeting": "Hello. Ask me about forecasts, data quality, balances, the market or the best operation.",
    "operator": "I write nothing to the plant and approve nothing: that goes through the operator gate, "
    "where a named person approves a recommendation.",
    "system": "That is about what the system itself did or shows: see decisions, alerts and status.",
    "history": "That is a present or past value: it comes from the historian, and nothing needs to run.",
    "injection": "Text cannot change what I may do; that part of the request is refused.",
    "field": "That is outside my field: I work on this plant's data, forecasts, market and operation.",
}
_ORDER = re.compile(
    r"^(?:please |now |and |then |ok(?:ay)?,? |can you |could you |would you |go ahead and |just |you may |"
    r"immediately |quick(?:ly)? )*(?:"
    r"(?:open|close|shut|trip|start|stop|bypass|isolate|block|ramp|stroke|ferme[rz]?|ouvre[rz]?|arrete[rz]?|demarre[rz]?)\b(?! (?:the )?(?:\w+ )?balance).{0,40}"
    r"(?:\b[a-z]{1,4}-?\d{2,5}\b|\b\d{1,3}[a-z]{1,4}\d+\b|valve|pump|compressor|unit|furnace|heater|burner|vanne|pompe|steam|feed|fan)"
    r"|(?:set|write|put|move|change|turn|raise|lower|increase|reduce|decrease|drop|cut|bring|push|mets|regle)\b.{1,50}\b(?:to|by|a|at|up|down|de) (?:about )?-?\d(?! ?-?\d* ?min\w* (?:grid|average))"
    r"|(?:write|send|push|download|apply|implement|execute|enact|activate|appl\w+)\b.{0,40}(?:plant|dcs|controller|set ?points?|moves?|recommend\w*|changes?|targets?|it|them|that|those|all)\b"
    r"|(?:approve|accept|confirm|reject|authori[sz]e|sign off|approuve[rz]?|valide la recommandation)\b"
    r")"
)
_ORDER_INSIDE = re.compile(
    r"\b(?:and |then |just )?(?:write (?:it|them|that|\d\S*) (?:to|into) (?:the )?(?:plant|dcs|controller|\w*\d\w*)|"
    r"approve (?:it|them|the|all|my|that)|apply (?:it|them|the moves|the recommendation)|(?:skip|bypass|override|ignore) (?:the )?(?:gate|approval|operator|interlocks?|limits))"
)
_INJECTION = re.compile(
    r"\b(?:(?:forget|ignore|disregard|override|bypass) (?:all |your |the |any |my |previous |prior |these )*"
    r"(?:instructions?|rules?|prompt|guidelines|restrictions|safety|gates?|limits)|system prompt|developer mode|jailbreak|"
    r"you are now|act as|pretend (?:to be|you)|reveal your|no restrictions|oublie (?:tes|les) (?:instructions|regles))"
)
_SYSTEM = re.compile(
    r"\b(?:alerts?|alarms?|alarmes?|acknowledg\w*|shelv\w*|acquitt\w*)\b"
    r"|\b(?:why|what|when|which|how many|did|have|has|pourquoi)\b.{0,20}\b(?:you|the system|the orchestrator|dan_?g|nothing|it|anything|decisions?|that)\b.{0,20}\b(?:run|ran|do|did|done|decid\w*|start\w*|recommend\w*|chose|choose|skipp\w*|select\w*|trigger\w*|refus\w*|propos\w*)\b"
    r"|\b(?:decisions?|recommendations?|status|uptime|job queue|jobs|feedback)\b"
    r"|\b(?:who|what) are you\b|\bwhat can you do\b|\bhelp\b$|^help\b|\bwhich model\b|\bare you (?:up|there|ok|alive|running|working)\b|\byour version\b"
)
_OWN_DOINGS = re.compile(
    r"\b(?:why|when|how come|pourquoi)\b.{0,15}\b(?:was|were|is|wasn't|weren't|did|didn't|has|have|hasn't|a|as)\b.{0,40}"
    r"\b(?:run|ran|started?|skipped|deferred|refused|selected|chosen|choose|queued|triggered|decided?|recommend(?:ed)?|lance)\b"
)
_GREETING = re.compile(
    r"^(?:hi|hello|hey|hallo|good (?:morning|evening|afternoon|day|night)|morning|evening|bonjour|salut|bonsoir|"
    r"thanks?|thank you|thx|cheers|merci|ta|great|perfect|nice|well done|bye|goodbye|au revoir|see you|ok(?:ay)?|"
    r"got it|fine|good|super|parfait|that's all|no thanks?|understood|roger|good job|nice work|much appreciated)"
    r"(?:[ ,!.]+(?:there|all|you|mate|dan|dan_g|team|everyone|a lot|very much|so much|again|for (?:that|now|the help)|thanks?|then|job|work|beaucoup|night|buddy|that's all))*[ !.?]*$"
)
_HISTORY = re.compile(
    rf"\b(?:what(?:'s| is| was| were| are| did)|show|give|read|how (?:hot|high|full|much|low|fast)|plot|display|quel\w* (?:est|etait)|combien)\b.*"
    rf"(?:\b{groups()['measured']}\b|\b\d{{1,3}}[a-z]{{2,4}}\d+\b|\b[a-z]{{2,4}}-?\d{{2,4}}\b|\btanks?\b|\bxme?[av]s?_\d+)"
    r"|\bvaleurs? (?:actuelles?|de|du)\b|\b(?:current|present|latest|last|average|mean|max\w*|min\w*|peak) (?:value|reading|level|temp\w*|flow|rate|pressure|feed)\b"
    r"|\b(?:in|of) (?:our|the|my) (?:own )?tanks?\b|\bour (?:own )?tanks?\b|\b(?:tank|tk-?) ?\d+\b|\b(?:nos|dans nos) (?:bacs|reservoirs)\b"
)
_OWN_TANKS = re.compile(
    r"\b(?:our|my|site|own|on ?site|nos|mes) (?:own )?(?:\w+ ){0,2}(?:tanks?|tank farm|inventor\w+|stocks?|bacs|storage)\b|\btk-?\d+\b|\btank \d+\b"
)
_NEGATED = re.compile(
    r"\b(?:(?:please )?(?:don't|do not|dont|no need to|not to|never|skip|without|leave out|ne|n'|sans|but no|instead of|rather than)"
    r" ?(?:run(?:ning)? |do(?:ing)? |the |any |an? |start(?:ing)? |bother(?:ing)? (?:with |to )?|need |want |pas |lance[rz]? |me |show |give )*)"
    r"(?:optimi[sz]\w*|optimis\w*|forecast\w*|predict\w*|re-?plan\w*|plan\w*|blend\w*|clean\w*|validat\w*|reconcil\w*|load\w*|ingest\w*|import\w*|"
    r"simulat\w*|set ?points?|prices?|market\w*|cracks?|stocks?|demand|recommend\w*|prevo\w*|prevision\w*|estimat\w*|smooth\w*|filter\w*|resampl\w*|"
    r"back-?test\w*|explain\w*|touch\w*|mov\w*|chang\w*)"
    r"[^,.;?!]*?(?=$|[,.;?!]| but | just | only )"
    r"|\bno (?:optimi[sz]ation|forecasts?|plan|blending|set ?points?|cleaning|prices|market)\b"
    r"|\bnot (?:what|the|a|an|our|about)\b[^,.;?!]*"
)
_SPLIT = re.compile(
    r"[;.?!]+(?:\s|$)|,? (?:and )?then (?:also )?|,? and (?:also )?(?!out\b|energy\b|heat\b|mass\b|the bottom|draws?\b|builds?\b)|, (?:plus |also )?|: | plus | also | puis | ensuite | et (?=quel|quand|comment|les|le|la|un|une|des|fais|donne)"
)
_FOLLOW_UP = re.compile(
    r"^(?:and|also|what about|how about|same|likewise|again|et|pareil|meme|idem|pour|now|no,|no\b|ok(?:ay)?,?|good[.,]|take|make (?:it|that)|instead|"
    r"rather|or|but|then|for|with|against|versus|in|over|through|by|via|on|at|only|just|double|halve|twice|try|use|extend|shorten|yes|the other|not|"
    r"actually|sorry|i mean(?:t)?|let's say|say|go|why|pourquoi|until|till|up to|down to|change|give me)\b"
    r"|\b(?:likewise|too|as well|instead|i mean(?:t)?|same|it|that|this|those|them|one|ones|aussi)\b"
)
_WHY = re.compile(
    r"^(?:and |but |ok,? )?(?:why|why (?:is that|so|that)|how come|pourquoi|what makes you (?:say|think) (?:so|that)|explain(?: that| it)?|on what basis|how so)[ ?!.]*$"
)
_ALONE = re.compile(r"\b(?:nothing (?:more|else)|only that|just that|that's all|rien d'autre)\b")

_VAGUE: tuple[tuple[re.Pattern[str], str], ...] = (
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
            r"\b(?:how (?:are|is|were) (?:we|things|it|the (?:plant|unit|refinery))(?: doing| looking| going)?|what should we do|what do you (?:suggest|recommend|think)|any (?:ideas?|suggestions?)|what now|make it better|can we do better)\b"
        ),
        "About what: the operation of the unit, the plan, or the market?",
    ),
    (
        re.compile(r"\b(?:margins?|marges?|profit\w*|economics)\b"),
        "Do you mean the margins in the market, or what the plant can do to earn more?",
    ),
)


def read_query(request: QueryRequest) -> Reading:
    """Read a request, in the light of the turn before."""
    text = fold(request.text[:LONGEST_TEXT])
    turn = _turn(request.previous)
    stripped, overstep = _without_overstep(text)
    wanted, ruled_out = _wants(stripped)
    history_only = _HISTORY.search(stripped) is not None
    slots = _slots(text, wanted, turn)
    if overstep and not wanted:
        return _nothing(ANSWERS[overstep], slots, turn)
    if not wanted and _GREETING.match(text):
        return _nothing(ANSWERS["greeting"], {}, turn)
    if _is_system(stripped, wanted):
        return _nothing(ANSWERS["system"], slots, turn)
    if turn is not None and _WHY.match(text):
        return _why(slots, turn)
    if not wanted or _vague(stripped, wanted):
        return _without_want(stripped, slots, turn, ruled_out=ruled_out, history=history_only)
    operations = tuple(sorted((op for op in wanted if op not in ruled_out), key=rank))
    if not operations:
        return _nothing("What you rule out is not run, and nothing else is asked for.", slots, turn)
    merged = _merged(text, slots, operations, turn)
    answer = ANSWERS[overstep] if overstep else None
    sure = CONFIDENT if min(wanted.values()) >= SURE else PLAIN
    return Reading(operations, merged, None, answer, operations, confidence=sure)


def _turn(previous: Any) -> Turn | None:
    if previous is None or isinstance(previous, Turn):
        return previous
    return Turn.model_validate(previous)


def _without_overstep(text: str) -> tuple[str, str | None]:
    """The text less the clauses that try to overstep, and what they try."""
    kind: str | None = None
    kept: list[str] = []
    for clause in re.split(
        r"(?<=[.;!?])\s+|,? and then |, then | then |, (?=and )|(?<!=) and (?=\w+)", text
    ):
        if _INJECTION.search(clause):
            kind = "injection"
        elif _ORDER.match(clause) or _ORDER_INSIDE.search(clause):
            kind = kind or "operator"
        else:
            kept.append(clause)
    return (text, None) if kind is None else (" and ".join(kept), kind)


def _wants(text: str) -> tuple[dict[str, float], set[str]]:
    """Operations that the words want, with their scores, and those that the words rule out."""
    ruled_out: set[str] = set()
    for negated in _NEGATED.finditer(text):
        if negated[0].startswith("not "):
            continue
        ruled_out |= _ruled_out(negated[0])
    positive = _NEGATED.sub(" ", text)
    wanted: dict[str, float] = {}
    for clause in _clauses(positive):
        best = _best(clause)
        if best is not None:
            name, value = best
            wanted[name] = max(value, wanted.get(name, 0.0))
    if not wanted and (whole_text := _best(positive)) is not None:
        wanted[whole_text[0]] = whole_text[1]
    clear = {name: value for name, value in wanted.items() if value > ENOUGH}
    return clear or wanted, ruled_out


def _ruled_out(text: str) -> set[str]:
    scores = _scores(text)
    if re.search(r"optimi|touch|mov|chang|recommend", text):
        scores |= {name: ENOUGH for name in cues() if name.startswith("optimization.")}
    return {name for name, value in scores.items() if value >= ENOUGH}


def _clauses(text: str) -> list[str]:
    """Parts that may each carry a want; a part that says too little stays with the one before."""
    parts = [part.strip() for part in _SPLIT.split(text) if part and part.strip()]
    joined: list[str] = []
    for part in parts:
        alone = _best(part)
        if joined and (alone is None or _best(joined[-1]) is None):
            together = _best(f"{joined[-1]}, {part}")
            before = _best(joined[-1])
            if (
                before is None
                or alone is None
                or together is None
                or together[0] in {before[0], alone[0]}
            ):
                joined[-1] = f"{joined[-1]}, {part}"
                continue
        joined.append(part)
    return joined


def _scores(clause: str) -> dict[str, float]:
    scores = {}
    for name, patterns in cues().items():
        value = sum(weight for pattern, weight in patterns if pattern.search(clause))
        if value:
            scores[name] = value
    return _weighed(clause, scores)


def _weighed(clause: str, scores: dict[str, float]) -> dict[str, float]:
    """Scores after the rules that tell neighbouring operations apart."""
    own_tanks = _OWN_TANKS.search(clause) is not None
    if own_tanks:
        for name in ("analysis.stocks", "etl.validate"):
            scores.pop(name, None)
    priced = re.search(rf"\b{groups()['priced']}\b", clause) and re.search(
        r"\b(?:price|cost|quote|futures|worth|trad)", clause
    )
    if (
        "forecasting.forecast" in scores
        and (priced or re.search(r"\b(?:brent|wti|dubai|urals)\b", clause))
        and "analysis.prices" in scores
    ):
        scores["analysis.prices"] += scores.pop("forecasting.forecast")
    for winner, loser in (
        ("analysis.stocks", "forecasting.forecast"),
        ("analysis.demand", "forecasting.forecast"),
        ("analysis.cracks", "forecasting.forecast"),
        ("analysis.cracks", "analysis.prices"),
        ("analysis.stocks", "analysis.market"),
        ("analysis.demand", "analysis.market"),
        ("analysis.cracks", "analysis.market"),
        ("analysis.prices", "analysis.market"),
        ("optimization.sensitivity", "analysis.prices"),
        ("optimization.sensitivity", "forecasting.soft_sensor"),
        ("optimization.what_if", "forecasting.forecast"),
        ("optimization.what_if", "optimization.setpoints"),
        ("optimization.blend", "forecasting.soft_sensor"),
        ("optimization.setpoints", "forecasting.soft_sensor"),
        ("forecasting.time_to_limit", "forecasting.forecast"),
        ("forecasting.backtest", "forecasting.forecast"),
        ("forecasting.explain", "forecasting.forecast"),
        ("forecasting.explain", "forecasting.backtest"),
        ("forecasting.forecast", "forecasting.soft_sensor"),
    ):
        if scores.get(winner, 0) >= ENOUGH and loser in scores:
            if winner == "forecasting.forecast" and scores[winner] < scores[loser]:
                continue
            scores[winner] = max(scores[winner], scores.pop(loser))
    return scores


def _best(clause: str) -> tuple[str, float] | None:
    scores = _scores(clause)
    if not scores:
        return None
    name = max(scores, key=lambda key: (scores[key], key))
    return (name, scores[name]) if scores[name] >= ENOUGH else None


def _is_system(text: str, wanted: Mapping[str, float]) -> bool:
    if _OWN_DOINGS.search(text):
        return True
    if not _SYSTEM.search(text):
        return False
    asks_model = {"forecasting.explain", "forecasting.backtest", "forecasting.time_to_limit"} & set(
        wanted
    )
    return not asks_model and not any(value >= SURE for value in wanted.values())


def _vague(text: str, wanted: Mapping[str, float]) -> bool:
    return all(value < SURE for value in wanted.values()) and any(
        pattern.search(text) for pattern, _ in _VAGUE[:2]
    )


def _without_want(
    text: str,
    slots: dict[str, Any],
    turn: Turn | None,
    *,
    ruled_out: set[str],
    history: bool,
) -> Reading:
    """Words that name no operation: a follow-up, a value of the past, something vague, or not our field."""
    if turn is not None and turn.about and (slots or _FOLLOW_UP.search(text)) and not history:
        operations = tuple(op for op in turn.about if op not in ruled_out)
        if operations:
            merged = _merged(text, slots, operations, turn)
            return Reading(operations, merged, topic=operations, confidence=PLAIN)
    for pattern, question in _VAGUE:
        if pattern.search(text):
            return _ask(question, slots, turn)
    if history:
        return _nothing(ANSWERS["history"], slots, turn)
    if slots and len(text.split()) <= 6:
        about = (
            slots.get("product")
            or slots.get("property")
            or slots.get("unit")
            or slots.get("tags", [""])[0]
        )
        question = f"What about {about}: a forecast, its data, its price, or its operation?"
        return _ask(question, slots, turn)
    return _nothing(ANSWERS["field"], slots, turn)


def _why(slots: dict[str, Any], turn: Turn) -> Reading:
    if any(name.startswith("forecasting.") for name in turn.about):
        operations = ("forecasting.explain",)
        return Reading(operations, {**turn.slots, **slots}, topic=operations, confidence=PLAIN)
    return _nothing(ANSWERS["system"], slots, turn)


def _nothing(answer: str, slots: dict[str, Any], turn: Turn | None) -> Reading:
    """Nothing runs; in a session the slots stay as they were."""
    return Reading(
        slots=slots if turn is None else turn.slots,
        answer=answer,
        topic=turn.about if turn else (),
        pending=turn.pending if turn else {},
    )


def _ask(question: str, slots: dict[str, Any], turn: Turn | None) -> Reading:
    return Reading(
        slots=slots if turn is None else turn.slots,
        clarify=question,
        topic=turn.about if turn else (),
        pending=slots,
        confidence=ASKING,
    )


def _slots(text: str, wanted: Mapping[str, float], turn: Turn | None) -> dict[str, Any]:
    """What the words themselves say."""
    before = turn.slots if turn else {}
    found: dict[str, Any] = {
        "tags": find_tags(text),
        "product": find_product(_NEGATED.sub(" ", text), before.get("product")),
        "property": find_property(text),
        "unit": find_unit(text),
    }
    back = set(wanted) and all(_looks_back(name) for name in wanted)
    if not wanted and turn is not None:
        only_back = DAYS_BACK in before and HOURS_AHEAD not in before
        back = only_back or all(map(_looks_back, turn.about))
    for hours, slot in find_durations(text):
        key = slot or (DAYS_BACK if back and not _adjective(text, wanted) else HOURS_AHEAD)
        if key == DAYS_BACK:
            found[DAYS_BACK] = whole(hours / 24)
        else:
            found[HOURS_AHEAD] = whole(hours)
    if "optimization.what_if" in wanted:
        found["changes"] = find_changes(text)
    return {name: value for name, value in found.items() if value not in (None, [])}


def _adjective(text: str, wanted: Mapping[str, float]) -> bool:
    """Whether a time describes the forecast (``the 12 h forecasts``), not the period looked at."""
    return bool(
        set(wanted) <= {"forecasting.backtest", "forecasting.explain"}
        and re.search(
            r"\d+ ?-?(?:h|hours?|d|days?)\b(?: \w+){0,3} (?:forecast|predict|ahead)", text
        )
    )


def _looks_back(operation: str) -> bool:
    return operation in {
        "forecasting.backtest",
        "etl.validate",
        "etl.reconcile",
        "etl.clean",
    } or operation.startswith("analysis.")


def _merged(
    text: str, slots: dict[str, Any], operations: Sequence[str], turn: Turn | None
) -> dict[str, Any]:
    """The slots after this turn: what it says, and of the turn before what it does not change."""
    if turn is None:
        return slots
    names_subject = any(name in slots for name in ("tags", "product", "property", "unit"))
    same_topic = bool(set(operations) & set(turn.about))
    new_question = names_subject and not same_topic and not _FOLLOW_UP.search(text)
    if new_question and not turn.clarify:
        return slots
    carried = {**turn.slots, **(turn.pending if turn.clarify else {})}
    carried.pop("changes", None)
    if "tags" in slots and "product" not in slots:
        carried.pop("product", None) if not _FOLLOW_UP.search(text) else None
    return {**carried, **slots}
