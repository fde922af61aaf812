"""The flowsheet that a refinery model stands for: processes over actual streams, and their properties.

Cuts are looked up in the assays, streams that are kept apart get their names (``naphtha@light``), modes
and ends of severity become processes of their own, and each stream gets the properties that are known of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from orchestrator.modules.optimization.refinery.numbers import (
    PerPeriod,
    added,
    at,
    every,
    multiplied,
)
from orchestrator.modules.optimization.refinery.parts import Cut, Stream
from orchestrator.modules.optimization.refinery.qualities import BlendingRules
from orchestrator.modules.optimization.refinery.unit_parts import Feed, Mode, Running, Unit

if TYPE_CHECKING:
    from orchestrator.modules.optimization.refinery.model import RefineryModel

APART = "@"
Properties = dict[str, PerPeriod]


@dataclass(frozen=True, slots=True)
class Process:
    """One feed run in one unit, in one mode.

    Attributes:
        name: ``units.UNIT.FEED`` or ``units.UNIT.MODE.FEED``; the name of its flow.
        path: Where it stands in the file.
        unit: The unit.
        way: Its mode or end of severity; empty for neither.
        feed: The stream that it runs.
        yields: Stream -> amount per unit of feed; negative for what is used up.
        cost: Money per unit of feed.
        use: Capacity of the unit taken by one unit of feed.
        utilities: Utility -> use per unit of feed.
        emissions: Emission -> amount per unit of feed.
        properties: Stream -> properties as this process makes it.
        base: Properties of the feed for which the yields hold.
        deltas: Property of the feed -> stream -> change of its yield for one more unit.
    """

    name: str
    path: tuple[str, ...]
    unit: str
    way: str
    feed: str
    yields: Properties
    cost: PerPeriod
    use: PerPeriod
    utilities: Properties
    emissions: Properties
    properties: dict[str, Properties]
    base: dict[str, float] = field(default_factory=dict)
    deltas: dict[str, dict[str, float]] = field(default_factory=dict)


class Flowsheet:
    """Processes and streams of a model.

    Attributes:
        model: The model.
        rules: How its properties blend.
        processes: All processes, in the order of the file.
        missing: Path and stream of each feed that has neither yields nor cuts of an assay.
        absent_cuts: Path and cut of each cut that the assay of no feed has.
    """

    def __init__(self, model: RefineryModel) -> None:
        self.model = model
        self.rules = BlendingRules(model)
        self.missing: list[tuple[tuple[str, ...], str]] = []
        self.absent_cuts: list[tuple[tuple[str, ...], str]] = []
        self._apart: dict[str, dict[str, None]] = defaultdict(dict)
        self._plain: set[str] = {*model.supplies, *model.pools}
        self.processes = self._processes()

    def actual(self, name: str) -> tuple[str, ...]:
        """The actual streams that a name stands for: itself, or its parts where it is kept apart."""
        parts = tuple(self._apart.get(name, ()))
        return (*parts, name) if not parts or name in self._plain else parts

    @cached_property
    def made(self) -> frozenset[str]:
        """Every actual stream that something can supply."""
        opened = {
            tank.holds or name
            for name, tank in self.model.tanks.items()
            if max(every(tank.opening)) > 0
        }
        apart = {stream for parts in self._apart.values() for stream in parts}
        return frozenset(self._plain | apart | (opened - self.model.products.keys()))

    @cached_property
    def used(self) -> dict[str, list[tuple[str, ...]]]:
        """Actual stream -> places of the file that take it."""
        found: dict[str, list[tuple[str, ...]]] = defaultdict(list)
        for process in self.processes:
            found[process.feed].append(process.path)
            for stream, share in process.yields.items():
                if min(every(share)) < 0:
                    found[stream].append((*process.path, "yields", stream))
        for where, name in self.named:
            for stream in self.actual(name):
                found[stream].append(where)
        return found

    @cached_property
    def named(self) -> list[tuple[tuple[str, ...], str]]:
        """Places outside the units that take a stream, and the name that they take it by."""
        model = self.model
        found: list[tuple[tuple[str, ...], str]] = []
        for name, product in model.products.items():
            here = ("products", name)
            if product.recipe:
                found += [((*here, "recipe", stream), stream) for stream in product.recipe]
            elif product.components:
                found += [((*here, "components", stream), stream) for stream in product.components]
            else:
                found.append((here, name))
        for name, pool in model.pools.items():
            found += [(("pools", name, "mixes"), stream) for stream in pool.mixes]
        for name, utility in model.utilities.items():
            found += [(("utilities", name, "from", stream), stream) for stream in utility.from_]
        for name, limit in model.limits.items():
            for term in limit.terms:
                section, _, bought = term.partition(".")
                if section in ("crudes", "purchases") and bought in model.supplies:
                    found.append((("limits", name, "terms", term), bought))
        return found

    @cached_property
    def properties(self) -> dict[str, Properties]:
        """Actual stream -> the properties that are known of it.

        Those of the file stand before those of its sources, which count where all sources agree.
        """
        sources: dict[str, list[Properties]] = defaultdict(list)
        for name, (_, supply) in self.model.supplies.items():
            sources[name].append(supply.properties)
        for process in self.processes:
            for stream, share in process.yields.items():
                if max(every(share)) > 0:
                    sources[stream].append(process.properties.get(stream, {}))
        found = {
            name: {**_common(sources[name]), **self._stated(name)}
            for name in {*self.made, *sources} - self.model.pools.keys()
        }
        for name in self._pools_in_order():
            pool = self.model.pools[name]
            inputs = [found.get(s, {}) for given in pool.mixes for s in self.actual(given)]
            found[name] = {**_common([*inputs, *sources[name]]), **self._stated(name)}
        return found

    @cached_property
    def sources(self) -> dict[str, list[str]]:
        """Actual stream -> what supplies it, in words of the file."""
        found: dict[str, list[str]] = defaultdict(list)
        for name, (section, _) in self.model.supplies.items():
            found[name].append(f"{section}.{name}")
        for process in self.processes:
            for stream, share in process.yields.items():
                if max(every(share)) > 0:
                    found[stream].append(process.name)
        for name in self.model.pools:
            found[name].append(f"pools.{name}")
        return found

    def computed(self, stream: str) -> bool:
        """Whether its properties follow from a pool's inputs, which is not linear."""
        pool = self.model.pools.get(stream)
        return pool is not None and pool.computed

    def yields(self, process: Process, period: str) -> dict[str, float]:
        """Yields of a process in a period, moved by what is known of its feed."""
        found = {stream: at(share, period) for stream, share in process.yields.items()}
        known = self.properties.get(process.feed, {}) if process.deltas else {}
        for prop, changes in process.deltas.items():
            if prop in known and not self.computed(process.feed):
                off = at(known[prop], period) - process.base[prop]
                for stream, change in changes.items():
                    found[stream] = found.get(stream, 0.0) + change * off
        return found

    def _stated(self, name: str) -> Properties:
        base = self.model.streams.get(name.partition(APART)[0], Stream()).properties
        return {**base, **self.model.streams.get(name, Stream()).properties}

    def _pools_in_order(self) -> list[str]:
        """Pools, those that feed others first as far as there is such an order."""
        left, done = list(self.model.pools), []
        while left:
            ready = [n for n in left if not set(self.model.pools[n].mixes) & set(left)] or left[:1]
            done += ready
            left = [name for name in left if name not in ready]
        return done

    def _processes(self) -> tuple[Process, ...]:
        """The processes; names of streams that are kept apart spread from unit to unit until all are known."""
        found: tuple[Process, ...] = ()
        for _ in range(len(self.model.units) + 2):
            known = {name: tuple(parts) for name, parts in self._apart.items()}
            plain = set(self._plain)
            self.missing, self.absent_cuts = [], []
            found = tuple(self._all_processes())
            if known == {n: tuple(p) for n, p in self._apart.items()} and plain == self._plain:
                break
        return found

    def _all_processes(self) -> Iterable[Process]:
        for name, unit in self.model.units.items():
            ends = _streams_by_end(unit)
            for way, running in unit.ways.items():
                feeds = unit.fed(running)
                for feed_name, feed in feeds.items():
                    for stream in self.actual(feed_name):
                        if stream != feed_name and stream in feeds:
                            continue
                        yield self._process(name, unit, way, running, feed_name, feed, stream, ends)

    def _process(
        self,
        name: str,
        unit: Unit,
        way: str,
        running: Running,
        feed_name: str,
        feed: Feed,
        stream: str,
        ends: set[str],
    ) -> Process:
        here = place_of(name, unit, way) if running.feeds else ("units", name)
        path = (*here, "feeds", feed_name)
        yields, properties = self._assay(path, running, unit, stream)
        given = [unit, *((running,) if running is not unit else ()), feed]
        for part in given:
            yields |= part.yields
            for made, known in part.properties.items():
                properties[made] = {**properties.get(made, {}), **known}
        if not yields and not any("yields" in part.model_fields_set for part in given):
            self.missing.append((path, stream))
        origin = stream.partition(APART)[2] or (stream if stream in self.model.crudes else "")
        names = {}
        for made in yields:
            tags = []
            if made not in running.mixed and made not in unit.mixed:
                if unit.segregate == "crude" and origin:
                    tags.append(origin)
                if way and (unit.segregate == "mode" or made in ends):
                    tags.append(way)
            names[made] = APART.join((made, *tags))
            if max(every(yields[made])) > 0:
                if tags:
                    self._apart[made][names[made]] = None
                else:
                    self._plain.add(made)
        use = running.use if isinstance(running, Mode) else 1.0
        return Process(
            name=".".join(("units", name, *((way,) if way else ()), stream)),
            path=path,
            unit=name,
            way=way,
            feed=stream,
            yields={names[made]: share for made, share in yields.items()},
            cost=added(*(part.cost for part in given)),
            use=multiplied(feed.use, use),
            utilities=_summed([part.utilities for part in given]),
            emissions=_summed([part.emissions for part in given]),
            properties={names[m]: known for m, known in properties.items() if m in names},
            base=feed.base,
            deltas={
                prop: {names.get(made, made): change for made, change in changes.items()}
                for prop, changes in feed.deltas.items()
            },
        )

    def _assay(
        self, path: tuple[str, ...], running: Running, unit: Unit, stream: str
    ) -> tuple[Properties, dict[str, Properties]]:
        """Yields and properties by the cuts of a feed's assay."""
        gathered = running.cuts or unit.cuts
        _, supply = self.model.supplies.get(stream, ("", None))
        if not gathered or supply is None or not supply.cuts:
            return {}, {}
        yields: Properties = {}
        properties: dict[str, Properties] = {}
        for made, cuts in gathered.items():
            known = [supply.cuts[cut] for cut in cuts if cut in supply.cuts]
            self.absent_cuts += [(path, cut) for cut in cuts if cut not in supply.cuts]
            if not known:
                continue
            yields[made] = added(*(cut.yield_ for cut in known))
            shared = set.intersection(*(set(cut.properties) for cut in known))
            properties[made] = {prop: self._mixed(prop, known) for prop in sorted(shared)}
        return yields, properties

    def _mixed(self, prop: str, cuts: list[Cut]) -> PerPeriod:
        if len(cuts) == 1:
            return cuts[0].properties[prop]
        found = {
            span.name: self.rules.mixed(
                prop,
                [
                    (
                        at(cut.yield_, span.name),
                        {name: at(value, span.name) for name, value in cut.properties.items()},
                    )
                    for cut in cuts
                ],
            )
            for span in self.model.spans
        }
        values = list(found.values())
        return values[0] if len(set(values)) == 1 else found


def place_of(name: str, unit: Unit, way: str) -> tuple[str, ...]:
    """Where a unit, or one of its modes or ends of severity, stands in the file."""
    section = "severity" if unit.severity else "modes"
    return ("units", name, *((section, way) if way else ()))


def _streams_by_end(unit: Unit) -> set[str]:
    """Streams whose properties differ between the ends of a unit's severity."""
    if unit.severity is None:
        return set()
    low, high = unit.severity.low, unit.severity.high
    found = set()
    for name in unit.fed(low).keys() & unit.fed(high).keys():
        first, second = (
            {**end.properties, **unit.fed(end)[name].properties} for end in (low, high)
        )
        found |= {s for s in first.keys() | second.keys() if first.get(s) != second.get(s)}
    return found


def _common(sources: list[Properties]) -> Properties:
    """Properties that all sources have alike."""
    if not sources:
        return {}
    first, *others = sources
    return {n: v for n, v in first.items() if all(other.get(n) == v for other in others)}


def _summed(loads: list[dict[str, PerPeriod]]) -> Properties:
    names = dict.fromkeys(name for load in loads for name in load)
    return {name: added(*(load.get(name, 0.0) for load in loads)) for name in names}
