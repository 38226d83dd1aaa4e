"""GB 18218 from a list of units, substances and quantities: S, R and the level, by the edition of the day. Each figure is worked out by hand
from the tables of the standard."""

from typing import Any

import pandas as pd
import pytest

import engine
from engine.pack import load_pack

PACK = load_pack(sector="hazardous-chemicals")
COLUMNS = ["企业名称", "单元", "物质名称", "设计最大量(t)", "暴露人数", "危险性类别"]


def facts(tmp_path: Any, rows: str, day: str = "2024-06-01") -> tuple[dict[str, Any], engine.Result]:
    """What is known of the one enterprise: S, R (with their upper ends) and the level."""
    lines = [(["某厂", *line.split()] + [None] * 5)[: len(COLUMNS)] for line in rows.strip().splitlines()]
    table = pd.DataFrame(lines, columns=COLUMNS).replace("-", None).assign(检查日期=day)
    path = tmp_path / "物质清单.csv"
    table.to_csv(path, index=False)
    result = engine.judge(path, PACK)
    frame = result._parts[0].judged.chained.frame
    names = ["重大危险源S值", "重大危险源R值", "重大危险源等级", "构成重大危险源"]
    row = frame.select([name for name in names if name in frame.columns]).row(0, named=True)
    return row, result


@pytest.mark.parametrize(
    ("rows", "s", "r", "level"),
    [
        ("罐区 液氨 9.9 30", 0.99, None, "不构成"),
        ("罐区 液氨 10 30", 1.0, 2.4, "四级"),  # 1.2 × 2 × 1
        ("罐区 液氨 12 0", 1.2, 1.2, "四级"),  # 0.5 × 2 × 1.2
        ("罐区 液氯 30 29", 6.0, 24.0, "三级"),  # 1.0 × 4 × 6
        ("罐区 液氯 12.5 1", 2.5, 10.0, "三级"),  # 1.0 × 4 × 2.5: the boundary of 三级
        ("罐区 液氯 60 100", 12.0, 96.0, "二级"),  # 2.0 × 4 × 12
        ("罐区 光气 3 0", 10.0, 100.0, "一级"),  # 0.5 × 20 × 10: the boundary of 一级
        ("罐区 液氨 6 50\n罐区 氯气 2 50", 1.0, 4.2, "四级"),  # S 0.6 + 0.4; R 1.5 × (2 × 0.6 + 4 × 0.4)
        ("一库 液氨 9 50\n二库 液氨 9 50", 0.9, None, "不构成"),  # two units do not add up
        ("一库 光气 0.27 100\n二库 液氨 10 10", 1.0, 2.0, "四级"),  # 一库: S 0.9, its R of 36 does not count; 二库: 1.0 × 2 × 1
        ("罐区 甲醇 500 30", 1.0, 1.2, "四级"),  # 500/500; β 1
        ("罐区 某溶剂 1000 30 W5.3", 1.0, 1.2, "四级"),  # by its category: 1,000 t, β 1
    ],
)  # fmt: skip
def test_s_r_and_level_of_2018(tmp_path: Any, rows: str, s: float, r: float | None, level: str) -> None:
    row, _ = facts(tmp_path, rows)
    assert row["重大危险源S值"] == pytest.approx(s, rel=1e-9)
    assert row["重大危险源R值"] == (None if r is None else pytest.approx(r, rel=1e-9))
    assert row["重大危险源等级"] == level
    assert row["构成重大危险源"] is (level != "不构成")


@pytest.mark.parametrize(("day", "s", "known"), [("2019-02-28", 100 / 300, False), ("2019-03-01", 2.0, True)], ids=["2009", "2018"])
def test_ammonium_nitrate_changed_its_critical_quantity(tmp_path: Any, day: str, s: float, known: bool) -> None:
    """硝酸铵（可燃物≤0.2%）: 300 t by the edition of 2009, 50 t by that of 2018."""
    row, _ = facts(tmp_path, "库房 硝酸铵（可燃物≤0.2%） 100 0", day)
    assert row["重大危险源S值"] == pytest.approx(s) and row["构成重大危险源"] is known


def test_a_name_that_fits_several_entries_fits_none(tmp_path: Any) -> None:
    row, result = facts(tmp_path, "库房 硝酸铵 100 0")
    assert row["重大危险源等级"] is None and row["构成重大危险源"] is None
    assert [(d["row"], d["value"], d["problem"]) for d in result.defects.to_pylist() if "临界量" in d["message"]] == [(2, "硝酸铵", "not_found")]


def test_an_unknown_substance_leaves_open_only_what_it_could_change(tmp_path: Any) -> None:
    row, _ = facts(tmp_path, "罐区 液氨 5 30\n罐区 怪油 5 30")
    assert (row["重大危险源S值"], row["重大危险源等级"], row["构成重大危险源"]) == (0.5, None, None)
    row, _ = facts(tmp_path, "罐区 液氨 10 30\n罐区 怪油 5 30")
    assert (row["重大危险源等级"], row["构成重大危险源"]) == (None, True)  # R is at least 2.4: any level can be
    row, _ = facts(tmp_path, "罐区 光气 3 0\n罐区 怪油 5 0")
    assert (row["重大危险源等级"], row["构成重大危险源"]) == ("一级", True)  # R is at least 100


def test_one_substance_can_decide_where_the_units_are_not_told(tmp_path: Any) -> None:
    row, _ = facts(tmp_path, "- 液氨 10 30\n- 液氯 1 30")
    assert row["构成重大危险源"] is True and row["重大危险源等级"] is None
    row, _ = facts(tmp_path, "- 液氨 9 30\n- 液氯 4 30")
    assert row["构成重大危险源"] is None


def test_the_level_serves_other_criteria_and_is_itself_no_finding(tmp_path: Any) -> None:
    _, result = facts(tmp_path, "罐区 光气 3 0")
    found = {f["criterion"] for f in result.findings.to_pylist()}
    assert not any("gb18218" in criterion for criterion in found)


def test_a_workbook_with_the_list_on_a_second_sheet(tmp_path: Any) -> None:
    """121号 第四项: no emergency cut-off on the storage of a source of the first level. The level is nowhere in the sheet of the enterprise."""
    path = tmp_path / "检查.xlsx"
    parent = pd.DataFrame({"企业名称": ["某厂", "另厂"], "检查日期": ["2024-06-01"] * 2, "企业类型": ["危险化学品生产"] * 2, "备注": ["", ""]})
    child = pd.DataFrame([["某厂", "罐区", "光气", 3, 0, None], ["另厂", "罐区", "光气", 0.1, 0, None]], columns=COLUMNS)
    with pd.ExcelWriter(path, engine="xlsxwriter") as book:
        parent.to_excel(book, sheet_name="企业", index=False)
        child.to_excel(book, sheet_name="单元物质表", index=False)
    result = engine.judge(path, PACK)
    frame = result._parts[0].judged.chained.frame
    assert frame.select("__enterprise", "重大危险源等级").rows() == [("某厂", "一级"), ("另厂", "不构成")]
    assert [(o.sheet, o.rows) for o in result.origins] == [("企业", 2), ("单元物质表", 2)]
