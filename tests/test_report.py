"""What the reports make of results that are written down here by hand: one module of the engine/report a section."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from python_calamine import CalamineWorkbook

from engine import Result, judge, result as schemas
from engine.pack import open_library
from engine.problems import width as columns
from engine.report import data, page, text, workbook
from engine.report.selection import Selection
from engine.ruletests import read_tests

TABLES = {
    name: getattr(schemas, name.upper())
    for name in ("enterprises", "findings", "undetermined", "coverage", "defects", "grade_differences", "duplicates")
}
FIELDS = """
sector: shops
title: 店铺
fields:
  单位名称: {type: text, role: enterprise, meaning: 单位}
  区县: {type: text, role: region, meaning: 区县}
  检查日期: {type: date, role: date, meaning: 检查日期}
  经营店铺: {type: bool, meaning: 是不是店铺}
  住人: {type: bool, meaning: 店里住人}
  面积_m2: {type: number, unit: m2, meaning: 店的面积, aliases: [面积]}
"""
DOCUMENT = """
document: {id: d, title: 店铺规定, number: 店〔2020〕1号, issuer: 某局, in_force: {from: 2020-01-01, to: 2029-12-31}}
criteria:
  - {id: shops/d/1, clause: 第一条, name: 店里住人, applies: 经营店铺, when: 住人, grade: major, status: recalled, remedy: 搬走}
  - {id: shops/d/2, clause: 第二条, name: 店面过小, applies: 经营店铺, when: 面积_m2 < 10, grade: violation, status: verified}
  - {id: shops/d/3, clause: 第三条, name: 存疑的条款, when: 住人, grade: general, status: uncertain}
"""
TESTS = "tests:\n  - {criterion: shops/d/2, row: {经营店铺: 是, 面积_m2: 9}, verdict: met, why: 九平方米不到十平方米}\n"
ROWS = """单位名称,区县,检查日期,经营店铺,住人,面积
甲店,东区,2024-01-01,是,是,9.5
乙店,西区,2024-01-02,是,否,8
丙店,西区,2024-01-03,是,,12
丁店,,2024-01-04,,是,
戊店,东区,2024-01-05,否,是,不详
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("shops")
    (made / "fields.yaml").write_text(FIELDS, "utf-8")
    (made / "d.yaml").write_text(DOCUMENT, "utf-8")
    (made / "d.tests.yaml").write_text(TESTS, "utf-8")
    (made / "表.csv").write_text(ROWS, "utf-8")
    return made


@pytest.fixture(scope="module")
def judged(folder: Path) -> Result:
    return judge(folder / "表.csv", [folder], "shops", dt.date(2024, 6, 1))


def tables_of(result: Result) -> dict[str, pa.Table]:
    return {name: getattr(result, name) for name in TABLES}


# text


@pytest.mark.parametrize(
    ("line", "width", "lines"),
    [
        ("一二三四五", 10, ["一二三四五"]),
        ("一二三四五六七", 10, ["一二三四五", "六七"]),
        ("一二三四五。六", 10, ["一二三四", "五。六"]),
        ("一二三四《五六》", 10, ["一二三四", "《五六》"]),
        ("长度 abcdefgh", 10, ["长度", "abcdefgh"]),
        ("abcdefghijklmno", 10, ["abcdefghij", "klmno"]),
        ("一二三四五六七", 0, ["一二三四五六七"]),
    ],
)
def test_lines_break_between_characters_and_keep_closing_marks(line: str, width: int, lines: list[str]) -> None:
    assert text.wrapped(line, width).split("\n") == lines


def test_lines_after_the_first_hang() -> None:
    assert text.wrapped("一二三四五六七", 10, "  ", "    ").split("\n") == ["  一二三四", "    五六七"]


def test_what_a_terminal_would_obey_is_blanked() -> None:
    assert text.clean("甲\x1b[2J乙\n丙\u202e丁\x9b戊") == "甲 [2J乙 丙 丁 戊"


@pytest.mark.parametrize("width", [60, 80, 109, 110, 140, 200])
def test_the_list_names_enterprise_counts_and_leading_clause(judged: Result, width: int) -> None:
    told = text.render(judged, tables_of(judged), width, False, "表.csv")
    lines = told.splitlines()
    assert max(columns(line) for line in lines if not line.startswith("想知道")) <= width
    at = {name: number for number, line in enumerate(lines) for name in ("甲店", "乙店") if line.startswith(name)}
    assert at["甲店"] < at["乙店"]
    counts = ["挂牌督办", "1", "·", "·", "1", "·"]  # one major hazard that is not rectified: the ladder of every sector lists it
    expected = ["东区", *counts] if width >= 110 else counts
    assert lines[at["甲店"]].split()[1 : 1 + len(expected)] == expected
    assert "＊依据待核店里住人（店〔2020〕1号第一条）" in "".join(told.split()) and "＊ 依据待核：" in told
    assert "丙店" not in told.split("合计")[0]


def test_the_summary_counts_verdicts_coverage_and_defects(judged: Result) -> None:
    told = text.render(judged, tables_of(judged), 0, False, "表.csv")
    assert "合计：重大 1，严重 0，一般 0，违法 2（2 个单位；同一义务只算一次）。" in told
    assert "行业：店铺（shops，指定）；共 5 行、5 个单位，其中 2 个单位有隐患。" in told
    # met: 甲/1, 甲/2, 乙/2; not met: 乙/1, 丙/2; open: 丙/1, 丁/1 (suspected), 丁/2; not applicable: 戊/1, 戊/2
    assert "判定结论：构成 3，不构成 2，待核实 3，不适用 2（疑似 1：" in told
    assert "另有 2 个单位还没有定为隐患，但有待核实的条款，其中 1 个有疑似。" in told
    assert "这张表能判定 2 / 2 条。" in told and "有 1 条依据存疑，没有使用" in told and "有 1 格读不出" in told
    assert told.endswith("hazard explain 表.csv --unit '甲店'\n")


def test_a_table_without_hazards_says_so(folder: Path) -> None:
    import polars as pl

    clear = judge(pl.DataFrame({"单位名称": ["甲店"], "经营店铺": ["是"], "住人": ["否"]}), [folder], "shops", dt.date(2024, 6, 1))
    told = text.render(clear, tables_of(clear), 80, False, "表")
    assert told.startswith("没有单位构成隐患。") and "有 1 行没有检查日期，按 2024-06-01 有效的判定依据判定" in told


def test_explanations_say_why_how_far_and_what_to_ask(judged: Result) -> None:
    told = text.render_explanations(judged.explain(), 0, judged.enterprises.to_pylist())
    assert "甲店：重大 1，违法 1；" in told
    assert (
        "【构成】店里住人（重大，依据待核）" in told and "依据：《店铺规定》（店〔2020〕1号）第一条，2020-01-01 至 2029-12-31；条款 shops/d/1" in told
    )
    assert "怎样才不构成：使 面积_m2 >= 10（9.5 m2 与 10 m2，相差 0.5 m2）" in told and "整改：搬走" in told
    assert "不成立之处：面积_m2 >= 10（12 m2 与 10 m2，相差 2 m2）" in told
    assert "【待核实】店里住人" in told and "还要问清（任一组）：住人" in told
    assert "【疑似】店里住人" in told and "还要问清（任一组）：经营店铺" in told
    assert "面积_m2=9.5（列“面积”）" in told


def test_nothing_to_explain_tells_how_to_ask_for_one_clause() -> None:
    assert "--criterion" in text.render_explanations([], 0)


# data


@pytest.mark.parametrize("value", ["=1+1", "+1+1", "-a", "@a", "\ta", "\ra", "\na", "＝1+1", "＋a", "－a", "＠a"])
def test_a_csv_cell_that_would_be_a_formula_is_text(value: str) -> None:
    assert data.cell_text(value) == "'" + value


@pytest.mark.parametrize("value", ["-5", "+5", "-1.5e3", "甲=乙", "a-b", ""])
def test_other_csv_cells_are_left_alone(value: str) -> None:
    assert data.cell_text(value) == value


@pytest.mark.parametrize(
    ("value", "flat"),
    [
        (None, ""), (True, "是"), (False, "否"), (3, "3"), (dt.date(2024, 1, 31), "2024-01-31"), (["甲", "乙"], "甲；乙"), ([], ""),
        ([["甲", "乙"], ["丙"]], "甲 + 乙；或 丙"), ([{"field": "甲", "column": "列", "value": "是"}], "甲=是"),
        ([{"name": "督办", "certain": True}, {"name": "关闭", "certain": False}], "督办；关闭（待核实成立时）"),
    ],
)  # fmt: skip
def test_nested_values_become_one_text(value: object, flat: str) -> None:
    assert data.flat(value) == flat


def test_csv_has_the_columns_of_findings_and_a_row_each(judged: Result) -> None:
    rows = list(csv.DictReader(io.StringIO(data.as_csv(judged.findings))))
    assert list(rows[0]) == schemas.FINDINGS.names
    assert [(row["criterion"], row["enterprise"], row["row"]) for row in rows] == [
        ("shops/d/1", "甲店", "2"), ("shops/d/2", "甲店", "2"), ("shops/d/2", "乙店", "3"),
    ]  # fmt: skip
    assert rows[1]["evidence"] == "经营店铺=是；面积_m2=9.5" and rows[1]["in_force_to"] == "2029-12-31"


def test_json_holds_all_columns_of_all_tables(judged: Result) -> None:
    made = json.loads(data.as_json(judged, tables_of(judged)))
    assert list(made) == ["manifest", "coverage", "enterprises", "findings", "undetermined", "grade_differences", "duplicates", "defects"]
    for name, schema in TABLES.items():
        assert made[name] or name in ("grade_differences", "duplicates")  # this table has none
        assert all(list(row) == schema.names for row in made[name])
    assert made["findings"][0]["date"] == "2024-01-01" and made["findings"][0]["evidence"][1] == {"field": "住人", "column": "住人", "value": "是"}
    assert [(one["row"], one["value"]) for one in made["defects"]] == [(6, "不详")]


def test_json_lines_are_the_manifest_and_then_every_row(judged: Result) -> None:
    lines = [json.loads(line) for line in data.as_jsonl(judged, tables_of(judged)).splitlines()]
    assert len(lines) == 1 + sum(table.num_rows for table in tables_of(judged).values())
    assert lines[0]["kind"] == "manifest" and sum(line["kind"] == "finding" for line in lines) == 3


def test_parquet_keeps_the_schema(judged: Result, tmp_path: Path) -> None:
    data.write_parquet(tmp_path / "a.parquet", judged.findings)
    assert pq.read_table(tmp_path / "a.parquet").schema.equals(schemas.FINDINGS)


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "结果.txt"
    target.write_text("以前的", "utf-8")

    def half(path: Path) -> None:
        path.write_text("一半", "utf-8")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError):
        data.write_bytes(target, half)
    assert [one.name for one in tmp_path.iterdir()] == ["结果.txt"] and target.read_text("utf-8") == "以前的"


def test_a_link_is_written_through(tmp_path: Path) -> None:
    (tmp_path / "真.txt").write_text("以前的", "utf-8")
    (tmp_path / "链.txt").symlink_to(tmp_path / "真.txt")
    data.write_text(tmp_path / "链.txt", "新的")
    assert (tmp_path / "链.txt").is_symlink() and (tmp_path / "真.txt").read_text("utf-8") == "新的"


def test_a_long_chinese_file_name_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / f"{'长' * 83}.txt"  # 253 bytes: the most that a folder holds is 255
    data.write_text(path, "新的")
    assert path.read_text("utf-8") == "新的"


# workbook


def sheets(path: Path) -> dict[str, list[list[Any]]]:
    book = CalamineWorkbook.from_path(path)
    return {name: book.get_sheet_by_name(name).to_python() for name in book.sheet_names}


def test_the_workbook_speaks_chinese_and_holds_every_table(judged: Result, tmp_path: Path) -> None:
    workbook.write_workbook(tmp_path / "a.xlsx", judged, tables_of(judged), ["第一句", "=第二句"])
    made = sheets(tmp_path / "a.xlsx")
    assert list(made) == ["摘要", "单位", "隐患", "待核实", "等级不一致", "疑似同一单位", "数据毛病", "判定范围"]
    assert made["摘要"] == [["第一句"], ["=第二句"]]
    found = [dict(zip(made["隐患"][0], row, strict=True)) for row in made["隐患"][1:]]
    assert (found[0]["隐患"], found[0]["隐患等级"], found[0]["依据状态"], found[0]["行"]) == ("店里住人", "重大", "依据待核", 2)
    assert found[0]["检查日期"] == dt.date(2024, 1, 1) and found[0]["施行末日"] == dt.date(2029, 12, 31)
    state = {row[0]: row[made["判定范围"][0].index("能否判定")] for row in made["判定范围"][1:]}
    assert state == {"shops/d/1": "能判定", "shops/d/2": "能判定", "shops/d/3": "依据存疑，未用"}


@pytest.mark.parametrize("name", list(TABLES))
def test_every_column_has_a_chinese_header(name: str) -> None:
    shown = [column for column in TABLES[name].names if column not in ("level_rank", "level_possible_rank")]
    assert all(re.search("[\u4e00-\u9fff]", workbook.HEADERS[column]) for column in shown)
    assert len({workbook.HEADERS[column] for column in shown}) == len(shown)


# selection


@pytest.mark.parametrize(
    ("selection", "enterprises", "findings"),
    [
        (Selection(), ["甲店", "乙店", "丙店", "丁店", "戊店"], 3), (Selection(min_grade="major"), ["甲店"], 1),
        (Selection(min_grade="violation"), ["甲店", "乙店"], 3), (Selection(region="西区"), ["乙店", "丙店"], 1),
        (Selection(min_grade="major", region="西区"), [], 0),
    ],
)  # fmt: skip
def test_a_selection_restricts_enterprises_and_their_findings(judged: Result, selection: Selection, enterprises: list[str], findings: int) -> None:
    kept = selection.apply(judged)
    assert sorted(kept["enterprises"]["enterprise"].to_pylist()) == sorted(enterprises)
    assert kept["findings"].num_rows == findings and kept["findings"].schema.equals(schemas.FINDINGS)
    assert kept["coverage"].num_rows == 3 and len(kept) == len(list(kept)) == 7


# page


def test_the_page_of_a_criterion_says_all_that_the_rule_file_says(folder: Path) -> None:
    library = open_library([folder])
    pack, _ = library.load(["shops"])
    tests, _ = read_tests(library, ["shops"])
    told = page.criterion_page(pack.criterion("shops/d/2"), pack.sectors["shops"], tests)
    for line in (
        "店面过小", "条款 id    shops/d/2", "等级       违法（violation）", "依据       《店铺规定》（店〔2020〕1号）第二条，某局",
        "施行       2020-01-01 起，至 2029-12-31（首末两日都算）", "依据状态   已核（verified）", "  适用：经营店铺", "  构成：面积_m2 < 10",
        "  面积_m2（数，单位 m2）店的面积", "  构成：经营店铺 是，面积_m2 9（九平方米不到十平方米）",
    ):  # fmt: skip
        assert line in told.splitlines()


def test_the_list_of_criteria_marks_what_is_not_verified(folder: Path) -> None:
    pack, _ = open_library([folder]).load(["shops"])
    assert page.criteria_list(pack.sectors["shops"].criteria).splitlines() == [
        "《店铺规定》（店〔2020〕1号） 2020-01-01 至 2029-12-31",
        "  shops/d/1  重大  店里住人〔依据待核〕",
        "  shops/d/2  违法  店面过小",
        "  shops/d/3  一般  存疑的条款〔存疑〕",
        "",
        "共 3 条。用 hazard rules show 条款id 看一条的全文。",
    ]
    records = page.criteria_records(pack.sectors["shops"].criteria, lambda document: (document.sector, "homes"))
    assert [record["in_force_to"] for record in records] == ["2029-12-31"] * 3 and json.dumps(records)
