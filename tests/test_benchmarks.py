"""The benchmarks measure what they say: tables with the share of hits asked for, and other engines that answer the same question."""

import datetime as dt
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from benchmarks.conditions import Question, sure
from benchmarks.generate import Pools, Rules, draw, has_finding, pools_of, rules_of
from benchmarks.peers import Work, duckdb_query, pandas_columns, polars_query, slice_of
from benchmarks.peers.plain_python import prepare as plain_python
from benchmarks.report import page, shortfalls, targets
from engine.tree import BOOL, DATE, AddMonths, And, Compare, Literal, Not, Or, Ref, Type

A, B = Ref("甲", BOOL), Ref("乙", BOOL)
NUMBER = Type("number")
FORKLIFT = Or((And((A, Not(B))), Compare(">", Ref("数量", NUMBER), Literal(Decimal(3), NUMBER))))
LATE = Compare(">", Ref("检查日期", DATE), AddMonths(Ref("检验日期", DATE), Literal(Decimal(12), NUMBER)))
ROWS = pl.DataFrame(
    [(True, False, None), (True, None, 3.0), (False, None, 3.0), (None, None, 4.0), (False, False, None)],
    schema={"甲": pl.Boolean, "乙": pl.Boolean, "数量": pl.Float64}, orient="row",
).with_columns(
    pl.lit(dt.date(2025, 3, 1)).alias("检查日期"),
    pl.Series("检验日期", [dt.date(2024, 2, 29), dt.date(2024, 3, 1), None, dt.date(2020, 1, 1), dt.date(2025, 1, 1)]),
)  # fmt: skip


@pytest.fixture(scope="module")
def rules() -> Rules:
    return rules_of("special-equipment")


@pytest.fixture(scope="module")
def pools(rules: Rules) -> Pools:
    return pools_of(rules, 400)


def test_rows_of_the_two_pools_have_a_finding_or_none(rules: Rules, pools: Pools) -> None:
    assert pools.clean.height > 100 and pools.hit.height > 20
    assert not has_finding(pools.clean, rules).any()
    assert has_finding(pools.hit, rules).all()


def test_a_table_has_the_share_of_hits_asked_for(rules: Rules, pools: Pools) -> None:
    table = draw(pools, 2_000, 0.3, seed=1)
    assert 0.25 < has_finding(table.drop("单位名称", "区县"), rules).mean() < 0.35  # type: ignore[operator]
    assert table.columns[:3] == ["单位名称", "区县", "检查日期"]
    assert 150 < table["单位名称"].n_unique() <= 200


def test_about_one_cell_in_twenty_is_blank(pools: Pools) -> None:
    flags = pools.clean.select(pl.selectors.boolean())
    assert 0.03 < sum(flags.null_count().row(0)) / (flags.height * flags.width) < 0.12


@pytest.mark.parametrize("peer", [polars_query, duckdb_query, pandas_columns])
def test_whole_columns_keep_to_three_truth_values(peer: object, tmp_path: Path) -> None:
    # FORKLIFT: true by its first part; unknown (乙 blank, 3 is not above 3); false; true by the number; unknown by the number.
    # LATE: twelve months after 29 February is 28 February, so 1 March is late; 1 March is not; blank; late; not.
    path = tmp_path / "rows.parquet"
    ROWS.write_parquet(path)
    work = Work(path, tuple(ROWS.columns), (), (Question("forklift", FORKLIFT), Question("late", LATE)))
    found = peer.prepare(work).run()  # type: ignore[attr-defined]
    assert {name: tuple(map(int, counts)) for name, counts in found.items()} == {"forklift": (2, 2), "late": (2, 1)}


def test_rows_one_at_a_time_leave_out_reckoned_dates() -> None:
    portion = slice_of(ROWS, (Question("forklift", FORKLIFT), Question("late", LATE)))
    assert [question.id for question in portion.questions] == ["forklift"]
    assert dict(plain_python(portion).run()) == {"forklift": (2,)}


def test_not_is_pushed_down_to_the_leaves() -> None:
    above = Compare(">", Ref("数量", NUMBER), Literal(Decimal(3), NUMBER))
    assert sure(Not(And((A, Or((Not(B), above)))))) == Or((Not(A), And((B, Compare("<=", above.left, above.right)))))


def test_the_report_says_what_falls_short_and_what_was_not_measured() -> None:
    stage = {"floor": 1.0, "judge": 1.1, "enterprises": 1.2, "whole": 2.0}
    found = {
        "machine": {"processor": "x", "cores": 2, "memory_mb": 2048, "system": "Linux", "python": "3.11", "versions": {"polars": "2.1"}, "load": 0.1},
        "rows": 1000, "runs": 3, "command": "python -m benchmarks.run",
        "sectors": {"gas": {"title": "燃气", "table": {"criteria": 1, "columns": 4, "used_columns": 3}, "stages": {"0.03": stage, "0.3": stage}}},
    }  # fmt: skip
    lines = shortfalls(found)
    assert lines[0].endswith("2.00 倍（目标至多 1.3 倍）")
    assert {one.what: one.reached for one in targets(found)}["燃气：命中 0.1%、3%、30% 之间的耗时之比"] is True
    assert sum("没有量" in line for line in lines) == len(lines) - 1
    assert "| 3.0% | 1.00 秒 | 1.10 秒 | 1.20 秒 | 2.00 秒 | — | 2.0 倍 |" in page(found)
