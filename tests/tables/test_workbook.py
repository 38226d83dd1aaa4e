"""Workbooks: cells keep their types, layouts as people make them, files that must be refused."""

import datetime as dt
import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import xlsxwriter

from engine.fields import Field
from engine.problems import InputError
from engine.tables import bind, known_headers, load
from engine.units import UNITS

Rows: TypeAlias = Sequence[Sequence[Any]]

FIELDS = {
    "单位名称": Field("单位名称", "text", role="enterprise", aliases=("企业名称",)),
    "检查日期": Field("检查日期", "date", role="date"),
    "存药量_kg": Field("存药量_kg", "number", unit=UNITS["kg"]),
    "房屋市政工地设备": Field("房屋市政工地设备", "bool", blank="否"),
}
KNOWN = known_headers(FIELDS.values())


def book(path: Path, sheets: Mapping[str, Rows], merges: Mapping[str, list[str]] | None = None, hidden: str = "") -> Path:
    """Write a workbook; `merges` are ranges whose first cell keeps its value."""
    made = xlsxwriter.Workbook(str(path))
    day = made.add_format({"num_format": "yyyy/m/d"})
    for name, rows in sheets.items():
        sheet = made.add_worksheet(name)
        for area in (merges or {}).get(name, []):
            sheet.merge_range(area, "")
        for r, row in enumerate(rows):
            for c, cell in enumerate(row):
                if isinstance(cell, dt.datetime):
                    sheet.write_datetime(r, c, cell, day)
                elif isinstance(cell, str) and cell.startswith("="):
                    sheet.write_formula(r, c, cell, None, "#DIV/0!")
                elif cell is not None:
                    sheet.write(r, c, cell)
        if name == hidden:
            sheet.hide()
    made.close()
    return path


def test_a_date_column_of_real_dates_serial_numbers_and_text_is_read_right(tmp_path: Path) -> None:
    rows: Rows = [
        ["单位名称", "检查日期"],
        ["甲", dt.datetime(2023, 5, 6)],
        ["乙", 45052],
        ["丙", "2023.5.6"],
        ["丁", "已整改"],
        ["戊", dt.datetime(2023, 5, 6, 8, 30)],
    ]
    found = bind(load(book(tmp_path / "a.xlsx", {"列表1": rows}), KNOWN), FIELDS)
    day = dt.date(2023, 5, 6)
    assert found.frame["检查日期"].to_list() == [day, day, day, None, day]
    assert found.defects.select("file", "sheet", "row", "column", "field", "value", "problem").rows() == [
        (str(tmp_path / "a.xlsx"), "列表1", 5, "检查日期", "检查日期", "已整改", "bad_date")
    ]


def test_a_number_in_a_text_column_has_no_decimals(tmp_path: Path) -> None:
    rows: Rows = [["单位名称", "检查日期"], [3, "2023-05-06"], ["甲", "2023-05-06"]]
    assert bind(load(book(tmp_path / "a.xlsx", {"S": rows}), KNOWN), FIELDS).frame["单位名称"].to_list() == ["3", "甲"]


def test_titles_notes_and_blank_rows_around_the_table_are_left_out(tmp_path: Path) -> None:
    rows: Rows = [
        ["某市烟花爆竹检查表"], ["项目名称：", "某", "填报人：张三"], [None], ["序号", "企业名称", "检查日期"], [1, "甲", "2023-05-06"], [None],
        ["序号", "企业名称", "检查日期"], [2, "乙", "2023-05-07"], ["合计", None, 2], [None], ["说明：", None], ["隐患级别：按照有关标准填写"],
    ]  # fmt: skip
    table = load(book(tmp_path / "a.xlsx", {"S": rows, "Sheet2": []}), KNOWN)[0]
    assert table.headers == ("序号", "企业名称", "检查日期")
    assert table.rows.to_list() == [5, 8]
    assert [row for row, _ in table.skipped] == [1, 2, 7, 9, 11, 12]


def test_a_sheet_with_an_offset_and_without_known_headers_is_found(tmp_path: Path) -> None:
    table = load(book(tmp_path / "a.xlsx", {"S": [[], [None, "标题"], [None, "a", "b"], [None, 1, 2]]}))[0]
    assert table.headers == ("a", "b")
    assert table.rows.to_list() == [4]


def test_two_merged_header_rows_are_one_header(tmp_path: Path) -> None:
    rows: Rows = [["序号", "单位名称", "责任单位", None], [None, None, "建设", "施工"], [1, "甲", "A", "B"]]
    table = load(book(tmp_path / "a.xlsx", {"S": rows}, {"S": ["A1:A2", "B1:B2", "C1:D1"]}), KNOWN)[0]
    assert table.headers == ("序号", "单位名称", "责任单位/建设", "责任单位/施工")
    assert table.rows.to_list() == [3]


def test_a_vertically_merged_cell_counts_for_all_its_rows(tmp_path: Path) -> None:
    rows: Rows = [["单位名称", "检查日期"], ["甲", "2023-05-06"], [None, "2023-05-07"], ["乙", "2023-05-08"]]
    table = load(book(tmp_path / "a.xlsx", {"S": rows}, {"S": ["A2:A3"]}), KNOWN)[0]
    assert table.frame["c0"].to_list() == ["甲", "甲", "乙"]


def test_an_error_value_is_a_defect_and_not_the_meaning_of_a_blank(tmp_path: Path) -> None:
    rows: Rows = [["单位名称", "房屋市政工地设备"], ["甲", "=1/0"], ["乙", None], ["丙", "是"]]
    found = bind(load(book(tmp_path / "a.xlsx", {"S": rows}), KNOWN), FIELDS)
    assert found.frame["房屋市政工地设备"].to_list() == [None, False, True]
    assert found.defects.select("row", "value", "problem").rows() == [(2, "#DIV/0!", "error_cell")]


def test_sheets_stack_and_hidden_ones_are_said_to_be_left_out(tmp_path: Path) -> None:
    one: Rows = [["单位名称", "存药量(t)"], ["甲", 2]]
    two: Rows = [["企业名称", "检查日期"], ["乙", "2023-05-06"]]
    path = book(
        tmp_path / "a.xlsx", {"列表1": one, "列表2": two, "选项": [["x"], ["y"]], "说明页": [["本表由某局制发"], ["请按月填报"]]}, hidden="选项"
    )
    found = bind(load(path, KNOWN), FIELDS)
    assert found.frame.select("单位名称", "检查日期", "存药量_kg", "__table", "__row").rows() == [
        ("甲", None, 2000.0, 0, 2),
        ("乙", dt.date(2023, 5, 6), None, 1, 2),
    ]
    assert found.origins[0].headers == {"单位名称": "单位名称", "存药量_kg": "存药量(t)"}
    assert (0, "隐藏的工作表“选项”没有读") in found.origins[0].skipped
    assert found.origins[2].rows == 0


@pytest.mark.parametrize(
    ("rows", "said"), [([], "各工作表都是空的"), ([["单位名称", "检查日期"]], "没有数据行"), ([["单位名称", "检查日期"], ["合计", 3]], "没有数据行")]
)
def test_a_workbook_without_data_is_refused(tmp_path: Path, rows: Rows, said: str) -> None:
    with pytest.raises(InputError, match=said):
        load(book(tmp_path / "a.xlsx", {"S": rows}), KNOWN)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PK\x03\x04" + b"0" * 500, "打不开"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 2000, "打不开"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 500 + "EncryptedPackage".encode("utf-16-le"), "密码"),
        (b"<html><table><tr><td>a</td></tr></table></html>", "网页"),
        (b"\x00\x01\x02", "打不开"),
    ],
)
def test_a_damaged_or_locked_workbook_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "a.xls").write_bytes(content)
    with pytest.raises(InputError, match=said):
        load(tmp_path / "a.xls")


def test_a_truncated_workbook_is_refused(tmp_path: Path) -> None:
    path = book(tmp_path / "a.xlsx", {"S": [["单位名称", "检查日期"], ["甲", "2023-05-06"]]})
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(InputError, match="打不开"):
        load(path)


def test_text_under_the_name_of_a_workbook_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.xls").write_bytes("单位名称\t检查日期\n甲\t2023-05-06\n".encode("gbk"))
    assert load(tmp_path / "a.xls")[0].headers == ("单位名称", "检查日期")


def test_a_zip_bomb_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b" " * (60 << 20))
    (tmp_path / "a.xlsx").write_bytes(buffer.getvalue())
    with pytest.raises(InputError, match="解压后"):
        load(tmp_path / "a.xlsx")


def test_a_sheet_that_spans_too_much_is_refused(tmp_path: Path) -> None:
    made = xlsxwriter.Workbook(str(tmp_path / "a.xlsx"))
    sheet = made.add_worksheet()
    sheet.write(0, 0, "a")
    sheet.write(1048575, 16383, "b")
    made.close()
    with pytest.raises(InputError, match="横跨 1,048,576 行、16,384 列"):
        load(tmp_path / "a.xlsx")


def ods(path: Path, rows: str) -> Path:
    """Write an ods file around the XML of its rows."""
    spaces = " ".join(f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text"))
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    entry = f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{kind}"/>'
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", kind)
        namespace = "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"
        archive.writestr("META-INF/manifest.xml", f'<manifest:manifest xmlns:manifest="{namespace}">{entry}</manifest:manifest>')
        body = f'<office:body><office:spreadsheet><table:table table:name="表">{rows}</table:table></office:spreadsheet></office:body>'
        archive.writestr("content.xml", f"<office:document-content {spaces}>{body}</office:document-content>")
    return path


def text_cell(text: str, repeated: int = 1) -> str:
    return f'<table:table-cell table:number-columns-repeated="{repeated}" office:value-type="string"><text:p>{text}</text:p></table:table-cell>'


def test_an_ods_file_is_read_with_its_types(tmp_path: Path) -> None:
    rows = f"<table:table-row>{text_cell('单位名称')}{text_cell('检查日期')}</table:table-row>"
    rows += f'<table:table-row>{text_cell("甲")}<table:table-cell office:value-type="date" office:date-value="2023-05-06"/></table:table-row>'
    rows += '<table:table-row table:number-rows-repeated="1048574"><table:table-cell table:number-columns-repeated="16384"/></table:table-row>'
    found = bind(load(ods(tmp_path / "a.ods", rows), KNOWN), FIELDS)
    assert found.frame.select("单位名称", "检查日期").rows() == [("甲", dt.date(2023, 5, 6))]


def test_an_ods_file_that_repeats_filled_cells_without_end_is_refused(tmp_path: Path) -> None:
    rows = f'<table:table-row table:number-rows-repeated="1000000">{text_cell("x", 16384)}</table:table-row>'
    with pytest.raises(InputError, match="横跨"):
        load(ods(tmp_path / "a.ods", rows), KNOWN)


def test_an_old_xls_template_with_merged_headers_is_read_like_an_xlsx() -> None:
    """files/检查表.xls: a title, a header of two layers, a name merged over two rows, a real date, a serial number and text in one column."""
    fields = {
        "单位名称": FIELDS["单位名称"],
        "检查日期": FIELDS["检查日期"],
        "安全出口畅通": Field("安全出口畅通", "bool", sense="good"),
        "存放箱数": Field("存放箱数", "integer", unit=UNITS["箱"]),
    }
    tables = load(Path(__file__).parent / "files" / "检查表.xls", known_headers(fields.values()))
    found = bind(tables, fields)
    assert tables[0].headers == ("序号", "单位名称", "检查日期", "安全出口畅通", "存放箱数(箱)", "备注")
    assert found.frame.select(list(fields)).rows() == [
        ("甲店", dt.date(2024, 5, 6), True, 50),
        ("甲店", dt.date(2024, 5, 7), False, None),
        ("乙店", dt.date(2024, 5, 8), True, 30),
    ]
    assert found.frame["存放箱数__high"].to_list() == [50, 50, 30]
    assert found.frame["__row"].to_list() == [4, 5, 6]
    assert [row for row, _ in tables[0].skipped] == [1, 3, 8]
    assert not found.defects.height
