"""On-delay and off-delay against a plain loop, and cut into blocks."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from orchestrator.monitoring.delays import Delay


def by_loop(over: np.ndarray, on: int, off: int) -> list[tuple[int, int, bool]]:
    switches = []
    for channel in range(over.shape[1]):
        state, above, below = False, 0, 0
        for row, is_over in enumerate(over[:, channel]):
            above, below = (above + 1, 0) if is_over else (0, below + 1)
            if not state and above >= on:
                state = True
                switches.append((row, channel, True))
            elif state and below >= off:
                state = False
                switches.append((row, channel, False))
    return sorted(switches)


masks = arrays(np.bool_, st.tuples(st.integers(1, 60), st.integers(1, 4)))


@settings(deadline=None)
@given(masks, st.integers(1, 5), st.integers(1, 5), st.lists(st.integers(0, 60), max_size=6))
def test_switches_are_those_of_a_plain_loop_however_the_rows_are_cut(
    over: np.ndarray, on: int, off: int, cuts: list[int]
) -> None:
    delay = Delay(over.shape[1], on, off)
    found = []
    edges = sorted({0, len(over), *(cut for cut in cuts if cut < len(over))})
    for first, last in itertools.pairwise(edges):
        switches = delay.step(over[first:last])
        found += [
            (int(row) + first, int(channel), bool(state))
            for row, channel, state in zip(
                switches.rows, switches.channels, switches.on, strict=True
            )
        ]
    assert found == by_loop(over, on, off)
