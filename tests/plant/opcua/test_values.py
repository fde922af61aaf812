"""What the server says and what it means to us."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

ua = pytest.importorskip("asyncua", reason="needs asyncua").ua

from orchestrator.errors import ConfigurationError  # noqa: E402
from orchestrator.plant.opcua.mapping import by_uri, matched, resolved  # noqa: E402
from orchestrator.plant.opcua.values import microseconds, moment, reading_of  # noqa: E402
from orchestrator.plant.samples import Quality  # noqa: E402

AT = datetime(2026, 3, 1, 6, 0, 0, 250_000, tzinfo=UTC)
SPACES = ("http://opcfoundation.org/UA/", "urn:server", "urn:plant")


@pytest.mark.parametrize(
    ("held", "status", "value", "quality"),
    [
        (5, ua.StatusCodes.Good, 5.0, Quality.GOOD),
        (True, ua.StatusCodes.Good, 1.0, Quality.GOOD),
        (2.5, ua.StatusCodes.GoodLocalOverride, 2.5, Quality.GOOD),
        (2.5, ua.StatusCodes.UncertainLastUsableValue, 2.5, Quality.UNCERTAIN),
        (2.5, ua.StatusCodes.BadSensorFailure, np.nan, Quality.BAD),
        ("open", ua.StatusCodes.Good, np.nan, Quality.BAD),
        ([1.0, 2.0], ua.StatusCodes.Good, np.nan, Quality.BAD),
        (float("inf"), ua.StatusCodes.Good, np.nan, Quality.BAD),
        (None, ua.StatusCodes.Good, np.nan, Quality.BAD),
    ],
)
def test_value_and_status(held: object, status: int, value: float, quality: Quality) -> None:
    data = ua.DataValue(ua.Variant(held), ua.StatusCode(status), SourceTimestamp=AT)
    found = reading_of(3, data, 0)
    assert (found.column, found.time, found.quality) == (3, microseconds(AT), quality)
    np.testing.assert_equal(found.value, value)


def test_time_is_the_sources_else_the_servers_else_that_of_receipt() -> None:
    later = AT + timedelta(seconds=1)
    both = ua.DataValue(ua.Variant(1.0), SourceTimestamp=AT, ServerTimestamp=later)
    assert reading_of(0, both, 7).time == microseconds(AT)
    server = ua.DataValue(ua.Variant(1.0), ServerTimestamp=later)
    assert reading_of(0, server, 7).time == microseconds(later)
    assert reading_of(0, ua.DataValue(ua.Variant(1.0)), 7).time == 7
    assert moment(microseconds(AT)) == AT


def test_bad_value_without_any_time_is_no_sample() -> None:
    waiting = ua.StatusCode(ua.StatusCodes.BadWaitingForInitialData)
    assert reading_of(0, ua.DataValue(StatusCode=waiting), 7) is None
    answered = ua.DataValue(StatusCode=waiting, ServerTimestamp=AT)
    assert reading_of(0, answered, 7) is None


def test_node_ids_survive_a_new_numbering_of_name_spaces() -> None:
    node = ua.NodeId("a;b=c", 2)
    text = by_uri(node, SPACES)
    assert text == "nsu=urn:plant;s=a;b=c"
    assert resolved(text, SPACES) == node
    assert resolved(text, (SPACES[0], "urn:plant")) == ua.NodeId("a;b=c", 1)
    assert resolved("ns=2;i=17", SPACES) == ua.NodeId(17, 2)
    assert by_uri(ua.NodeId(2258), SPACES) == "i=2258"


@pytest.mark.parametrize("text", ["nsu=urn:gone;s=A", "FI101", "ns=x;s=A", ""])
def test_node_that_cannot_be_meant(text: str) -> None:
    with pytest.raises(ConfigurationError, match="node"):
        resolved(text, SPACES)


def test_only_a_name_that_is_there_once_is_matched() -> None:
    found = {"A": ["i=1"], "B": ["i=2", "i=3"]}
    assert matched(["A", "B", "C"], found) == {"A": "i=1"}
