"""The laws of the logic, on random conditions, fields, blanks and packs.

Kleene's laws hold of whole columns; knowledge never reverses a verdict; and the engine, which judges in columns, finds what the interpreter,
which judges row by row, finds.
"""

from __future__ import annotations

import datetime as dt
from functools import cache
from pathlib import Path

import polars as pl
import pytest
from hypothesis import event, given, settings, strategies as st

from engine.columnar import evaluate as evaluate_columns
from engine.condition import MAX_LENGTH, parse
from engine.pack import Sector
from engine.tree import Expr

from . import interpreter
from .conditions import Choice, Text, conditions, dictionary, facts, filled, frame_of, rows
from .packs import AS_OF, ID, by_both, by_interpreter, page_pack
from .random_packs import RandomPack, packs

Row = dict[str, object]
PLAIN = Choice()
NO_NULL_TESTS = Choice(null_tests=False)
KEYS = ("检查日期", "检查编号")
"""What says which row is judged, on which day: not a fact that may be learnt later."""


def compiled(text: str) -> Expr:
    expr, errors = parse(text, dictionary())
    assert expr is not None, (text, errors)
    return expr


def columns(text: str, cells: list[Row]) -> list[bool | None]:
    """The truth of the condition on each row, in columns."""
    return evaluate_columns(compiled(text), frame_of(cells), dictionary()).to_list()


def grown(*parts: Text) -> list[str]:
    """The parts in brackets."""
    return [f"({part.rule})" for part in parts]


LAWS = {
    "double negation": ("NOT (NOT {a})", "{a}"),
    "De Morgan, and": ("NOT ({a} AND {b})", "NOT {a} OR NOT {b}"),
    "De Morgan, or": ("NOT ({a} OR {b})", "NOT {a} AND NOT {b}"),
    "and distributes over or": ("{a} AND ({b} OR {c})", "({a} AND {b}) OR ({a} AND {c})"),
    "or distributes over and": ("{a} OR ({b} AND {c})", "({a} OR {b}) AND ({a} OR {c})"),
    "absorption, and": ("{a} AND ({a} OR {b})", "{a}"),
    "absorption, or": ("{a} OR ({a} AND {b})", "{a}"),
    "idempotence, and": ("{a} AND {a}", "{a}"),
    "idempotence, or": ("{a} OR {a}", "{a}"),
    "and commutes": ("{a} AND {b}", "{b} AND {a}"),
    "or commutes": ("{a} OR {b}", "{b} OR {a}"),
    "and associates": ("{a} AND ({b} AND {c})", "({a} AND {b}) AND {c}"),
    "or associates": ("{a} OR ({b} OR {c})", "({a} OR {b}) OR {c}"),
    "true is neutral": ("{a} AND TRUE", "{a}"),
    "false is neutral": ("{a} OR FALSE", "{a}"),
    "false rules": ("{a} AND FALSE", "FALSE"),
    "true rules": ("{a} OR TRUE", "TRUE"),
    "one of one": ("COUNT_MET({a}) = 1", "{a}"),
    "at least one of them is or": ("COUNT_MET({a}, {b}, {c}) >= 1", "{a} OR {b} OR {c}"),
    "all of them is and": ("COUNT_MET({a}, {b}, {c}) >= 3", "{a} AND {b} AND {c}"),
    "none of them is neither": ("COUNT_MET({a}, {b}) < 1", "NOT ({a} OR {b})"),
    "two of three": ("COUNT_MET({a}, {b}, {c}) >= 2", "({a} AND {b}) OR ({a} AND {c}) OR ({b} AND {c})"),
}


@pytest.mark.parametrize("law", LAWS)
@settings(max_examples=25)
@given(parts=st.tuples(*[conditions(PLAIN, 4)] * 3), cells=rows(PLAIN))
def test_a_law_of_kleenes_logic_holds_of_whole_columns(law: str, parts: tuple[Text, Text, Text], cells: list[Row]) -> None:
    left, right = (side.format(**dict(zip("abc", grown(*parts), strict=True))) for side in LAWS[law])
    if len(left) < MAX_LENGTH and len(right) < MAX_LENGTH:
        assert columns(left, cells) == columns(right, cells)


@settings(max_examples=400)
@given(condition=conditions(PLAIN), cells=rows(PLAIN))
def test_columns_and_rows_give_the_same_truth(condition: Text, cells: list[Row]) -> None:
    expr = compiled(condition.rule)
    by_row = [interpreter.evaluate(expr, row) for row in cells]  # type: ignore[arg-type]
    event(f"{len(set(by_row))} kinds of truth")
    assert columns(condition.rule, cells) == by_row


@settings(max_examples=200)
@given(condition=conditions(PLAIN), cells=rows(PLAIN), lacking=st.sets(st.sampled_from(sorted(facts()))))
def test_a_field_without_a_column_is_unknown_on_every_row(condition: Text, cells: list[Row], lacking: set[str]) -> None:
    kept = [{name: value for name, value in row.items() if name not in lacking} for row in cells]
    expr = compiled(condition.rule)
    by_row = [interpreter.evaluate(expr, row) for row in kept]  # type: ignore[arg-type]
    frame = pl.DataFrame({"": range(len(cells))}) if not kept[0] else frame_of(kept)
    assert evaluate_columns(expr, frame, dictionary()).to_list() == by_row


def learnt(row: Row, more: Row, which: set[str]) -> Row:
    """The row with some blanks filled, keys excepted."""
    return filled(row, more, which - set(KEYS))


@settings(max_examples=300)
@given(condition=conditions(NO_NULL_TESTS), before=rows(NO_NULL_TESTS, size=4), data=st.data())
def test_filling_in_a_blank_never_reverses_a_truth(condition: Text, before: list[Row], data: st.DataObject) -> None:
    after = [data.draw(refilled(row)) for row in before]
    for old, new in zip(columns(condition.rule, before), columns(condition.rule, after), strict=True):
        assert old is None or new is old


def refilled(row: Row) -> st.SearchStrategy[Row]:
    """The row with some of its blanks filled."""
    one = rows(NO_NULL_TESTS, blanks=False, size=1).map(lambda some: some[0])
    names = sorted(facts())
    which = st.one_of(st.sets(st.sampled_from(names)), st.just(set(names)))
    return st.builds(lambda more, these: learnt(row, more, these), one, which)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("packs")


@settings(max_examples=100)
@given(pack=packs(PLAIN), cells=rows(PLAIN, size=8), lacking=st.sets(st.sampled_from(sorted(facts())), max_size=3))
def test_the_engine_finds_the_verdicts_that_the_interpreter_finds(folder: Path, pack: RandomPack, cells: list[Row], lacking: set[str]) -> None:
    kept = [{name: value for name, value in row.items() if name not in lacking} for row in cells]
    found = by_both(page_pack(folder, pack.criteria), kept)
    event(f"{len({verdict for verdicts in found.values() for verdict in verdicts})} kinds of verdict")


SAME = {"not_met": "no hazard", "not_applicable": "no hazard"}


@settings(max_examples=100)
@given(pack=packs(NO_NULL_TESTS), before=rows(NO_NULL_TESTS, size=4), data=st.data())
def test_filling_in_a_blank_never_reverses_a_verdict(folder: Path, pack: RandomPack, before: list[Row], data: st.DataObject) -> None:
    loaded = page_pack(folder, pack.criteria)
    (sector,) = loaded.sectors.values()
    after = [data.draw(refilled(row)) for row in before]
    if contradict(sector, after):
        event("contradicts itself")
        return
    old, new = by_both(loaded, before), by_both(loaded, after)
    for criterion, verdicts in old.items():
        for (was, _), (now, _) in zip(verdicts, new[criterion], strict=True):
            event(f"{was} to {now}")
            assert was == "undetermined" or SAME.get(was, was) == SAME.get(now, now), (criterion, was, now)


@cache
def both_kinds() -> tuple[Expr, Expr]:
    """The two cases of 设备大类."""
    return compiled("品种 = '蒸汽锅炉' OR 甲"), compiled("品种 = '乘客电梯' OR 乙")


def contradict(sector: Sector, cells: list[Row]) -> bool:
    """Whether two cases of the enum 设备大类 are true on one row: a data defect, of which point 7 promises nothing."""
    assert "设备大类" in sector.derived
    boiler, lift = both_kinds()
    return any(interpreter.evaluate(boiler, row) is True and interpreter.evaluate(lift, row) is True for row in cells)  # type: ignore[arg-type]


def test_a_contradiction_is_no_verdict(tmp_path: Path) -> None:
    pack = page_pack(tmp_path, [{"when": "设备大类 = '锅炉'"}, {"when": "设备大类 = '电梯'"}])
    rows_of_two: list[Row] = [{"甲": True, "乙": None}, {"甲": True, "乙": True}]
    assert by_both(pack, rows_of_two) == {
        f"{ID}/1": [("met", False), ("undetermined", False)], f"{ID}/2": [("not_met", False), ("undetermined", False)],
    }  # fmt: skip


def test_the_interpreter_judges_as_the_clause_reads(tmp_path: Path) -> None:
    """A check on the checker: derived by hand, through a count over an inspection, a derived date and MET."""
    (sector,) = page_pack(
        tmp_path, [{"applies": "类别 = '电梯'", "when": "已超期 AND 违规条数 >= 2"}, {"when": f"MET('{ID}/1') OR 数量 > 限额"}]
    ).sectors.values()
    due = dt.date(2024, 5, 31)
    cells: list[Row] = [
        {"检查编号": "一", "类别": "电梯", "到期日期": due, "甲": True, "数量": 11.0, "限值": 10.0},
        {"检查编号": "一", "类别": None, "到期日期": due, "甲": True, "数量": 11.1, "限值": 10.0},
        {"检查编号": "二", "类别": "电梯", "到期日期": AS_OF, "甲": None, "数量": None, "限值": 10.0},
        {"检查编号": "二", "类别": "锅炉", "到期日期": None, "甲": True, "数量": 1.0, "限值": 10.0},
    ]
    assert by_interpreter(sector, cells) == {
        f"{ID}/1": [("met", False), ("undetermined", True), ("not_met", False), ("not_applicable", False)],
        f"{ID}/2": [("met", False), ("met", False), ("undetermined", False), ("not_met", False)],
    }
