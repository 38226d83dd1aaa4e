"""Forms of one page a hazard: label left, value right. A normal table is never taken for one."""

import datetime as dt
from pathlib import Path

import pytest

from engine.tables import load
from tests.tables.test_layout import KNOWN, Rows, sheet, text
from tests.tables.test_workbook import book

PAGE: Rows = [
    ["重大事故隐患情况表"],
    ["单位名称", "甲公司", "隐患编号", "X1"],
    ["检查日期", dt.datetime(2024, 5, 6), "市级以上重点工程", "否"],
    ["联系人", "张三", "联系电话", 123],
    ["隐患地址：", "某地"],
    ["整改期限", "2024-06-01", "存放箱数", 55],
    ["填报人：王五", None, "填报时间：2024-05-07"],
    ["说明：本表一式两份"],
]


def test_a_page_of_two_pairs_a_line_is_one_row(tmp_path: Path) -> None:
    table = sheet(tmp_path, PAGE, "A1:D1", "B5:D5")
    assert dict(zip(table.headers, table.frame.row(0), strict=True)) == {
        "单位名称": "甲公司", "隐患编号": "X1", "检查日期": dt.datetime(2024, 5, 6), "市级以上重点工程": "否", "联系人": "张三", "联系电话": 123,
        "隐患地址：": "某地", "整改期限": "2024-06-01", "存放箱数": 55, "填报人": "王五", "填报时间": "2024-05-07", "说明": "本表一式两份",
    }  # fmt: skip
    assert table.rows.to_list() == [2]
    assert {header: table.rows_of(n)[0] for n, header in enumerate(table.headers)}["整改期限"] == 6
    assert table.skipped == ((1, "表单里的标题、说明或没有标签的内容：重大事故隐患情况表"),)


def test_a_page_in_a_csv_is_read_alike_and_a_blank_value_is_blank(tmp_path: Path) -> None:
    table = text(tmp_path, [["单位名称", "甲公司"], ["检查日期", "2024-05-06"], ["安全出口畅通", ""], ["存放箱数", "50"]])
    assert table.headers == ("单位名称", "检查日期", "安全出口畅通", "存放箱数")
    assert table.frame.row(0) == ("甲公司", "2024-05-06", None, "50")


def test_every_sheet_and_every_page_of_a_sheet_is_a_row(tmp_path: Path) -> None:
    def page(unit: str, boxes: int) -> Rows:
        return [["单位名称", unit], ["检查日期", "2024-05-06"], ["存放箱数", boxes], [None]]

    path = book(tmp_path / "a.xlsx", {"一": [*page("甲", 1), *page("乙", 2)], "二": page("丙", 3)})
    tables = load(path, KNOWN)
    assert [table.frame["c0"].to_list() for table in tables] == [["甲", "乙"], ["丙"]]
    assert [table.frame["c2"].to_list() for table in tables] == [[1, 2], [3]]
    assert tables[0].rows.to_list() == [1, 5]
    assert tables[0].rows_of(2).to_list() == [3, 7]


def test_a_heading_merged_down_beside_the_labels_is_no_label(tmp_path: Path) -> None:
    rows: Rows = [["基本情况", "单位名称", "甲"], [None, "检查日期", "2024-05-06"], ["检查情况", "存放箱数", 5], [None, "安全出口畅通", "是"]]
    table = sheet(tmp_path, rows, "A1:A2", "A3:A4")
    assert table.headers == ("单位名称", "检查日期", "存放箱数", "安全出口畅通")
    assert table.frame.row(0) == ("甲", "2024-05-06", 5, "是")


@pytest.mark.parametrize(
    "rows",
    [
        [["单位名称", "检查日期"], ["甲", "2024-05-06"], ["乙", "2024-05-07"]],
        [["单位名称", "电话", "检查日期", "人员", "存放箱数"], ["甲", "1", "2024-05-06", "x", "5"], ["乙", "2", "2024-05-07", "y", "6"]],
        [["检查日期：", "2024-05-06"], ["受检单位：", "甲店"], ["序号", "x", "存放箱数", "备注"], ["1", "y", "50", "z"]],
        [["单位名称", "x", "检查日期", "y"], ["甲", "安全出口畅通", "2024-05-06", "是"], ["乙", "存放箱数", "2024-05-06", "5"]],
    ],
    ids=["two columns", "unknown columns between", "information above", "items in the cells"],
)  # fmt: skip
def test_a_table_is_no_form(tmp_path: Path, rows: Rows) -> None:
    table = text(tmp_path, rows)
    assert "单位名称" in table.headers or "存放箱数" in table.headers
    assert table.rows[-1] == len(rows)
