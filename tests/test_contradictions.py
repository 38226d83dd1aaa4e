"""Contradictions: what a dictionary declares that no honest row can say goes to the defects, with its cells, and decides nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import engine
from engine.problems import RuleFileError

FIELDS = """
sector: shop
title: 商店
fields:
  单位名称: {type: text, role: enterprise, meaning: 单位}
  检查日期: {type: date, role: date, meaning: 检查的日期}
  上次检验日期: {type: date, meaning: 上次, aliases: [上次检验]}
  下次检验日期: {type: date, meaning: 下次}
  有储罐: {type: bool, meaning: 有储罐}
  储罐容积_m3: {type: number, unit: m3, meaning: 容积}
  已逾期: {type: bool, meaning: 逾期, derive: 检查日期 > 下次检验日期}
contradictions:
  - {when: 下次检验日期 < 上次检验日期, message: 下次检验早于上次检验}
  - {when: NOT 有储罐 AND 储罐容积_m3 > 0, message: 没有储罐却有容积}
  - {when: 已逾期 AND 上次检验日期 > 检查日期, message: 逾期而检验在检查之后}
"""
RULES = """
document: {id: d, title: 某标准, number: 某号, issuer: 某机关, in_force: {from: 2020-01-01}}
criteria:
  - {id: shop/d/1, clause: 第一条, name: 大罐, when: 储罐容积_m3 > 5, grade: major, status: verified}
"""


def pack(folder: Path, fields: str = FIELDS) -> engine.Pack:
    (folder / "shop").mkdir(parents=True)
    (folder / "shop/fields.yaml").write_text(fields, encoding="utf-8")
    (folder / "shop/d.yaml").write_text(RULES, encoding="utf-8")
    return engine.load_pack([folder], shipped=False)


def defects(folder: Path, *rows: dict[str, Any], **options: Any) -> list[tuple[Any, ...]]:
    result = engine.judge(pd.DataFrame(rows), pack(folder), **options)
    return [(d["row"], d["column"], d["field"], d["value"], d["problem"], d["message"]) for d in result.defects.to_pylist()]


def test_the_cells_of_a_contradiction_are_named_one_by_one(tmp_path: Path) -> None:
    rows = [
        {"单位名称": "甲", "检查日期": "2024-05-01", "上次检验": "2024-01-01", "下次检验日期": "2025-01-01"},
        {"单位名称": "乙", "检查日期": "2024-05-01", "上次检验": "2024-01-01", "下次检验日期": "2023-12-31"},
    ]
    message = "下次检验早于上次检验（下次检验日期=2023-12-31，上次检验日期=2024-01-01），互相矛盾，判定用所填的值，请核对。"
    assert defects(tmp_path, *rows) == [
        (2, "上次检验", "上次检验日期", "2024-01-01", "contradiction", message),
        (2, "下次检验日期", "下次检验日期", "2023-12-31", "contradiction", message),
    ]


@pytest.mark.parametrize(("tank", "volume", "broken"), [("否", 3, True), ("否", 0, False), ("否", None, False), (None, 3, False), ("是", 3, False)])
def test_what_is_not_known_contradicts_nothing(tank: str | None, volume: float | None, broken: bool, tmp_path: Path) -> None:
    found = defects(tmp_path, {"单位名称": "甲", "检查日期": "2024-05-01", "有储罐": tank, "储罐容积_m3": volume})
    assert [d[2] for d in found] == (["储罐容积_m3", "有储罐"] if broken else [])


def test_a_contradiction_does_not_change_the_verdict(tmp_path: Path) -> None:
    table = pd.DataFrame([{"单位名称": "甲", "检查日期": "2024-05-01", "有储罐": "否", "储罐容积_m3": 6}])
    result = engine.judge(table, pack(tmp_path))
    assert result.findings["criterion"].to_pylist() == ["shop/d/1"] and result.defects.num_rows == 2


def test_a_table_without_the_columns_contradicts_nothing(tmp_path: Path) -> None:
    assert defects(tmp_path, {"单位名称": "甲", "储罐容积_m3": 6}) == []


def test_a_row_without_a_date_is_not_held_to_the_day_of_the_run(tmp_path: Path) -> None:
    row = {"单位名称": "甲", "上次检验": "2024-02-01", "下次检验日期": "2024-03-01"}
    # overdue and inspected after 2023-12-31 only if that day counted as the row's own; with a day of its own the row is not overdue
    assert defects(tmp_path, row, as_of="2023-12-31") == []
    late = {"单位名称": "甲", "检查日期": "2024-01-15", "上次检验": "2024-02-01", "下次检验日期": "2024-01-10"}
    found = defects(tmp_path / "2", late)
    assert {d[2] for d in found if "检验在检查之后" in d[5]} == {"已逾期", "上次检验日期", "检查日期"}
    undated = {key: value for key, value in late.items() if key != "检查日期"}
    assert not any("检验在检查之后" in d[5] for d in defects(tmp_path / "3", undated, as_of="2024-01-15"))


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ("contradictions: {when: 有储罐}", "contradictions 应当是列表"),
        ("contradictions:\n  - {when: 有储灌, message: x}", "矛盾“x”的 when：没有“有储灌”这个字段"),
        ("contradictions:\n  - {when: 储罐容积_m3 > 有储罐, message: x}", "矛盾“x”的 when"),
        ("contradictions:\n  - {when: 有储罐}", "contradictions 的一项缺少“message”"),
        ("contradictions:\n  - {when: 有储罐, message: x, grade: major}", "没有“grade”这个键"),
        ("contradictions:\n  - {when: MET('shop/d/1'), message: x}", "不能用 MET"),
    ],
)
def test_a_wrong_declaration_is_told_at_its_place_when_the_rules_are_loaded(declared: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(RuleFileError) as caught:
        pack(tmp_path, FIELDS.split("contradictions:")[0] + declared + "\n")
    (problem,) = caught.value.problems
    assert said in problem.message and problem.file.endswith("shop/fields.yaml") and problem.line >= 12


def test_a_pack_can_add_contradictions_to_the_shipped_ones(tmp_path: Path) -> None:
    (tmp_path / "special-equipment").mkdir()
    (tmp_path / "special-equipment/fields.yaml").write_text(
        "sector: special-equipment\nfields: {}\ncontradictions:\n  - {when: 电梯台数 = 13, message: 本市没有第十三台电梯}\n", encoding="utf-8"
    )
    table = pd.DataFrame([{"使用单位": "甲", "检查日期": "2024-05-01", "电梯台数": 13, "特种设备总台数": 12}])
    result = engine.judge(table, tmp_path, "special-equipment")
    said = {d["message"].split("（")[0] for d in result.defects.to_pylist()}
    assert said == {"本市没有第十三台电梯", "电梯台数多于特种设备总台数"}


@pytest.mark.parametrize(
    ("sector", "row", "broken"),
    [
        ("special-equipment", {"上次定期检验日期": "2023-06-01", "下次检验日期": "2023-05-31"}, True),
        ("special-equipment", {"上次定期检验日期": "2023-06-01", "下次检验日期": "2024-05-31"}, False),
        ("general", {"特种作业人员数": 3, "特种作业有效持证人数": 4}, True),
        ("general", {"特种作业人员数": 4, "特种作业有效持证人数": 4}, False),
        ("gas", {"有燃气储罐": "否", "储罐监测装置已设置": "是"}, True),
        ("gas", {"有燃气储罐": "否", "储罐监测装置已设置": "否"}, False),
        ("fire", {"设置楼层": 8, "建筑层数": 7}, True),
        ("fire", {"设置楼层": -1, "建筑层数": 7}, False),
        ("fireworks", {"许可证颁发日期": "2024-01-01", "许可证有效期至": "2023-12-31"}, True),
        ("fireworks", {"整改完成日期": "2024-04-30"}, True),  # of every sector: cleared before it was found
        ("fireworks", {"整改完成日期": "2024-05-01"}, False),
    ],
)
def test_the_shipped_dictionaries_know_what_cannot_be(sector: str, row: dict[str, Any], broken: bool) -> None:
    result = engine.judge(pd.DataFrame([{"单位名称": "甲", "检查日期": "2024-05-01", **row}]), sector=sector)
    found = [d["field"] for d in result.defects.to_pylist() if "互相矛盾，判定用所填的值" in d["message"]]
    assert set(found) - {"检查日期"} == (set(row) if broken else set())
