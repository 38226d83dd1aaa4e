"""A typed table written in any mix of the ways that people and systems write, reads back to the same table or to named defects."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings, strategies as st

from engine.fields import Field
from engine.tables import LONG_HEADERS, Vocabulary, bind, known_headers, load, unfold
from engine.units import UNITS

FIELDS = {
    "单位名称": Field("单位名称", "text", role="enterprise", aliases=("企业名称",)),
    "检查日期": Field("检查日期", "date", role="date", aliases=("检查时间",)),
    "到期日期": Field("到期日期", "date"),
    "安全出口畅通": Field("安全出口畅通", "bool", sense="good"),
    "违章用火": Field("违章用火", "bool", sense="bad"),
    "使用液氨": Field("使用液氨", "bool"),
    "存药量_kg": Field("存药量_kg", "number", unit=UNITS["kg"], aliases=("存药量",)),
    "存放箱数": Field("存放箱数", "integer", unit=UNITS["箱"]),
    "设备类别": Field("设备类别", "enum", values=("锅炉", "电梯", "叉车"), synonyms=(("蒸汽锅炉", "锅炉"),)),
    "标准化等级": Field("标准化等级", "enum", values=("一级", "二级", "三级")),
}
KNOWN = known_headers(FIELDS.values()) | LONG_HEADERS
DAYS = st.dates(dt.date(1990, 1, 1), dt.date(2049, 12, 31))
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "检查日期": DAYS, "到期日期": DAYS, "安全出口畅通": st.booleans(), "违章用火": st.booleans(), "使用液氨": st.booleans(),
    "存药量_kg": st.integers(0, 500_000).map(lambda n: n / 8), "存放箱数": st.integers(0, 9_999),
    "设备类别": st.sampled_from(["锅炉", "电梯", "叉车"]), "标准化等级": st.sampled_from(["一级", "二级", "三级"]),
}  # fmt: skip
HEADERS = {
    "单位名称": ["单位名称", "企业名称", " 单位名称 ", "单位名称：", "企业名称*", "单位名称(必填)"],
    "检查日期": ["检查日期", "检查时间", "检查日期（年月日）"],
    "存药量_kg": ["存药量", "存药量_kg", "存药量（kg）", "存药量(公斤)"],
    "存放箱数": ["存放箱数", "存放箱数(箱)", "存 放 箱 数"],
    "安全出口畅通": ["安全出口畅通", "安全出口畅通(是/否)", "安全出口畅通（是/否）"],
}
WIDE = str.maketrans("0123456789", "０１２３４５６７８９")


def dates(day: dt.date) -> list[object]:
    serial = (day - dt.date(1899, 12, 30)).days
    return [
        dt.datetime.combine(day, dt.time()), f"{day.year}/{day.month}/{day.day}", f"{day.year}.{day.month:02}.{day.day:02}", day.strftime("%Y%m%d"),
        f"{day.year}年{day.month}月{day.day}日", f"{day.year}年 {day.month:02} 月 {day.day:02} 日", day.isoformat() + "T00:00:00", f"{day} 08:30",
        serial, str(serial), day.isoformat().translate(WIDE), int(day.strftime("%Y%m%d")), f"{day.month}月{day.day}日", f"{day.year}-13-{day.day}",
        day.strftime("%Y%m%d")[:7], f"{day.month:02}/{day.day:02}/{day.year}", "已整改", f"{day.year}-{day.month:02}",
    ]  # fmt: skip


def bools(name: str, value: bool) -> list[object]:
    facts: list[object] = [
        ("是", "否"),
        ("有", "无"),
        ("已", "未"),
        ("Y", "N"),
        ("1", "0"),
        (1, 0),
        ("☑", "☐"),
        ("☑是 □否", "□是 ☑否"),
        (" 是\n", "　否"),
    ]
    good = {"安全出口畅通": value, "违章用火": not value}.get(name)
    words = [pair[0 if value else 1] for pair in facts]  # type: ignore[index]
    for yes, no in (("合格", "不合格"), ("符合", "不符合"), ("正常", "异常")):
        words.append(yes if (value if good is None else good) else no)
    return [*words, "√" if value else "×", "部分", "是、否"]


def numbers(name: str, value: float) -> list[object]:
    plain = f"{value:g}" if value < 1e5 else str(value)
    symbol = "kg" if name == "存药量_kg" else "箱"
    made: list[object] = [
        value, repr(value), f"{value:,}", f"{value}{symbol}", f"{value} {symbol}", str(value).translate(WIDE) + symbol, f"约{plain}", f"{value}以下",
        f"不少于{value}", f"{value}-{value + 1}{symbol}", f"{value}℃",
    ]  # fmt: skip
    return made + ([f"{value / 1000!r}t"] if symbol == "kg" else [])


def words(name: str, value: str) -> list[object]:
    if name == "标准化等级":
        number = ("一级", "二级", "三级").index(value) + 1
        return [
            value,
            number,
            f"{number}级",
            str(number),
            "ⅠⅡⅢ"[number - 1] + "级",
            ("一", "二", "三")[number - 1],
            "四级",
            "一级、二级",
            f"一般{number}级",
        ]
    others = [one for one in ("锅炉", "电梯", "叉车") if one != value]
    return [value, f" {value} ", f"☑{value} □{others[0]}", f"{others[0]}□ {value}■", f"{value}、{others[0]}", "索道"] + (
        ["蒸汽锅炉"] if value == "锅炉" else []
    )


def written(name: str, value: object) -> list[object]:
    """Ways to write a value, some of which cannot be read."""
    kind = FIELDS[name].type
    if kind == "date":
        return dates(value)  # type: ignore[arg-type]
    if kind == "bool":
        return bools(name, bool(value))
    return numbers(name, value) if kind in ("number", "integer") else words(name, str(value))  # type: ignore[arg-type]


BLANKS: list[object] = [None, "", " ", "　", "-", "/", "None", "——"]


def texts(cell: object) -> str:
    if isinstance(cell, dt.datetime):
        return cell.strftime("%Y-%m-%d")
    return "" if cell is None else str(cell)


def csv_line(cells: list[object], separator: str) -> str:
    return separator.join('"' + text.replace('"', '""') + '"' if any(ch in text for ch in ',;\t|"\n') else text for text in map(texts, cells))


def write(path: Path, rows: list[list[object]], data: st.DataObject) -> Path:
    """The grid as a csv or xlsx file."""
    width = max(map(len, rows))
    rows = [row + [None] * (width - len(row)) for row in rows]
    if data.draw(st.booleans(), "xlsx"):
        path = path / "a.xlsx"
        book = xlsxwriter.Workbook(str(path))
        sheet, day = book.add_worksheet("列表1"), book.add_format({"num_format": "yyyy/m/d"})
        for r, row in enumerate(rows):
            for c, cell in enumerate(row):
                if isinstance(cell, dt.datetime):
                    sheet.write_datetime(r, c, cell, day)
                elif isinstance(cell, str):
                    sheet.write_string(r, c, cell)
                elif cell is not None:
                    sheet.write_number(r, c, cell)  # type: ignore[arg-type]
        book.add_worksheet("Sheet2")
        book.close()
        return path
    encoding = data.draw(st.sampled_from(["utf-8", "utf-8-sig", "gb18030", "utf-16"]), "encoding")
    separator = data.draw(st.sampled_from(",\t;|"), "separator")
    end = data.draw(st.sampled_from(["\n", "\r\n"]), "end")
    path = path / "a.csv"
    path.write_bytes(("".join(csv_line(row, separator) + end for row in rows)).encode(encoding))
    return path


def wide(names: list[str], cells: list[list[object]], data: st.DataObject) -> list[list[object]]:
    """The grid of a sheet: titles, the header in one or two layers, rows with blank ones and repeated headers between, totals and notes."""
    header: list[object] = [data.draw(st.sampled_from(HEADERS.get(name, [name])), "header") for name in names]
    numbered, layered = data.draw(st.booleans(), "numbered"), data.draw(st.booleans(), "layered")
    head: list[list[object]] = [["序号", *header] if numbered else header]
    if layered:
        head.insert(0, ["基本信息", *[None] * (len(head[0]) - 2), "检查情况"])
    grid: list[list[object]] = []
    if data.draw(st.booleans(), "title"):
        grid += [["某市隐患排查治理台账"], ["填报人：张三"]]
    grid += head
    for number, row in enumerate(cells, 1):
        if number > 1 and data.draw(st.integers(0, 5)) == 0:
            grid += data.draw(st.sampled_from([[[None]], head]), "between")
        grid.append([number, *row] if numbered else row)
    if data.draw(st.booleans(), "notes"):
        grid += [["合计", len(cells)], [None], ["填写要求：如实填写。"], ["1.本表按月填报。"]]
    return grid


def expected_or_named(found: Any, table: list[dict[str, object]], gathered: bool = False) -> None:
    """Each cell is what was meant, or a defect at that cell says why not; a bound holds what was meant. A row that was `gathered` from several
    has its defects at their rows."""
    assert found.frame.height == len(table)
    frame = {name: found.frame[name].to_list() for name in found.frame.columns}
    named = {(row, field) for row, field in found.defects.select("row", "field").rows()}
    order = {unit: n for n, unit in enumerate(frame["单位名称"])}
    for meant in table:
        at = order[meant["单位名称"]]
        for name, value in meant.items():
            got = frame[name][at] if name in frame else None
            high = frame.get(name + "__high", [None] * len(table))[at]
            if got == value:
                continue
            if name + "__high" in frame and (got is not None or high is not None):
                assert (got is None or got <= value) and (high is None or value <= high), (name, value, got, high)
                continue
            assert got is None, (name, value, got)
            row = frame["__row"][at]
            assert (row, name) in named or (gathered and name in {field for _, field in named}), (name, value, row)


@st.composite
def tables(draw: st.DrawFn, rows: int = 4) -> tuple[list[str], list[dict[str, object]], list[list[object]]]:
    """Names of fields, the values meant, and the cells as written."""
    names = ["单位名称", *draw(st.lists(st.sampled_from(list(VALUES)), min_size=4, max_size=9, unique=True))]
    meant: list[dict[str, object]] = []
    cells: list[list[object]] = []
    for number in range(draw(st.integers(1, rows))):
        unit = f"某{'甲乙丙丁'[number]}公司"
        values: dict[str, object] = {"单位名称": unit}
        row: list[object] = [unit]
        for name in names[1:]:
            if draw(st.integers(0, 7)) == 0:
                values[name] = None
                row.append(draw(st.sampled_from(BLANKS)))
            else:
                values[name] = draw(VALUES[name])
                row.append(draw(st.sampled_from(written(name, values[name]))))
        meant.append(values)
        cells.append(row)
    return names, meant, cells


FAST = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@FAST
@given(tables(), st.data())
def test_a_sheet_with_all_its_defects_reads_back(tmp_path: Path, table: tuple[Any, Any, Any], data: st.DataObject) -> None:
    names, meant, cells = table
    expected_or_named(bind(load(write(tmp_path, wide(names, cells, data), data), KNOWN), FIELDS), meant)


@FAST
@given(tables(), st.data())
def test_a_long_table_reads_back(tmp_path: Path, table: tuple[Any, Any, Any], data: st.DataObject) -> None:
    names, meant, cells = table
    grid: list[list[object]] = [["企业名称", "序号", "检查项", "检查结果", "数值"]]
    for row in cells:
        for name, cell in zip(names[1:], row[1:], strict=True):
            one = cell if data.draw(st.booleans(), "in result") else None
            grid.append([row[0], len(grid), name, one, None if one is not None else cell])
    loaded = unfold(load(write(tmp_path, grid, data), KNOWN), lambda: [Vocabulary(FIELDS)])
    expected_or_named(bind(loaded, FIELDS), meant, gathered=True)


@FAST
@given(tables(rows=3), st.data())
def test_forms_read_back(tmp_path: Path, table: tuple[Any, Any, Any], data: st.DataObject) -> None:
    names, meant, cells = table
    grid: list[list[object]] = []
    for row in cells:
        pairs = [[name, cell] for name, cell in zip(names, row, strict=True)]
        two = data.draw(st.booleans(), "two pairs a line")
        lines = [[*pairs[n], *(pairs[n + 1] if n + 1 < len(pairs) else [])] for n in range(0, len(pairs), 2)] if two else pairs
        grid += [["隐患情况表"], *lines, [None]]
    expected_or_named(bind(load(write(tmp_path, grid, data), KNOWN), FIELDS), meant, gathered=True)


@FAST
@given(tables(), st.booleans())
def test_records_and_typed_files_read_back(tmp_path: Path, table: tuple[Any, Any, Any], parquet: bool) -> None:
    names, meant, cells = table
    rows = [[texts(cell) if isinstance(cell, dt.datetime) else cell for cell in row] for row in cells]
    if parquet:
        path = tmp_path / "a.parquet"
        pl.DataFrame({name: [texts(row[n]) for row in rows] for n, name in enumerate(names)}).write_parquet(path)
    else:
        path = tmp_path / "a.jsonl"
        path.write_text("\n".join(json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False) for row in rows))
    expected_or_named(bind(load(path, KNOWN), FIELDS), meant)


@pytest.mark.parametrize("name", list(VALUES))
def test_most_ways_to_write_a_value_are_read(name: str) -> None:
    """So that the round trip is no trip to defects only."""
    value = {"date": dt.date(2024, 5, 6), "bool": True, "number": 12.5, "integer": 12, "enum": "".join(FIELDS[name].values[:1])}[FIELDS[name].type]
    cells = written(name, value)
    found = bind(load(pl.DataFrame({"单位名称": [str(n) for n in range(len(cells))], name: pl.Series([texts(cell) for cell in cells])})), FIELDS)
    assert 2 * sum(one == value for one in found.frame[name].to_list()) > len(cells)
