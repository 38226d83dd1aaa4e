"""docs/semantics.md is kept: every row of every table of it is put before the interpreter and before the engine."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from engine import Result
from engine.columnar import Compiler, evaluate as evaluate_columns
from engine.condition import parse
from engine.pack import Pack, Sector
from engine.report.data import TABLES
from engine.report.text import render
from engine.tree import BOOL, DATE, Expr, Type

from . import interpreter
from .conditions import dictionary, frame_of
from .packs import ID, by_both, by_interpreter, page_pack, run_engine
from .page import BLANK, Example, PageTable, cell, examples, result, table, tables, truth

Row = dict[str, object]
WANTED = {"truth": BOOL, "number": Type("number"), "date": DATE}
TRUTHS = {"met": True, "not_met": False, "undetermined": None}


def compiled(text: str, kind: str = "truth") -> Expr:
    expr, errors = parse(text, dictionary(), WANTED[kind])
    assert expr is not None, (text, errors)
    return expr


def by_columns(expr: Expr, row: Row) -> object:
    return evaluate_columns(expr, frame_of([row]) if row else frame_of([{"检查日期": None}]), dictionary())[0]


BOTH = pytest.mark.parametrize("evaluate", [interpreter.evaluate, by_columns], ids=["interpreter", "engine"])
Evaluate = Callable[[Expr, Row], object]


def cells_of(names: tuple[str, ...], texts: tuple[str, ...]) -> Row:
    return {name: cell(text, dictionary()[name]) for name, text in zip(names, texts, strict=True)}


def same(found: object, expected: object) -> bool:
    if isinstance(expected, Decimal) and isinstance(found, Fraction):
        return found == Fraction(expected)
    if isinstance(expected, Decimal) and isinstance(found, float | int):
        return found == pytest.approx(float(expected), rel=1e-12, abs=1e-12)
    return found is expected if expected is None or isinstance(expected, bool) else found == expected


@BOTH
@pytest.mark.parametrize("example", examples(), ids=str)
def test_a_condition_gives_what_the_page_says(example: Example, evaluate: Evaluate) -> None:
    row = cells_of(tuple(name for name, _ in example.cells), tuple(text for _, text in example.cells))
    found = evaluate(compiled(example.condition, example.kind), row)
    assert same(found, result(example.expected, example.kind)), found


def kleene() -> list[tuple[str, str, str, str]]:
    """(operator, left, right, expected) of the tables of NOT, AND and OR."""
    found = [("NOT", value, BLANK, expected) for value, expected in table("NOT").rows]
    for op in ("AND", "OR"):
        for left, *row in table(op).rows:
            found += [(op, left, right, expected) for right, expected in zip(table(op).header[1:], row, strict=True)]
    return found


@BOTH
@pytest.mark.parametrize(("op", "left", "right", "expected"), kleene())
def test_not_and_or_follow_kleenes_tables(op: str, left: str, right: str, expected: str, evaluate: Evaluate) -> None:
    row: Row = {"甲": truth(left), "乙": None if right == BLANK else truth(right)}
    assert evaluate(compiled("NOT 甲" if op == "NOT" else f"甲 {op} 乙"), row) is truth(expected)


COUNTS = table("甲", "乙", "丙", "certain")


@BOTH
@pytest.mark.parametrize(("cells", "comparison", "expected"), [
    (row[:3], comparison, expected) for row in COUNTS.rows for comparison, expected in zip(COUNTS.header[5:], row[5:], strict=True)
])  # fmt: skip
def test_a_comparison_with_a_count_holds_for_the_whole_interval(cells: tuple[str, ...], comparison: str, expected: str, evaluate: Evaluate) -> None:
    assert evaluate(compiled(f"COUNT_MET(甲, 乙, 丙) {comparison}"), cells_of(("甲", "乙", "丙"), cells)) is truth(expected)


@pytest.mark.parametrize("row", COUNTS.rows)
def test_a_count_runs_from_the_certain_to_the_possible(row: tuple[str, ...]) -> None:
    cells, ends = cells_of(("甲", "乙", "丙"), row[:3]), (int(row[3]), int(row[4]))
    expr = compiled("COUNT_MET(甲, 乙, 丙)", "number")
    assert interpreter.evaluate(expr, cells) == interpreter.Interval(Fraction(ends[0]), Fraction(ends[1]))  # type: ignore[arg-type]
    number = Compiler(list(cells)).number(expr)
    assert frame_of([cells]).select(number.low.alias("low"), number.high.alias("high")).row(0) == ends


@pytest.fixture(scope="module")
def applicability(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    return page_pack(tmp_path_factory.mktemp("applies"), [{"applies": "甲", "when": "乙"}, {"when": "乙"}])


@pytest.mark.parametrize(("applies", "when", "verdict", "suspected"), table("applies", "when", "verdict").rows)
def test_applicability_and_condition_make_the_verdict(applicability: Pack, applies: str, when: str, verdict: str, suspected: str) -> None:
    rows = [{"检查日期": dt.date(2024, 1, 1), "甲": truth(applies), "乙": truth(when)}]
    found = by_both(applicability, rows)
    assert found[f"{ID}/1"] == [(verdict, suspected == "yes")]
    if applies == "true":
        assert found[f"{ID}/2"] == [(verdict, False)], "without `applies` a criterion applies always"
    answer = run_engine(applicability, rows)
    (explained,) = answer.explain(criterion=f"{ID}/1")
    assert (explained.verdict, explained.suspected) == (verdict, suspected == "yes")
    listed = [one["suspected"] for one in answer.undetermined.to_pylist() if one["criterion"] == f"{ID}/1"]
    assert listed == ([suspected == "yes"] if verdict == "undetermined" else [])


@pytest.mark.parametrize(("start", "end", "day", "expected"), table("from", "to").rows)
@pytest.mark.parametrize("own", [False, True], ids=["document", "criterion"])
def test_an_edition_is_in_force_from_its_first_to_its_last_day(tmp_path: Path, start: str, end: str, day: str, expected: str, own: bool) -> None:
    last = None if end == BLANK else end
    if own:
        period = {"from": start} if last is None else {"from": start, "to": last}
        pack = page_pack(tmp_path, [{"when": "甲", "in_force": period}])
    else:
        pack = page_pack(tmp_path, [{"when": "甲"}], start, last)
    found = by_both(pack, [{"检查日期": dt.date.fromisoformat(day), "甲": value} for value in (True, False, None)])
    verdicts = [verdict for verdict, _ in found[f"{ID}/1"]]
    assert verdicts == (["met", "not_met", "undetermined"] if expected == "yes" else ["not_in_force"] * 3)


def test_a_row_without_a_date_is_judged_as_of_the_day_named_which_stands_for_it_in_conditions_too(tmp_path: Path) -> None:
    pack = page_pack(tmp_path, [{"when": "检查日期 > DATE '2024-05-31'"}, {"when": "检查日期 > DATE '2024-06-01'"}], "2024-06-01")
    found = by_both(pack, [{"检查日期": None, "甲": True}, {"检查日期": dt.date(2024, 5, 31), "甲": True}])
    assert found == {f"{ID}/1": [("met", False), ("not_in_force", False)], f"{ID}/2": [("not_met", False), ("not_in_force", False)]}


COVERED = table("applies", "when", "columns").rows
FREE: dict[str, tuple[object, ...]] = {
    "bool": (True, False, None), "date": (dt.date(2024, 1, 1), dt.date(2024, 1, 2), None),
}  # fmt: skip


def can_be_met(sector: Sector, columns: list[str]) -> bool:
    """Whether some row of a table with these columns is met, by trying them all."""
    kinds = [FREE[dictionary()[name].type] for name in columns]
    return any(by_interpreter(sector, [dict(zip(columns, cells, strict=True))])[f"{ID}/1"] == [("met", False)] for cells in itertools.product(*kinds))


@pytest.mark.parametrize(("applies", "when", "columns", "covered"), COVERED)
def test_a_criterion_that_no_row_could_meet_is_not_covered(tmp_path: Path, applies: str, when: str, columns: str, covered: str) -> None:
    criterion = {"when": when} if applies == BLANK else {"applies": applies, "when": when}
    pack = page_pack(tmp_path, [criterion])
    names = columns.split(", ")
    assert can_be_met(pack.sectors["semantics"], names) == (covered == "yes")
    answer = run_engine(pack, [dict.fromkeys(names), dict.fromkeys(names)])
    (state,) = answer.coverage.to_pylist()
    assert state["state"] == ("covered" if covered == "yes" else "not_covered")
    assert state["undetermined"] == 2
    assert answer.undetermined.num_rows == (2 if covered == "yes" else 0), "what is not covered is said once, not for each row"
    for more in state["missing"]:
        assert can_be_met(pack.sectors["semantics"], [*names, *more]), f"{more} does not unlock it"


def derivations() -> list[tuple[str, tuple[str, ...], tuple[str, ...], str, str]]:
    """(field, names of facts, their cells, the field's own cell, value) of the tables of derived fields."""
    found = []
    for one in tables():
        if one.header[0] == "derived":
            found += [(row[0], one.header[1:-2], row[1:-2], row[-2], row[-1]) for row in one.rows]
    return found


@pytest.mark.parametrize(("name", "facts", "texts", "own", "expected"), derivations())
def test_a_field_is_derived_where_its_cell_is_blank(
    tmp_path: Path, name: str, facts: tuple[str, ...], texts: tuple[str, ...], own: str, expected: str
) -> None:
    field = dictionary()[name]
    values = {"bool": ["是", "否"], "enum": list(field.values)}.get(field.type, ["11", "12"])
    asked = {"bool": "{0} = {1}", "enum": "{0} = '{1}'"}.get(field.type, "{0} = {1}")
    spelled = {"是": "TRUE", "否": "FALSE"}
    pack = page_pack(tmp_path, [{"when": asked.format(name, spelled.get(value, value))} for value in values])
    row = cells_of(facts, texts)
    for whole in [{**row, name: cell(own, field)}] + ([row] if own == BLANK else []):  # a blank cell, or no column at all
        found = [verdicts[0][0] for verdicts in by_both(pack, [whole]).values()]
        assert found == ["undetermined" if expected == BLANK else "met" if value == expected else "not_met" for value in values]


AGGREGATED: list[tuple[str, str, str]] = [
    (cells, condition, expected)
    for cells, *row in table("cells of 甲").rows
    for condition, expected in zip(table("cells of 甲").header[1:], row, strict=True)
]


@pytest.mark.parametrize(("cells", "condition", "expected"), AGGREGATED)
def test_a_count_any_or_all_over_the_rows_of_one_inspection(tmp_path: Path, cells: str, condition: str, expected: str) -> None:
    pack = page_pack(tmp_path, [{"when": condition}])
    values = [cell(text, dictionary()["甲"]) for text in cells.split()]
    mine: list[Row] = [{"检查编号": "一", "甲": value} for value in values]
    others: list[Row] = [
        {"检查编号": "二", "甲": True},
        {"检查编号": "二", "甲": False},
        {"检查编号": None, "甲": True},
        {"检查编号": None, "甲": True},
    ]
    found = [verdict for verdict, _ in by_both(pack, [*mine, *others])[f"{ID}/1"]]
    assert [TRUTHS[verdict] for verdict in found[: len(mine)]] == [truth(expected)] * len(mine)
    assert found[-2:] == ["undetermined"] * 2, "a row whose `same` is blank belongs to no group"


@pytest.mark.parametrize(("cells", "name", "expected"), [
    (cells, name, expected)
    for cells, *row in table("cells of 数量").rows
    for name, expected in zip(table("cells of 数量").header[1:], row, strict=True)
])  # fmt: skip
def test_a_sum_a_least_and_a_greatest_over_the_rows_of_one_inspection(tmp_path: Path, cells: str, name: str, expected: str) -> None:
    limit = "0" if expected == BLANK else expected
    pack = page_pack(tmp_path, [{"when": f"{name} {op} {limit}"} for op in ("=", "<", ">")])
    rows: list[Row] = [{"检查编号": "一", "数量": cell(text, dictionary()["数量"])} for text in cells.split()]
    rows += [{"检查编号": "二", "数量": 1000.0}, {"检查编号": None, "数量": -1000.0}]
    found = by_both(pack, rows)
    wanted = ["undetermined"] * 3 if expected == BLANK else ["met", "not_met", "not_met"]
    assert [found[f"{ID}/{n}"][0][0] for n in (1, 2, 3)] == wanted
    assert all(found[f"{ID}/{n}"][-1] == ("undetermined", False) for n in (1, 2, 3)), "a row whose `same` is blank belongs to no group"


def test_met_is_true_where_a_criterion_is_met_and_false_where_it_is_not_or_does_not_apply_or_is_not_in_force(tmp_path: Path) -> None:
    first = {"applies": "甲", "when": "乙", "in_force": {"from": "2024-01-01"}}
    pack = page_pack(tmp_path, [first, {"when": f"MET('{ID}/1')"}, {"when": f"NOT MET('{ID}/1')"}])
    inside, before = dt.date(2024, 1, 1), dt.date(2023, 12, 31)
    rows = [{"检查日期": day, "甲": a, "乙": b} for day, a, b in (
        (inside, True, True), (inside, True, False), (inside, False, True), (inside, True, None), (before, True, True), (before, None, None),
    )]  # fmt: skip
    found = by_both(pack, rows)
    assert [v for v, _ in found[f"{ID}/1"]] == ["met", "not_met", "not_applicable", "undetermined", "not_in_force", "not_in_force"]
    assert [v for v, _ in found[f"{ID}/2"]] == ["met", "not_met", "not_met", "undetermined", "not_met", "not_met"]
    assert [v for v, _ in found[f"{ID}/3"]] == ["not_met", "met", "met", "undetermined", "met", "met"]


def text_of(answer: Result) -> str:
    """The report that a terminal shows."""
    return render(answer, {name: getattr(answer, name) for name in TABLES}, 100, False, "表")


@pytest.mark.parametrize(("status", "at_work", "with_unverified", "marked"), table("status").rows)
def test_the_status_of_a_criterion_says_whether_it_is_at_work_and_marked(
    tmp_path: Path, status: str, at_work: str, with_unverified: str, marked: str
) -> None:
    pack = page_pack(tmp_path, [{"when": "甲", "status": status}])
    for include, expected in ((False, at_work), (True, with_unverified)):
        answer = run_engine(pack, [{"甲": True}], include)
        assert [one["status"] for one in answer.findings.to_pylist()] == ([status] if expected == "yes" else [])
        assert answer.manifest["criteria_off"] == (0 if expected == "yes" else 1)
        if expected == "yes":
            assert ("依据待核" in text_of(answer)) == (marked == "yes")


READ_ABOVE = ("NOT", "AND", "OR", "condition", "applies", "from", "甲", "derived", "cells of 甲", "cells of 数量", "status")


def test_every_table_of_the_page_is_read_by_a_test_above() -> None:
    assert len(tables()) >= 29
    left_out = [one.header for one in tables() if not _is_read(one)]
    assert left_out == []


def _is_read(one: PageTable) -> bool:
    return one.header[0] in READ_ABOVE and (one.header[0] != "甲" or one.header[3] == "certain")
