"""Cells that give bounds of a value: what they decide, what they leave open, and that filling in the value never reverses it."""

import datetime as dt
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings, strategies as st

from engine import judge
from engine.pack import Library, open_library

PACK = {
    "pack.yaml": "pack: {id: p, title: 包, version: '1'}\n",
    "a/fields.yaml": """sector: a
title: 甲
fields:
  单位名称: {type: text, role: enterprise, meaning: 单位}
  检查日期: {type: date, role: date, meaning: 日期}
  箱数: {type: integer, unit: 箱, meaning: 箱数}
  核定箱数: {type: integer, unit: 箱, meaning: 核定}
  长度: {type: number, unit: m, meaning: 长度}
  到期日期: {type: date, meaning: 到期}
  上次检验: {type: date, meaning: 上次}
  余量: {type: number, unit: 箱, meaning: 余量, derive: 核定箱数 - 箱数}
  下次检验: {type: date, meaning: 下次, derive: "ADD_MONTHS(上次检验, 12)"}
""",
    "a/d.yaml": """document: {id: d, title: 文, number: 号, issuer: 部, in_force: {from: 2020-01-01}, sources: []}
criteria:
  - {id: a/d/1, clause: 一, name: 超量, when: 箱数 > 50, grade: major, status: verified, remedy: 减}
  - {id: a/d/2, clause: 二, name: 超核定, when: 箱数 > 1.1 * 核定箱数, grade: major, status: verified, remedy: 减}
  - {id: a/d/3, clause: 三, name: 过期, when: 检查日期 > 到期日期, grade: major, status: verified, remedy: 检}
  - {id: a/d/4, clause: 四, name: 久未检, when: 检查日期 - 上次检验 > 365, grade: major, status: verified, remedy: 检}
  - {id: a/d/5, clause: 五, name: 无余量, when: 余量 < 0, grade: major, status: verified, remedy: 减}
  - {id: a/d/6, clause: 六, name: 逾期, when: 检查日期 > 下次检验, grade: major, status: verified, remedy: 检}
  - {id: a/d/7, clause: 七, name: 没写箱数, when: 箱数 IS NULL, grade: major, status: verified, remedy: 写}
  - {id: a/d/8, clause: 八, name: 太长, when: 长度 * 箱数 > 100, grade: major, status: verified, remedy: 短}
""",
}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    root = tmp_path_factory.mktemp("pack") / "p"
    for name, content in PACK.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return open_library([root], shipped=False)


def verdicts(library: Library, **cells: str) -> dict[str, str]:
    """The verdict of each criterion on one row: met, open or no."""
    frame = pl.DataFrame({"单位名称": ["甲"], "检查日期": ["2024-05-06"], **{name: [cell] for name, cell in cells.items()}}, strict=False)
    result = judge(frame, library, sector="a")
    assert not result.defects.num_rows
    made = {}
    for row in result.coverage.to_pylist():
        made[row["criterion"][-1]] = next(word for word, key in (("met", "met"), ("open", "undetermined"), ("no", "not_met")) if row[key])
    return made


@pytest.mark.parametrize(
    ("cell", "verdict"),
    [
        ("50箱以下", "no"), ("不超过50", "no"), ("60箱以下", "open"), ("60以上", "met"), ("50以上", "open"), ("超过50箱", "met"), ("≥51", "met"),
        ("51-60", "met"), ("40～60", "open"), ("40-50", "no"), ("50", "no"), ("51", "met"), ("", "open"),
    ],
)  # fmt: skip
def test_a_bound_decides_where_every_value_within_it_would(library: Library, cell: str, verdict: str) -> None:
    assert verdicts(library, 箱数=cell)["1"] == verdict


@pytest.mark.parametrize(
    ("boxes", "allowed", "verdict"),
    [
        ("55以下", "50", "no"),
        ("56以上", "50", "met"),
        ("55以上", "50", "open"),
        ("60", "50以下", "met"),
        ("60", "55以上", "no"),
        ("60", "54-55", "open"),
    ],
)
def test_a_bound_goes_through_arithmetic(library: Library, boxes: str, allowed: str, verdict: str) -> None:
    assert verdicts(library, 箱数=boxes, 核定箱数=allowed)["2"] == verdict


@pytest.mark.parametrize(
    ("cell", "verdict"),
    [("2024-04", "met"), ("2024年5月", "open"), ("2024.06", "no"), ("2024-05-05", "met"), ("2024-05-06", "no"), ("202404", "met")],
)
def test_a_month_is_past_only_when_its_last_day_is(library: Library, cell: str, verdict: str) -> None:
    assert verdicts(library, 到期日期=cell)["3"] == verdict


@pytest.mark.parametrize(("cell", "days", "due"), [("2023-04", "met", "met"), ("2023年5月", "open", "open"), ("2023.06", "no", "no")])
def test_a_month_goes_through_the_counting_of_days_and_months(library: Library, cell: str, days: str, due: str) -> None:
    found = verdicts(library, 上次检验=cell)
    assert (found["4"], found["6"]) == (days, due)


def test_a_derived_number_keeps_the_bounds_of_what_it_follows_from(library: Library) -> None:
    assert verdicts(library, 箱数="60以上", 核定箱数="50")["5"] == "met"
    assert verdicts(library, 箱数="40以下", 核定箱数="50")["5"] == "no"
    assert verdicts(library, 箱数="60以下", 核定箱数="50")["5"] == "open"


def test_a_product_with_an_open_end_is_not_closed_by_the_other(library: Library) -> None:
    assert verdicts(library, 箱数="10以下", 长度="20以下")["8"] == "open"
    assert verdicts(library, 箱数="11以上", 长度="10")["8"] == "met"
    assert verdicts(library, 箱数="10以下", 长度="10")["8"] == "no"
    assert verdicts(library, 箱数="5-10", 长度="1-10")["8"] == "no"


def test_a_cell_with_a_bound_is_not_blank(library: Library) -> None:
    assert verdicts(library, 箱数="50以下")["7"] == "no"
    assert verdicts(library, 箱数="")["7"] == "met"


def test_evidence_shows_the_bounds_and_what_is_missing_is_the_value(library: Library) -> None:
    result = judge(pl.DataFrame({"单位名称": ["甲", "乙"], "箱数": ["60以上", "40-60"]}), library, sector="a", as_of="2024-05-06")
    finding = next(row for row in result.findings.to_pylist() if row["criterion"] == "a/d/1")
    assert finding["evidence"] == [{"field": "箱数", "column": "箱数", "value": "不少于 60"}]
    open_ = next(row for row in result.undetermined.to_pylist() if row["criterion"] == "a/d/1")
    assert open_["missing"] == [["箱数"]]


def test_tables_with_and_without_bounds_stack(library: Library, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("单位名称,箱数\n甲,60以上\n")
    (tmp_path / "b.csv").write_text("单位名称,箱数\n乙,60\n丙,\n丁,50\n")
    result = judge([tmp_path / "a.csv", tmp_path / "b.csv"], library, sector="a", as_of="2024-05-06")
    met = [row["enterprise"] for row in result.findings.to_pylist() if row["criterion"] == "a/d/1"]
    assert met == ["甲", "乙"]
    assert [row["enterprise"] for row in result.undetermined.to_pylist() if row["criterion"] == "a/d/1"] == ["丙"]


ENDS = st.tuples(st.integers(0, 120), st.integers(0, 120)).map(lambda pair: (min(pair), max(pair)))


@settings(max_examples=40, deadline=None)
@given(ENDS, ENDS, st.data())
def test_what_a_bound_decides_every_value_within_it_decides_alike(
    library: Library, boxes: tuple[int, int], allowed: tuple[int, int], data: st.DataObject
) -> None:
    wide = verdicts(library, 箱数=f"{boxes[0]}-{boxes[1]}", 核定箱数=f"{allowed[0]}-{allowed[1]}", 长度="2")
    exact = verdicts(library, 箱数=str(data.draw(st.integers(*boxes))), 核定箱数=str(data.draw(st.integers(*allowed))), 长度="2")
    for criterion in "1258":
        assert wide[criterion] in ("open", exact[criterion])


@settings(max_examples=30, deadline=None)
@given(st.dates(dt.date(2023, 1, 1), dt.date(2025, 12, 31)), st.dates(dt.date(2022, 1, 1), dt.date(2024, 5, 6)))
def test_what_a_month_decides_every_day_of_it_decides_alike(library: Library, due: dt.date, last: dt.date) -> None:
    wide = verdicts(library, 到期日期=due.strftime("%Y-%m"), 上次检验=last.strftime("%Y年%m月"))
    exact = verdicts(library, 到期日期=due.isoformat(), 上次检验=last.isoformat())
    for criterion in "346":
        assert wide[criterion] in ("open", exact[criterion])
