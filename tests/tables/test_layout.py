"""Where the table is: titles and information above, headers of several layers, sections, page breaks; each as seen in real ledgers."""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import polars as pl
import pytest
from hypothesis import given, settings, strategies as st

from engine.fields import Field
from engine.problems import InputError
from engine.tables import LONG_HEADERS, Table, Vocabulary, known_headers, load, unfold
from engine.tables.layout import lay_out
from engine.tables.table import column_of
from tests.tables.test_workbook import book

Rows: TypeAlias = Sequence[Sequence[Any]]

FIELDS = {
    "单位名称": Field("单位名称", "text", role="enterprise", aliases=("企业名称", "受检单位")),
    "检查日期": Field("检查日期", "date", role="date", aliases=("检查时间",)),
    "整改期限": Field("整改期限", "date"),
    "安全出口畅通": Field("安全出口畅通", "bool"),
    "存放箱数": Field("存放箱数", "integer"),
}
KNOWN = known_headers(FIELDS.values())


def sheet(folder: Path, rows: Rows, *merges: str) -> Table:
    """The table of a workbook of one sheet."""
    return load(book(folder / "a.xlsx", {"S": rows}, {"S": list(merges)}), KNOWN)[0]


def text(folder: Path, rows: Rows) -> Table:
    """The table of a csv file, which knows nothing of merged cells."""
    path = folder / "a.csv"
    path.write_text("".join(",".join("" if cell is None else str(cell) for cell in row) + "\n" for row in rows))
    return load(path, KNOWN)[0]


def test_a_line_of_information_merged_with_the_header_is_no_part_of_its_names(tmp_path: Path) -> None:
    rows: Rows = [
        ["某项目隐患统计表"], ["序号", "项目名称：某项目", None, "填报人：张三"], [None, "单位名称", "整改措施与要求", None, "检查日期"],
        [1, "甲", "要求", None, "2025.6.30"], [None], ["填写要求：如实填写"],
    ]  # fmt: skip
    table = sheet(tmp_path, rows, "A1:E1", "A2:A3", "C3:D3", "C4:D4")
    assert table.headers == ("序号", "单位名称", "整改措施与要求", "检查日期")
    assert table.rows.to_list() == [4]
    assert [row for row, _ in table.skipped] == [1, 2, 6]


def test_a_header_of_four_layers_is_joined_from_parent_to_child(tmp_path: Path) -> None:
    rows: Rows = [
        ["隐患台账"],
        ["序号", "单位名称", "整改责任单位", None, None, None, "检查日期"],
        [None, None, "施工方", None, "监理方", None, None],
        [None, None, "主", "次", "主", "次", None],
        [None, None, "名称", "名称", "名称", "名称", None],
        [1, "甲", "a", "b", "c", "d", 45052],
    ]
    table = sheet(tmp_path, rows, "A1:G1", "A2:A5", "B2:B5", "C2:F2", "C3:D3", "E3:F3", "G2:G5")
    assert table.headers == (
        "序号", "单位名称", "整改责任单位/施工方/主/名称", "整改责任单位/施工方/次/名称", "整改责任单位/监理方/主/名称",
        "整改责任单位/监理方/次/名称", "检查日期",
    )  # fmt: skip
    assert table.rows.to_list() == [6]
    assert table.skipped == ((1, "表头上方的标题或说明"), (3, "多层表头"), (4, "多层表头"), (5, "多层表头"))


def test_layers_are_found_in_a_csv_that_lost_its_merged_cells(tmp_path: Path) -> None:
    rows: Rows = [["序号", "单位名称", "责任单位", None, "检查日期"], [None, None, "建设", "施工", None], [1, "甲", "A", "B", "2023-05-06"]]
    table = text(tmp_path, rows)
    assert table.headers == ("序号", "单位名称", "责任单位/建设", "责任单位/施工", "检查日期")
    assert table.rows.to_list() == [3]


@pytest.mark.parametrize(
    ("parent", "expected"),
    [("检查情况", "检查时间"), ("复查情况", "复查情况/检查时间"), ("验收", "验收/检查时间")],
    ids=["says nothing", "another inspection", "acceptance"],
)
def test_a_parent_is_dropped_only_where_it_says_nothing(tmp_path: Path, parent: str, expected: str) -> None:
    rows: Rows = [["基本信息", None, parent, None], ["单位名称", "地址", "检查时间", "备注"], ["甲", "某路", "2023-05-06", "x"]]
    assert text(tmp_path, rows).headers[:3:2] == ("单位名称", expected)
    assert sheet(tmp_path, rows, "A1:B1", "C1:D1").headers[:3:2] == ("单位名称", expected)


def test_a_parent_and_a_child_that_make_a_known_header_are_one_name(tmp_path: Path) -> None:
    rows: Rows = [["单位名称", "整改", None], [None, "期限", "措施"], ["甲", "2023-05-06", "换新"]]
    assert sheet(tmp_path, rows, "A1:A2", "B1:C1").headers == ("单位名称", "整改期限", "整改/措施")


@pytest.mark.parametrize("header", [["序号", "存放箱数", "备注"], ["序号", "说明", "存放箱数"]])
def test_information_above_the_table_is_kept_with_its_rows(tmp_path: Path, header: list[str]) -> None:
    rows: Rows = [["某检查表"], ["检查日期：2024-05-06　检查人：李四"], ["受检单位：", "甲店"], header, [1, 50, "x"], [2, 60, "y"]]
    for table in (sheet(tmp_path, rows), text(tmp_path, rows)):
        assert table.headers == tuple(header)
        assert table.rows.to_list() == [5, 6]
        assert table.info == (("检查日期", "2024-05-06", 2), ("受检单位：", "甲店", 3))
        assert table.skipped == ((1, "表头上方的标题或说明"), (2, "表头上方的信息"), (3, "表头上方的信息"))


def test_headings_of_sections_are_left_out_where_the_rows_are_numbered(tmp_path: Path) -> None:
    rows: Rows = [
        ["序号", "单位名称", "检查日期", "备注"], ["一、东区"], [1, "甲", "2023-05-06", "a"], ["二、西区"], ["(2)", "乙", None, None], [3, None, None, None],
    ]  # fmt: skip
    table = sheet(tmp_path, rows, "A2:D2", "A4:D4")
    assert table.rows.to_list() == [3, 5, 6]
    assert [row for row, _ in table.skipped] == [2, 4]


def test_the_name_of_an_enterprise_alone_in_its_row_is_a_row(tmp_path: Path) -> None:
    assert text(tmp_path, [["单位名称", "检查日期", "备注", "地址"], ["甲", None, None, None], ["乙", "2023-05-06", "x", "y"]]).rows.to_list() == [
        2,
        3,
    ]


def test_a_page_break_repeats_title_and_both_layers(tmp_path: Path) -> None:
    head: Rows = [["某表"], ["序号", "单位名称", "检查日期", "责任", None], [None, None, None, "甲方", "乙方"]]
    rows: Rows = [*head, [1, "甲", "2023-05-06", "p", "q"], *head, [2, "乙", "2023-05-06", "p", "q"]]
    for table in (sheet(tmp_path, rows, "A2:A3", "B2:B3", "C2:C3", "D2:E2"), text(tmp_path, rows)):
        assert table.headers == ("序号", "单位名称", "检查日期", "责任/甲方", "责任/乙方")
        assert table.rows.to_list() == [4, 8]
        assert [why for _, why in table.skipped] == ["表头上方的标题或说明", "多层表头", "重复的标题", "重复的表头", "重复的表头"]


def test_a_value_merged_over_several_columns_stands_in_the_first(tmp_path: Path) -> None:
    rows: Rows = [["单位名称", "整改措施", None, None, "检查日期"], ["甲", "换新", None, None, "2024-05-06"]]
    table = sheet(tmp_path, rows, "B1:D1", "B2:D2")
    assert table.headers == ("单位名称", "整改措施", "检查日期")
    assert table.frame.row(0) == ("甲", "换新", "2024-05-06")


def test_a_frame_of_numbers_keeps_its_rows_and_loses_its_total() -> None:
    numbers = pl.DataFrame({"存放箱数": [1, 2, None, 4], "重量": [1.5, 2.5, None, 3.0]})
    assert load(numbers)[0].rows.to_list() == [1, 2, 4]
    table = load(pl.DataFrame({"存放箱数": [1, 2, 3], "单位名称": ["甲", "乙", "合计"]}))[0]
    assert table.rows.to_list() == [1, 2]
    assert table.skipped == ((3, "合计行"),)


CELLS = st.sampled_from(
    [None, None, "", "单位名称", "检查日期", "检查项", "检查结果", "安全出口畅通", "违章用火：", "检查日期：2024-05-06", "基本信息", "填报人：张三", "合计", "甲", "乙", 1, 2.5,
     dt.datetime(2024, 5, 6), True, "是", "√", "50箱以下", "序号", "责任单位", "：", "a：b：c  d：", "□是 ☑否", "说明：", "1、"]
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 6).flatmap(lambda width: st.lists(st.lists(CELLS, min_size=width, max_size=width), min_size=1, max_size=9)), st.data())
def test_any_grid_of_cells_is_a_table_or_a_refusal(grid: list[list[object]], data: st.DataObject) -> None:
    spans = st.tuples(st.integers(0, len(grid) - 1), st.integers(0, len(grid[0]) - 1), st.integers(0, 3), st.integers(0, 3))
    areas = [
        (top, left, min(top + down, len(grid) - 1), min(left + right, len(grid[0]) - 1))
        for top, left, down, right in data.draw(st.lists(spans, max_size=3))
    ]
    frame = pl.DataFrame({f"c{n}": column_of(column) for n, column in enumerate(zip(*grid, strict=True))})
    try:
        (table,) = unfold([lay_out("文件", "表", frame, KNOWN | LONG_HEADERS, areas)], lambda: [Vocabulary(FIELDS)])
    except InputError as error:
        assert "文件" in str(error)
        return
    assert table.frame.width == len(table.headers)
    assert table.frame.height == len(table.rows) > 0
    assert all(1 <= row <= len(grid) for row in table.rows)
    assert all(len(rows) == table.frame.height for rows in table.places.values())
