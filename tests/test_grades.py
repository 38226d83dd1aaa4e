"""The table's own grade beside the engine's: how it is read, which rows differ and why; it decides nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner

import engine
from cli import main
from engine.grades import own_grade

FIELDS = """
sector: {name}
title: {title}
aliases: []
fields:
  单位名称: {{type: text, role: enterprise, meaning: 单位}}
  检查日期: {{type: date, role: date, meaning: 检查的日期}}
  行业: {{type: text, role: sector, meaning: 行业}}
  隐患等级: {{type: text, role: grade, meaning: 表中自带的等级, aliases: [隐患级别]}}
  {name}甲: {{type: bool, meaning: 重大的事}}
  {name}乙: {{type: bool, meaning: 一般的事}}
  {name}丙: {{type: bool, meaning: 违法的事}}
"""
RULES = """
document: {{id: d, title: 某标准, number: 某号, issuer: 某机关, in_force: {{from: 2020-01-01}}}}
criteria:
  - {{id: {name}/d/1, clause: 第一条, name: 甲隐患, when: {name}甲, grade: major, status: verified}}
  - {{id: {name}/d/2, clause: 第二条, name: 乙隐患, when: {name}乙, grade: general, status: verified}}
  - {{id: {name}/d/3, clause: 第三条, name: 丙隐患, when: {name}丙, grade: violation, status: verified}}
"""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    for name, title in (("shop", "商店"), ("mine", "矿山")):
        folder = tmp_path / "rules" / name
        folder.mkdir(parents=True)
        (folder / "fields.yaml").write_text(FIELDS.format(name=name, title=title), encoding="utf-8")
        (folder / "d.yaml").write_text(RULES.format(name=name), encoding="utf-8")
    return tmp_path / "rules"


@pytest.mark.parametrize(
    ("text", "grade"),
    [
        ("重大", "major"), ("重大事故隐患", "major"), ("特别重大", "major"), (" 重 大\n", "major"), ("较大", "serious"), ("重点隐患", "serious"),
        ("严重", "serious"), ("一般", "general"), ("一般事故隐患", "general"), ("一般3级", "general"), ("一般１级", "general"), ("非重大", "general"),
        ("不属于重大隐患", "general"), ("无重大隐患", "general"), ("无", "none"), ("无隐患", "none"), ("合格", "none"),
        ("一般□ 较大□ 重大☑", "major"), ("□一般 ☑较大 □重大", "serious"), ("一般□ 较大□ 重大□", "unclear"),
        # in one system 3 is 一般3级, in another code 5 is 重大: a number says nothing by itself
        ("3", "unclear"), ("3级", "unclear"), ("5", "unclear"), ("Ⅱ级", "unclear"), ("一般/重大", "unclear"), ("不合格", "unclear"), ("红色", "unclear"),
    ],
)  # fmt: skip
def test_an_own_grade_is_read_as_people_write_it_and_a_bare_number_is_unclear(text: str, grade: str) -> None:
    assert own_grade(text) == grade


def differences(rules: Path, rows: list[dict[str, Any]], **options: Any) -> list[tuple[Any, ...]]:
    table = pd.DataFrame(rows).assign(检查日期="2024-05-01", 单位名称="某店")
    result = engine.judge(table, engine.load_pack([rules], shipped=False), **options)
    return [(d["row"], d["difference"], d["own"], d["own_grade"], d["grade"], d["criterion"]) for d in result.grade_differences.to_pylist()]


@pytest.mark.parametrize(
    ("own", "facts", "expected"),
    [
        ("一般", {"甲": "是"}, ("higher", "general", "major", "shop/d/1")),
        ("无", {"乙": "是"}, ("higher", "none", "general", "shop/d/2")),
        ("重大", {"甲": "是"}, None),
        ("重大", {"乙": "是"}, ("lower", "major", "general", "shop/d/2")),
        ("重大", {"甲": "否", "乙": "否"}, ("lower", "major", None, None)),
        ("较大", {"甲": "是"}, ("higher", "serious", "major", "shop/d/1")),
        ("一般", {"乙": "是"}, None),
        ("一般", {"甲": "是", "乙": "是"}, ("higher", "general", "major", "shop/d/1")),  # the gravest counts
        ("一般", {"丙": "是"}, None),  # a document that only forbids says nothing about the grade
        ("无", {"丙": "是"}, ("higher", "none", "violation", "shop/d/3")),
        ("重大", {"丙": "是"}, ("lower", "major", "violation", "shop/d/3")),
        ("3", {"甲": "是"}, ("unclear", None, "major", "shop/d/1")),
        ("3", {"甲": "否"}, None),
        (None, {"甲": "是"}, None),
        ("  ", {"甲": "是"}, None),
        ("无", {"甲": "否"}, None),
    ],
)
def test_a_row_differs_when_the_gravest_criterion_met_has_another_grade(
    own: str | None, facts: dict[str, str], expected: tuple[Any, ...] | None, rules: Path
) -> None:
    row = {"隐患等级": own, **{f"shop{name}": facts.get(name) for name in "甲乙丙"}}
    found = differences(rules, [row], sector="shop")
    assert [(d[1], *d[3:]) for d in found] == ([expected] if expected else [])


def test_graver_by_the_engine_comes_first_and_the_reason_names_the_clause_or_what_is_open(rules: Path) -> None:
    rows = [
        {"隐患等级": "重大", "shop甲": None, "shop乙": "否"}, {"隐患等级": "一般", "shop甲": "是", "shop乙": "否"}, {"隐患等级": "4级", "shop甲": "是", "shop乙": "是"},
    ]  # fmt: skip
    assert [d[0] for d in differences(rules, rows, sector="shop")] == [2, 3, 1]
    table = pd.DataFrame(rows).assign(检查日期="2024-05-01", 单位名称="某店")
    reasons = engine.judge(table, engine.load_pack([rules], shipped=False), "shop").grade_differences["reason"].to_pylist()
    assert reasons == [
        "按《某标准》（某号）第一条判为重大：甲隐患；表里写“一般”",
        "按《某标准》（某号）第一条判为重大：甲隐患；表里写“4级”，说不清是哪一等，可在映射文件的 values 里写明",
        "没有一条判定条款构成；表里写“重大”；另有待核实 1 条",
    ]


def test_a_row_that_two_sectors_judged_counts_once_with_the_gravest(rules: Path) -> None:
    rows = [{"行业": "商店、矿山", "隐患等级": "一般", "shop乙": "是", "mine甲": "是"}]
    assert differences(rules, rows) == [(1, "higher", "一般", "general", "major", "mine/d/1")]


def test_a_mapping_settles_what_a_number_means(rules: Path, tmp_path: Path) -> None:
    mapping = tmp_path / "m.yaml"
    mapping.write_text("values: {隐患等级: {3: 一般}}", encoding="utf-8")
    rows = [{"隐患等级": 3, "shop乙": "是", "shop甲": "否"}, {"隐患等级": 3, "shop乙": "是", "shop甲": "是"}]
    assert [d[:2] for d in differences(rules, rows, sector="shop")] == [(2, "unclear"), (1, "unclear")]
    assert [d[:5] for d in differences(rules, rows, sector="shop", mapping=mapping)] == [(2, "higher", "一般", "general", "major")]


def test_the_own_grade_decides_nothing(rules: Path) -> None:
    pack = engine.load_pack([rules], shipped=False)
    plain = pd.DataFrame([{"单位名称": "甲", "检查日期": "2024-05-01", "shop甲": "是", "shop乙": "否"}])
    for own in ("重大", "无", "3"):
        graded = engine.judge(plain.assign(隐患级别=own), pack, "shop")
        assert graded.findings.drop_columns(["evidence"]).equals(engine.judge(plain, pack, "shop").findings.drop_columns(["evidence"]))


def test_a_table_without_the_column_has_no_differences(rules: Path) -> None:
    assert differences(rules, [{"shop甲": "是"}], sector="shop") == []


def test_the_differences_are_in_the_json_the_workbook_and_a_line_of_the_text(rules: Path, tmp_path: Path) -> None:
    from python_calamine import CalamineWorkbook

    path = tmp_path / "t.csv"
    path.write_text("单位名称,检查日期,隐患级别,shop甲\n甲,2024-05-01,一般,是\n乙,2024-05-01,重大,否\n", encoding="utf-8")
    output = tmp_path / "r.xlsx"
    run = CliRunner().invoke
    text = run(main, ["score", str(path), "--rules", str(rules), "--sector", "shop", "-o", str(output)])
    assert "表中自带的隐患等级与判定不一致 2 行：判定更重 1 行，表中更重 1 行" in text.output
    whole = json.loads(run(main, ["score", str(path), "--rules", str(rules), "--sector", "shop", "--format", "json"]).output)
    assert [(d["enterprise"], d["difference"], d["row"], d["column"]) for d in whole["grade_differences"]] == [
        ("甲", "higher", 2, "隐患级别"), ("乙", "lower", 3, "隐患级别"),
    ]  # fmt: skip
    sheet = CalamineWorkbook.from_path(str(output)).get_sheet_by_name("等级不一致").to_python()
    head = sheet[0]
    assert [(row[head.index("单位")], row[head.index("差别")], row[head.index("表中等级")], row[head.index("隐患等级")]) for row in sheet[1:]] == [
        ("甲", "判定更重", "一般", "重大"), ("乙", "表中更重", "重大", ""),
    ]  # fmt: skip
