"""Figures of reports: their tables say what they draw."""

from __future__ import annotations

import pytest

from orchestrator.modules.report_figures import Flows, Link, Node, NumberMap, Waterfall

NODES = (
    Node("crude", "#6b7785", 0.0),
    Node("still_of_a_long_name", "#2f6f9f", 0.5),
    Node("fuel", "#3c8d5a", 1.0),
)
FLOWS = Flows("flows", "bbl/d", NODES, (Link(0, 1, 100.0, "crude"), Link(1, 2, 95.0, "fuel")))


def test_flows_name_their_ends_and_amounts():
    assert FLOWS.rows() == [
        ("crude", "still_of_a_long_name", "crude", "100"),
        ("still_of_a_long_name", "fuel", "fuel", "95"),
    ]
    drawn = FLOWS.figure().data[0]
    assert list(drawn.link.value) == [100.0, 95.0]
    # A long name is broken, with what flows through it underneath.
    assert list(drawn.node.label) == ["crude 100", "still_of_<br>a_long_name<br>100", "fuel 95"]


def test_a_name_is_no_markup_of_the_figure():
    nodes = (Node("<b>x</b>", "#6b7785", 0.0), NODES[2])
    label = Flows("", "t", nodes, (Link(0, 1, 1.0, "x"),)).figure().data[0].node.label[0]
    assert "<b>" not in label


@pytest.mark.parametrize("start", [None, ("before", 50.0)])
def test_a_waterfall_ends_at_the_sum_of_its_steps(start):
    fall = Waterfall("margin", "USD", (("sales", 120.0), ("crude", -90.0)), start=start)
    total = 30.0 + (50.0 if start else 0.0)
    assert fall.rows()[-1] == ("margin", f"{total:,.0f}")
    bars, labels = fall.figure().data
    assert list(bars.measure)[-1] == "total"
    # Labels stand at the right end of their bars, those of losses too.
    base = 50.0 if start else 0.0
    assert list(labels.x)[-3:] == [base + 120.0, base + 120.0, total]
    low, high = fall.figure().layout.xaxis.range
    assert low <= 0
    assert high > base + 120.0


def test_a_map_leaves_gaps_where_there_is_no_number():
    shown = NumberMap("map", "USD", ("a", "b"), ("x", "y"), ((1.0, None), (-2000.0, 500.0)))
    assert shown.rows() == [("x", "1", ""), ("y", "-2,000", "500")]
    drawn = shown.figure().data[0]
    assert list(drawn.z[0]) == [1.0, None]
    assert list(drawn.z[1]) == [-1.0, 0.25]
