"""Filling in blanks never leaves [level, level_possible], and no certain measure is taken back."""

from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl
from hypothesis import given, settings, strategies as st

from .test_escalate import SECTOR, frame, hits, put

BLANKS = {
    "拒不整改": st.sampled_from([None, True, False]),
    "处罚次数": st.sampled_from([None, 2, 3]),
    "能当场整改": st.sampled_from([None, True, False]),
}
TYPES = {"拒不整改": pl.Boolean(), "处罚次数": pl.Int64(), "能当场整改": pl.Boolean(), "整改期限": pl.Date(), "隐患已整改": pl.Boolean()}
FILLED = {"拒不整改": st.booleans(), "处罚次数": st.integers(0, 4), "能当场整改": st.booleans()}
DAYS = st.sampled_from([dt.date(2023, 5, 1), dt.date(2023, 8, 1), dt.date(2024, 6, 1)])


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[tuple[int, int, bool]], list[dict[str, Any]], list[tuple[int, int, bool]]]:
    """A table with its hits, and the same with its blanks filled in."""
    rows: list[dict[str, Any]] = []
    found: list[tuple[int, int, bool]] = []
    for number in range(draw(st.integers(1, 5))):
        row: dict[str, Any] = {name: draw(cell) for name, cell in BLANKS.items()}
        row |= {"__enterprise": draw(st.sampled_from("甲乙")), "__date": draw(DAYS), "__subject": draw(st.sampled_from(["一", "二"]))}
        row |= {"整改期限": draw(st.one_of(st.none(), DAYS)), "隐患已整改": draw(st.sampled_from([None, True, False]))}
        rows.append(row)
        for which in draw(st.sets(st.integers(0, len(SECTOR.criteria) - 1), max_size=4)):
            found.append((number, which, draw(st.booleans())))
    filled = []
    touched = {row for row, _, _ in found}
    for number, row in enumerate(rows):
        new = row | {name: draw(cell) for name, cell in FILLED.items() if row[name] is None}
        if row["整改期限"] is None and number in touched:
            new["整改期限"] = draw(DAYS)
        filled.append(new)
    settled = [(row, which, True) for row, which, met in found if met or draw(st.booleans())]
    return rows, found, filled, settled


@settings(max_examples=150, deadline=None)
@given(tables())
def test_filling_in_blanks_stays_between_the_levels(case: tuple[Any, Any, Any, Any]) -> None:
    rows, found, filled, settled = case
    before = {one["enterprise"]: one for one in put(frame(*rows, **TYPES), hits(*found))}
    after = {one["enterprise"]: one for one in put(frame(*filled, **TYPES), hits(*settled))}
    for name, one in after.items():
        low, high = before[name]["level_rank"] or 0, before[name]["level_possible_rank"] or 0
        assert low <= (one["level_rank"] or 0) <= (one["level_possible_rank"] or 0) <= high
        certain = {measure["id"] for measure in before[name]["measures"] if measure["certain"]}
        possible = {measure["id"] for measure in before[name]["measures"]}
        now = {measure["id"] for measure in one["measures"] if measure["certain"]}
        assert certain <= now <= possible
