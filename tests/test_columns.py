"""`hazard columns`: what each column became and how surely, what was skipped, what the table can decide, what to add, and the mapping it writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

import engine
from cli import main
from engine.problems import width
from engine.run import survey

SHARED = """
sector: shared
fields:
  单位名称: {type: text, role: enterprise, meaning: 单位, aliases: [企业名称]}
  检查日期: {type: date, role: date, meaning: 检查的日期, aliases: [检查时间]}
  行业: {type: text, role: sector, meaning: 行业}
"""
SHOP = """
sector: shop
title: 商店
fields:
  疏散通道畅通: {type: bool, meaning: 通道畅通, aliases: [通道畅通]}
  存药量_kg: {type: number, unit: kg, meaning: 存药量}
  核定药量_kg: {type: number, unit: kg, meaning: 核定药量}
  灭火器数量: {type: integer, unit: 具, meaning: 灭火器数量}
  过期证书数: {type: integer, unit: 人, meaning: 证书过期的人数, derive: {child: 人员名单, count: 证书有效期至 < 检查日期}}
children:
  人员名单:
    meaning: 一行是一名作业人员
    fields:
      姓名: {type: text, meaning: 姓名}
      证书有效期至: {type: date, meaning: 证书的末日}
"""
RULES = """
document: {id: d, title: 某标准, number: 某号, issuer: 某机关, in_force: {from: 2020-01-01}}
criteria:
  - {id: shop/d/1, clause: 第一条, name: 通道不畅, when: NOT 疏散通道畅通, grade: major, status: verified}
  - {id: shop/d/2, clause: 第二条, name: 超量, when: 存药量_kg > 核定药量_kg, grade: major, status: verified}
  - {id: shop/d/3, clause: 第三条, name: 没有灭火器, when: 灭火器数量 = 0, grade: general, status: verified}
  - {id: shop/d/4, clause: 第四条, name: 灭火器太少, when: 灭火器数量 < 2, grade: general, status: verified}
  - {id: shop/d/5, clause: 第五条, name: 证书过期, when: 过期证书数 > 0, grade: general, status: verified}
"""
MINE = """
sector: mine
title: 矿山
fields:
  井口畅通: {type: bool, meaning: 井口畅通, aliases: [出口畅通情况]}
"""
MINE_RULES = """
document: {id: m, title: 矿山标准, number: 矿号, issuer: 某机关, in_force: {from: 2020-01-01}}
criteria:
  - {id: mine/m/1, clause: 第一条, name: 井口不畅, when: NOT 井口畅通, grade: major, status: verified}
"""
CSV = """安全检查表,,,,,
企业名称,检查时间,疏散通到畅通,存药量(t),灭火器情况,备注
甲店,2024-05-01,是,0.1,有,x
乙店,2024-05-01,否,约1万,无,y
合计,,,0.1,,
"""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    for name, text in {
        "rules/shared/fields.yaml": SHARED, "rules/shop/fields.yaml": SHOP, "rules/shop/d.yaml": RULES, "rules/mine/fields.yaml": MINE,
        "rules/mine/m.yaml": MINE_RULES,
    }.items():  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path / "rules"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "表.csv"
    path.write_text(CSV, encoding="utf-8")
    return path


def described(rules: Path, *tables: Path, **options: Any) -> dict[str, Any]:
    from engine.report.columns import as_json

    return json.loads(as_json(survey(list(map(str, tables)), engine.load_pack([rules], shipped=False), **options)))  # type: ignore[no-any-return]


def test_every_column_says_what_it_became_and_how_surely(rules: Path, table: Path) -> None:
    (found,) = described(rules, table)["tables"]
    assert (found["rows"], found["sectors"], found["child"]) == (2, ["shop"], None)
    assert [(c["header"], c["field"], c["how"], c["unread"]) for c in found["columns"]] == [
        ("企业名称", "单位名称", "alias", 0),
        ("检查时间", "检查日期", "alias", 0),
        ("疏散通到畅通", "疏散通道畅通", "guess", 0),
        ("存药量(t)", "存药量_kg", "normalised", 1),
        ("灭火器情况", None, "unused", 0),
        ("备注", None, "unused", 0),
    ]
    assert found["columns"][4]["suggestions"] == ["灭火器数量"] and found["columns"][5]["suggestions"] == []


def test_skipped_rows_are_told_with_their_numbers_and_why(rules: Path, table: Path) -> None:
    (found,) = described(rules, table)["tables"]
    assert [one["row"] for one in found["skipped"]] == [1, 5] and all(one["why"] for one in found["skipped"])


def test_what_the_table_can_decide_and_what_to_add_in_order_of_gain(rules: Path, table: Path) -> None:
    found = described(rules, table)
    assert {c["criterion"]: c["state"] for c in found["criteria"]} == {
        "shop/d/1": "covered", "shop/d/2": "not_covered", "shop/d/3": "not_covered", "shop/d/4": "not_covered", "shop/d/5": "not_covered",
    }  # fmt: skip
    # 灭火器数量 decides two criteria with one column; 核定药量_kg and 证书过期 one each
    assert found["unlock"][0] == {"columns": ["灭火器数量"], "gain": 2}
    assert {tuple(one["columns"]) for one in found["unlock"][1:]} >= {("核定药量_kg",)} and all(one["gain"] == 1 for one in found["unlock"][1:])


def test_child_tables_and_several_sectors_are_told_apart(rules: Path, tmp_path: Path) -> None:
    main_table, people = tmp_path / "检查表.csv", tmp_path / "人员名单.csv"
    main_table.write_text("企业名称,行业,检查时间,通道畅通,出口畅通情况\n甲,商店,2024-05-01,是,\n乙,矿山,2024-05-01,,否\n", encoding="utf-8")
    people.write_text("企业名称,姓名,证书有效期至,电话\n甲,张三,2024-01-01,1\n", encoding="utf-8")
    found = described(rules, main_table, people)["tables"]
    assert [(Path(t["file"]).name, t["child"], t["sectors"], t["rows"]) for t in found] == [
        ("检查表.csv", None, ["mine", "shop"], 2),
        ("人员名单.csv", "人员名单", ["shop"], 1),
    ]
    assert [(c["header"], c["field"]) for c in found[0]["columns"]] == [
        ("企业名称", "单位名称"), ("行业", "行业"), ("检查时间", "检查日期"), ("通道畅通", "疏散通道畅通"), ("出口畅通情况", "井口畅通"),
    ]  # fmt: skip
    assert [(c["header"], c["field"]) for c in found[1]["columns"]] == [
        ("企业名称", "单位名称"), ("姓名", "姓名"), ("证书有效期至", "证书有效期至"), ("电话", None),
    ]  # fmt: skip


def run(*arguments: object, columns: int = 0) -> Any:
    return CliRunner(env={"COLUMNS": str(columns) if columns else ""}).invoke(main, list(map(str, arguments)), standalone_mode=True)


@pytest.mark.parametrize("columns", [80, 140])
def test_the_text_fits_the_terminal_and_says_the_essentials(columns: int, rules: Path, table: Path) -> None:
    done = run("columns", table, "--rules", rules, "--sector", "shop", columns=columns)
    assert done.exit_code == 0
    assert max(width(line) for line in done.output.splitlines()) <= columns
    said = "".join(line.strip() for line in done.output.splitlines())
    for part in (
        "近似认的列（请核对）：疏散通到畅通",
        "→ 疏散通道畅通",
        "1 格读不出，如“约1万”",
        "可能是 灭火器数量？",
        "第 1 行：",
        "第 5 行：",
        "《某标准》（某号）1 / 5 条：第一条",
    ):
        assert part in said, part
    assert "1. 灭火器数量（整数，具）：多判 2 条，到 3 / 5" in done.output


def test_a_mapping_that_was_written_reads_back_to_the_same_result(rules: Path, table: Path, tmp_path: Path) -> None:
    written = tmp_path / "映射.yaml"
    assert run("columns", table, "--rules", rules, "--sector", "shop", "--write-mapping", written).exit_code == 0
    text = written.read_text("utf-8")
    assert yaml.safe_load(text)["columns"] == {"企业名称": "单位名称", "检查时间": "检查日期", "存药量(t)": "存药量_kg"}
    assert '  # "疏散通到畅通": 疏散通道畅通  # 近似认的' in text and '  # "灭火器情况": 灭火器数量' in text and '  # "备注": null' in text
    assert '  #   "约1万": null' in text
    pack = engine.load_pack([rules], shipped=False)
    plain, mapped = engine.judge(table, pack, "shop"), engine.judge(table, pack, "shop", mapping=written)
    for name in ("findings", "undetermined", "coverage", "defects", "enterprises"):
        assert getattr(plain, name).equals(getattr(mapped, name)), name
    assert [f["criterion"] for f in mapped.findings.to_pylist()] == ["shop/d/1"]


def test_the_comments_of_a_mapping_settle_what_they_say_once_they_are_uncommented(rules: Path, table: Path, tmp_path: Path) -> None:
    written = tmp_path / "映射.yaml"
    run("columns", table, "--rules", rules, "--sector", "shop", "--write-mapping", written)
    text = written.read_text("utf-8").replace('# "疏散通到畅通"', '"疏散通到畅通"').replace("  # 存药量_kg:", "  存药量_kg:")
    written.write_text(text.replace('  #   "约1万": null', '    "约1万": 10'), encoding="utf-8")
    (found,) = described(rules, table, sector="shop", mapping=written)["tables"]
    assert [(c["how"], c["unread"]) for c in found["columns"][2:4]] == [("mapping", 0), ("mapping", 0)]


def test_headers_of_any_letters_survive_the_mapping_file(rules: Path, tmp_path: Path) -> None:
    odd = ['说"明', "a: b # c", "多行\n列名", "- x", "'引'", "\\路径", "{花}", "&锚", "*星", "null", "1", "长" * 50]
    path = tmp_path / "t.csv"
    path.write_text(
        "企业名称,通道畅通," + ",".join('"' + h.replace('"', '""') + '"' for h in odd) + "\n甲,否" + ",x" * len(odd) + "\n", encoding="utf-8"
    )
    written = tmp_path / "m.yaml"
    assert run("columns", path, "--rules", rules, "--sector", "shop", "--write-mapping", written).exit_code == 0
    lines = [line.replace("  # ", "  ", 1) if line.startswith('  # "') else line for line in written.read_text("utf-8").splitlines()]
    written.write_text("\n".join(lines), encoding="utf-8")
    assert set(yaml.safe_load(written.read_text("utf-8"))["columns"]) >= {header.strip() for header in odd}
    done = run("score", path, "--rules", rules, "--sector", "shop", "--mapping", written, "--format", "csv")
    assert done.exit_code == 0 and "shop/d/1" in done.output


def test_columns_that_must_be_settled_are_listed_where_score_refuses_the_table(rules: Path, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("企业名称,通道畅通,疏散通道畅通\n甲,否,是\n", encoding="utf-8")
    refused = run("score", path, "--rules", rules, "--sector", "shop")
    assert refused.exit_code == 2 and "“通道畅通”（第 2 列）、“疏散通道畅通”（第 3 列）" in refused.output and "--write-mapping" in refused.output
    written = tmp_path / "m.yaml"
    listed = run("columns", path, "--rules", rules, "--sector", "shop", "--write-mapping", written)
    assert listed.exit_code == 0 and "要问清的列（现在没有用）" in listed.output
    text = written.read_text("utf-8")
    assert '  # "通道畅通": 疏散通道畅通' in text
    written.write_text(text.replace('# "通道畅通"', '"通道畅通"'), encoding="utf-8")
    assert "shop/d/1" in run("score", path, "--rules", rules, "--sector", "shop", "--mapping", written, "--format", "csv").output


def test_a_mapping_for_another_sector_than_the_table_s_is_refused(rules: Path, tmp_path: Path) -> None:
    path, written = tmp_path / "t.csv", tmp_path / "m.yaml"
    path.write_text("企业名称,通道畅通,存药量_kg,某列\n甲,否,1,2\n", encoding="utf-8")
    written.write_text("columns: {某列: 井口畅通}", encoding="utf-8")
    done = run("score", path, "--rules", rules, "--sector", "shop", "--mapping", written)
    assert done.exit_code == 2 and "没有字段“井口畅通”" in done.output


def test_explain_takes_a_mapping_and_shows_the_header_of_the_table(rules: Path, tmp_path: Path) -> None:
    path, written = tmp_path / "t.csv", tmp_path / "m.yaml"
    path.write_text("企业名称,走得通\n甲,堵\n", encoding="utf-8")
    written.write_text("columns: {走得通: 疏散通道畅通}\nvalues: {疏散通道畅通: {堵: 否}}\n", encoding="utf-8")
    done = run("explain", path, "--unit", "甲", "--rules", rules, "--sector", "shop", "--mapping", written)
    assert done.exit_code == 0 and "疏散通道畅通=否（列“走得通”）" in done.output


@pytest.mark.parametrize(("name", "said"), [("m.txt", "后缀应当是 .yaml"), ("没有/m.yaml", "文件夹不存在")])
def test_a_mapping_file_that_cannot_be_written_is_refused_before_any_work(name: str, said: str, rules: Path, table: Path, tmp_path: Path) -> None:
    done = run("columns", table, "--rules", rules, "--sector", "shop", "--write-mapping", tmp_path / name)
    assert done.exit_code == 2 and said in done.output


def test_a_sector_that_fits_far_worse_than_another_gets_a_hint(rules: Path, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("企业名称,通道畅通,存药量_kg,核定药量_kg,灭火器数量,井口畅通\n甲,否,1,2,3,是\n", encoding="utf-8")
    done = run("score", path, "--rules", rules, "--sector", "mine")  # four columns of 商店 and one of 矿山: three more, too few for a word
    assert done.exit_code == 0 and "提醒" not in done.output
    path.write_text("企业名称,通道畅通,存药量_kg,核定药量_kg,灭火器数量,过期证书数,井口畅通\n甲,否,1,2,3,0,是\n", encoding="utf-8")
    done = run("score", path, "--rules", rules, "--sector", "mine")
    assert "提醒：这些列名更像“商店”（shop）的表：有 5 个它的字段，所选行业的只有 1 个" in "".join(done.output.split("\n"))
    assert "提醒" not in run("score", path, "--rules", rules, "--sector", "shop").output
