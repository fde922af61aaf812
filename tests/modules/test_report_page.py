"""Pages of text, tables and charts."""

import base64
import re

from orchestrator.modules.report_page import Chart, Items, Section, Table, Trace, html, markdown

CHART = Chart(
    "stocks & flows",
    "kbbl",
    (
        Trace("level", ["2024-01-05", "2024-01-12", "2024-01-19"], [1.0, None, 3.0]),
        Trace("band", ["2024-01-12", "2024-01-19"], [0.5, 1.0], "band", [2.0, 4.0]),
        Trace("days", ["2024-01-12"], [2.0], "points", labels=["here"]),
    ),
)
SECTIONS = [
    Section(
        "One <b>",
        [
            "Plain *text* & more",
            Items(("first", "second")),
            Table(("name", "n:value", "d:date"), [("a|b", "1.5", "2024-01-05")]),
            CHART,
            Chart("bars", "", (Trace("x", ["a", "b"], [1.0, 2.0], "bars"),)),
        ],
    )
]


def test_the_html_page_stands_alone_and_nothing_in_it_is_markup_of_others():
    page = html("T & t", "lead", SECTIONS)
    assert page.count("<script") >= 2
    assert page.count("plotly.js v") == 1
    assert "<h2>One &lt;b&gt;</h2>" in page
    assert '<td class="n">1.5</td><td class="d">2024-01-05</td>' in page
    assert "<h1>T &amp; t</h1>" in page
    assert page.count('<div class="chart">') == 2


def test_a_page_without_a_chart_carries_no_script():
    assert "<script" not in html("T", "lead", [Section("S", ["text"])])


def test_markdown_escapes_its_marks_and_holds_its_charts():
    text = markdown("T_1", "lead", SECTIONS)
    assert text.startswith("# T\\_1\n")
    assert "Plain \\*text\\* & more" in text
    assert "| a\\|b | 1.5 | 2024-01-05 |" in text
    assert "| --- | --: | --- |" in text
    pictures = re.findall(r"base64,([^)]+)\)", text)
    assert len(pictures) == 2
    drawn = base64.b64decode(pictures[0]).decode()
    assert drawn.startswith("<?xml")
    assert "here" in drawn or "<g id" in drawn


def test_equal_charts_are_equal_text():
    assert markdown("T", "lead", SECTIONS) == markdown("T", "lead", SECTIONS)
