"""Nothing is handed on twice, and nothing is taken for known that is not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.plant.opcua.gaps import Gaps
from orchestrator.plant.opcua.values import Reading


def at(*times: int, column: int = 0) -> list[Reading]:
    return [Reading(column, time, float(time), 0) for time in times]


def times(readings: list[Reading]) -> list[int]:
    return [reading.time for reading in readings]


def test_value_of_before_the_loss_is_not_taken_again() -> None:
    gaps = Gaps(1)
    gaps.live(at(1, 2))
    gaps.connection_lost()
    assert times(gaps.live(at(2, 3))) == [3]


def test_history_that_overtakes_the_subscription_is_handed_on_once() -> None:
    gaps = Gaps(1)
    gaps.live(at(1))
    gaps.connection_lost()
    assert times(gaps.live(at(4))) == [4]
    assert times(gaps.past(at(1, 2, 3, 4, 5, 6))) == [2, 3, 5, 6]
    gaps.close([0])
    assert times(gaps.live(at(5, 6, 7))) == [7]


def test_gap_that_was_not_filled_stays_open_through_the_next_connection() -> None:
    gaps = Gaps(1)
    gaps.live(at(1))
    gaps.connection_lost()
    gaps.live(at(5))
    gaps.connection_lost()
    gaps.live(at(9))
    assert gaps.open_columns() == [0]
    assert times(gaps.past(at(*range(1, 10)))) == [2, 3, 4, 6, 7, 8]


def test_nothing_up_to_the_stored_time_is_handed_on_after_a_restart() -> None:
    gaps = Gaps(2)
    gaps.start_after(10)
    gaps.connection_lost()
    assert times(gaps.live(at(10) + at(12, column=1))) == [12]
    assert times(gaps.past(at(9, 10, 11) + at(11, 12, column=1))) == [11, 11]


def test_corrected_value_of_the_same_time_is_a_new_reading() -> None:
    gaps = Gaps(1)
    gaps.live(at(1))
    assert gaps.live(at(1)) == []
    assert gaps.live([Reading(0, 1, 99.0, 0)]) == [Reading(0, 1, 99.0, 0)]


def test_what_is_in_flight_when_the_connection_is_lost_again_is_known_too() -> None:
    gaps = Gaps(1)
    gaps.live(at(1))
    gaps.connection_lost()
    gaps.live(at(4))
    gaps.past(at(1, 2, 3, 4, 5, 6))
    gaps.close([0])
    gaps.connection_lost()
    assert times(gaps.live(at(5, 6, 7))) == [7]


@given(
    st.lists(
        st.tuples(st.integers(1, 6), st.integers(0, 6), st.integers(0, 6), st.booleans()),
        min_size=1,
        max_size=8,
    )
)
def test_each_sample_comes_exactly_once_whatever_fails(
    turns: list[tuple[int, int, int, bool]],
) -> None:
    """Each turn is a connection: unheard samples, samples up to the read of history, later ones."""
    gaps = Gaps(1)
    now = 1
    handed_on = times(gaps.live(at(now)))
    for unheard, before_read, in_flight, fills in turns:
        gaps.connection_lost()
        now += unheard
        handed_on += times(gaps.live(at(now)))  # the value as it is now
        delivered = now + before_read
        handed_on += times(gaps.live(at(*range(now + 1, delivered + 1))))
        now = delivered + in_flight
        if fills:
            handed_on += times(gaps.past(at(*range(1, now + 1))))
            gaps.close([0])
            handed_on += times(gaps.live(at(*range(delivered + 1, now + 1))))
        else:
            now = delivered
    gaps.connection_lost()
    handed_on += times(gaps.past(at(*range(1, now + 1))))
    assert sorted(handed_on) == list(range(1, now + 1))
