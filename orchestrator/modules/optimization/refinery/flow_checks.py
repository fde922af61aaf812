"""Whether material can flow: streams that nothing can fill, that lead nowhere, or that nobody takes."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.modules.optimization.refinery.findings import Finding
from orchestrator.modules.optimization.refinery.flowsheet import APART, Flowsheet
from orchestrator.modules.optimization.refinery.numbers import every
from orchestrator.modules.optimization.refinery.parts import Stream


def flows(sheet: Flowsheet) -> Iterator[Finding]:
    """Cycles without entry or exit, streams without a way out, streams that are not used."""
    fillable = _fillable(sheet)
    for process in sheet.processes:
        if process.feed not in fillable:
            ring = _ring(sheet, process.feed)
            yield Finding(
                "error",
                process.path,
                f"{process.feed!r} can never be made: "
                + (f"{ring} only feed each other" if ring else "what makes it cannot run")
                + "; give a purchase, or a unit that makes one of them from something else",
            )
            return
    for path, name in sheet.named:
        if not set(sheet.actual(name)) & fillable:
            yield Finding("error", path, f"{name!r} can never be made: what makes it cannot run")
    yield from _unsold(sheet)
    leaving = _leaving(sheet)
    forbidden = [s for s in sorted(sheet.made) if s not in leaving and not thrown_away(sheet, s)]
    reported: set[str] = set()
    for stream in sorted(sheet.made - leaving):
        ring = _ring(sheet, stream)
        place = ("streams", stream) if stream in sheet.model.streams else ("units",)
        if ring and stream not in reported:
            reported |= set(_members(sheet, stream))
            yield Finding(
                "error",
                place,
                f"{ring} only feed each other and reach no product; let one of them be sold or blended",
            )
        elif stream in forbidden and stream not in sheet.used:
            reported.add(stream)
            yield Finding(
                "error",
                place,
                f"the stream {stream!r} ({', '.join(sheet.sources.get(stream, []))}) is taken by "
                "nothing and surplus is forbidden, so that what makes it cannot run; use it in a "
                f"product, or write streams.{stream}.surplus: allowed",
            )
        elif stream not in sheet.used and _worth_nothing(sheet, stream):
            yield Finding(
                "warning",
                place,
                f"the stream {stream!r} ({', '.join(sheet.sources.get(stream, []))}) is used by "
                "nothing: all of it is thrown away",
            )


def _unsold(sheet: Flowsheet) -> Iterator[Finding]:
    """Streams that only products without a demand take, and that may not be thrown away."""
    products = sheet.model.products
    shut = {n for n, p in products.items() if p.max is not None and max(every(p.max)) <= 0}
    takers: dict[str, set[str]] = {}
    for path, name in sheet.named:
        taker = path[1] if path[0] == "products" else ""
        for stream in sheet.actual(name):
            takers.setdefault(stream, set()).add(taker)
    for stream, names in sorted(takers.items()):
        if shut and names <= shut and not thrown_away(sheet, stream):
            yield Finding(
                "warning",
                ("products", min(names), "max"),
                f"is 0 and nothing else is blended from {stream!r}, whose surplus is forbidden: it can "
                f"only be run on in units; write streams.{stream}.surplus: allowed if it may be thrown away",
            )


def thrown_away(sheet: Flowsheet, stream: str) -> bool:
    """Whether what is left of a stream may be thrown away or sold as surplus."""
    return rule_of(sheet, stream).surplus == "allowed"


def rule_of(sheet: Flowsheet, stream: str) -> Stream:
    """What the file says of an actual stream's surplus, its base's where it says nothing of its own."""
    model = sheet.model
    found = model.streams.get(stream) or model.streams.get(stream.partition(APART)[0]) or Stream()
    return (
        found.model_copy(update={"surplus": model.surplus}) if found.surplus == "inherit" else found
    )


def _worth_nothing(sheet: Flowsheet, stream: str) -> bool:
    return not any(every(rule_of(sheet, stream).surplus_price))


def _fillable(sheet: Flowsheet) -> set[str]:
    """Streams that can be made from what is bought or in store."""
    model = sheet.model
    found = {*model.supplies}
    found |= {t.holds or n for n, t in model.tanks.items() if max(every(t.opening)) > 0}
    while True:
        size = len(found)
        for process in sheet.processes:
            needed = {process.feed} | {n for n, s in process.yields.items() if min(every(s)) < 0}
            if needed <= found:
                found |= {name for name, share in process.yields.items() if max(every(share)) > 0}
        for name, pool in model.pools.items():
            if any(set(sheet.actual(stream)) & found for stream in pool.mixes):
                found.add(name)
        if len(found) == size:
            return found


def _leaving(sheet: Flowsheet) -> set[str]:
    """Streams from which a product, a utility, a tank or a sale as surplus can be reached."""
    found = {
        stream
        for path, name in sheet.named
        if path[0] in ("products", "utilities", "limits")
        for stream in sheet.actual(name)
    }
    found |= {tank.holds or name for name, tank in sheet.model.tanks.items()}
    found |= {stream for stream in sheet.made if not _worth_nothing(sheet, stream)}
    while True:
        size = len(found)
        for process in sheet.processes:
            made = {name for name, share in process.yields.items() if max(every(share)) > 0}
            if (
                made & found
                or not made
                or any(min(every(u)) < 0 for u in process.utilities.values())
            ):
                found.add(process.feed)
                found |= {name for name, share in process.yields.items() if min(every(share)) < 0}
        for name, pool in sheet.model.pools.items():
            if name in found:
                found |= {stream for given in pool.mixes for stream in sheet.actual(given)}
        if len(found) == size:
            return found


def _after(sheet: Flowsheet, stream: str) -> set[str]:
    """Streams that are made from a stream in one step."""
    found = set()
    for process in sheet.processes:
        if process.feed == stream:
            found |= {name for name, share in process.yields.items() if max(every(share)) > 0}
    for name, pool in sheet.model.pools.items():
        if any(stream in sheet.actual(given) for given in pool.mixes):
            found.add(name)
    return found


def _reached(sheet: Flowsheet, stream: str) -> set[str]:
    found: set[str] = set()
    pending = [stream]
    while pending:
        for after in _after(sheet, pending.pop()) - found:
            found.add(after)
            pending.append(after)
    return found


def _members(sheet: Flowsheet, stream: str) -> list[str]:
    """The streams of the cycle that a stream is in; none where it is in none."""
    ahead = _reached(sheet, stream)
    if stream not in ahead:
        return []
    return sorted(name for name in ahead if stream in _reached(sheet, name))


def _ring(sheet: Flowsheet, stream: str) -> str:
    members = _members(sheet, stream)
    return " and ".join(repr(name) for name in members)
