"""Results as a workbook for people: a summary and one sheet a table, Chinese headers, every text written as text."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.documents import GRADE_NAMES, STATUS_NAMES
from engine.report.data import flat, write_bytes

if TYPE_CHECKING:
    import pyarrow as pa

    from engine.run import Result

MAX_ROWS = 1_000_000
MAX_CELL = 32_000
HEADERS = {
    "enterprise": "单位", "region": "区县", "level": "处置级别", "level_possible": "可能达到的级别", "major": "重大", "serious": "严重",
    "general": "一般", "violation": "违法", "suspected": "疑似", "undetermined": "待核实", "rows": "行数", "date": "检查日期", "leading": "首要条款",
    "leading_grade": "首要等级", "leading_status": "首要条款依据", "leading_name": "首要隐患", "leading_basis": "首要依据", "measures": "处置措施",
    "reasons": "理由", "criterion": "条款 id", "name": "隐患", "clause": "条款", "document": "文号", "title": "判定依据", "in_force_from": "施行首日",
    "in_force_to": "施行末日", "grade": "隐患等级", "status": "依据状态", "duty": "同一义务", "campaign": "专项", "subject": "检查对象", "sector": "行业",
    "evidence": "证据", "remedy": "整改办法", "file": "文件", "sheet": "工作表", "row": "行", "missing": "还要知道什么（任一组）", "state": "能否判定",
    "reason": "原因", "met": "构成", "not_met": "不构成", "not_applicable": "不适用", "not_in_force": "不在施行期", "column": "列", "field": "字段",
    "value": "原值", "problem": "问题代码", "message": "说明", "place": "地方", "government": "属地政府", "committees": "牵头委员会",
    "departments": "负责部门", "assignment": "归口依据", "difference": "差别", "own": "表中等级", "own_grade": "表中等级归到", "other": "另一名称",
    "other_rows": "另一名称的行数",
}  # fmt: skip
SHEETS = {
    "enterprises": "单位",
    "findings": "隐患",
    "undetermined": "待核实",
    "grade_differences": "等级不一致",
    "duplicates": "疑似同一单位",
    "defects": "数据毛病",
    "coverage": "判定范围",
}
DIFFERENCES = {"higher": "判定更重", "lower": "表中更重", "unclear": "表中等级说不清"}
STATES = {"covered": "能判定", "not_covered": "缺列，不能判定", "not_in_force": "不在施行期", "off": "依据存疑，未用", "suspended": "已停用"}
ASSIGNMENTS = {"plan": "文件写明", "inferred": "推断，用前须确认"}
_HIDDEN = ("level_rank", "level_possible_rank")
_WIDE = {"enterprise": 28, "name": 36, "title": 30, "evidence": 50, "remedy": 40, "missing": 40, "reasons": 50, "measures": 50, "message": 50, "leading_name": 36, "leading_basis": 40, "reason": 36, "other": 28, "government": 22, "committees": 34, "departments": 36}  # fmt: skip


def value_of(column: str, value: object) -> object:
    """A value as a reader of the sheet wants it: codes in Chinese, numbers as numbers, dates as dates, all else as text."""
    if column in ("grade", "leading_grade"):
        return GRADE_NAMES.get(str(value), value)
    if column in ("status", "leading_status"):
        return STATUS_NAMES.get(str(value), value)
    if column == "assignment":
        return ASSIGNMENTS.get(str(value), flat(value))
    if column == "own_grade":
        return "没有隐患" if value == "none" else GRADE_NAMES.get(str(value), flat(value))
    if column == "difference":
        return DIFFERENCES.get(str(value), value)
    if column == "state":
        return STATES.get(str(value), value)
    if isinstance(value, dt.date) or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    return flat(value)[:MAX_CELL]


def write_workbook(path: Path, result: Result, tables: Mapping[str, pa.Table], summary: list[str]) -> None:
    """Write the workbook. `summary` are the lines of the first sheet. A table of over a million rows is cut, and the summary says so."""

    def make(beside: Path) -> None:
        import xlsxwriter
        from xlsxwriter.exceptions import XlsxWriterException

        options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False, "constant_memory": False}
        try:
            with xlsxwriter.Workbook(str(beside), options) as book:
                styles = {
                    "head": book.add_format({"bold": True, "bg_color": "#D9E2F3", "border": 1}),
                    "wrap": book.add_format({"text_wrap": True, "valign": "top"}),
                    "date": book.add_format({"num_format": "yyyy-mm-dd"}),
                }
                front = book.add_worksheet("摘要")
                front.set_column(0, 0, 120)
                cut = [
                    f"表“{SHEETS[name]}”有 {table.num_rows:,} 行，只写了前 {MAX_ROWS:,} 行。"
                    for name, table in tables.items()
                    if table.num_rows > MAX_ROWS
                ]
                for number, line in enumerate([*summary, *cut]):
                    front.write_string(number, 0, line, styles["wrap"])
                for name, title in SHEETS.items():
                    _sheet(book.add_worksheet(title), tables[name].slice(0, MAX_ROWS), styles)
        except XlsxWriterException as error:  # it wraps what the disk says
            raise OSError(0, str(error), path.name) from error

    write_bytes(path, make)


def _sheet(sheet: Any, table: pa.Table, styles: dict[str, Any]) -> None:
    names = [name for name in table.column_names if name not in _HIDDEN]
    for at, name in enumerate(names):
        sheet.write_string(0, at, HEADERS[name], styles["head"])
        sheet.set_column(at, at, _WIDE.get(name, 12))
    for number, row in enumerate(table.select(names).to_pylist(), start=1):
        for at, name in enumerate(names):
            value = value_of(name, row[name])
            if isinstance(value, dt.date):
                sheet.write_datetime(number, at, value, styles["date"])
            elif isinstance(value, int | float):
                sheet.write_number(number, at, value)
            elif value:
                sheet.write_string(number, at, str(value))
    sheet.freeze_panes(1, 1)
    if table.num_rows:
        sheet.autofilter(0, 0, table.num_rows, len(names) - 1)
