"""Enterprises that are probably one under two names are reported and never merged; what tells two firms apart keeps them apart."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import engine
from engine.duplicates import Name, pairs_of, parts_of

SHARED = """
sector: shared
fields:
  单位名称: {type: text, role: enterprise, meaning: 单位}
  统一社会信用代码: {type: text, role: enterprise_code, meaning: 代码}
  区县: {type: text, role: region, meaning: 区县}
  检查日期: {type: date, role: date, meaning: 检查的日期}
"""
FIELDS = """
sector: shop
title: 商店
fields:
  甲: {type: bool, meaning: 甲}
  证书数: {type: integer, unit: 人, meaning: 证书数, derive: {child: 人员名单, count: 有证}}
children:
  人员名单:
    meaning: 一行是一名作业人员
    fields:
      姓名: {type: text, meaning: 姓名}
      有证: {type: bool, meaning: 有证}
"""
RULES = """
document: {id: d, title: 某标准, number: 某号, issuer: 某机关, in_force: {from: 2020-01-01}}
criteria:
  - {id: shop/d/1, clause: 第一条, name: 甲隐患, when: 甲, grade: major, status: verified}
"""


def alike(one: str, other: str) -> bool:
    return bool(pairs_of([Name(name, *parts_of(name), "") for name in (one, other)]))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("某某县城南加油站", "城南加油站有限公司"), ("上饶市信州区城南加油站", "城南加油站"), ("江西宏达化工有限责任公司", "宏达化工有限公司"),
        ("中国石化城南加油站", "中石化城南加油站"), ("万年县万力化工有限公司", "万力化工"), ("宏达化工（信州区）有限公司", "宏达化工"),
        ("平阳县利民超市", "利民超市"), ("利民超市", "利 民 超 市"), ("宏达精细化工有限公司", "宏达化工有限公司"),
    ],
)  # fmt: skip
def test_a_short_and_a_full_name_are_probably_one(one: str, other: str) -> None:
    assert alike(one, other) and alike(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("平阳县利民超市", "横峰县利民超市"), ("城南加油站", "城北加油站"), ("城南加油站", "城南第二加油站"), ("第一小学", "第二小学"),
        ("华联超市", "华联超市城西店"), ("加油站", "城南加油站"), ("铅山县加油站", "加油站"), ("宏达烟花爆竹零售店", "宏达烟花爆竹批发有限公司"),
        ("宏达化工", "达宏化工"), ("企业12有限公司", "企业123有限公司"),
    ],
)  # fmt: skip
def test_what_tells_two_firms_apart_keeps_them_apart(one: str, other: str) -> None:
    assert not alike(one, other) and not alike(other, one)


def result(folder: Path, rows: list[dict[str, object]], people: list[dict[str, object]] | None = None) -> engine.Result:
    (folder / "rules/shop").mkdir(parents=True)
    (folder / "rules/shared").mkdir()
    (folder / "rules/shared/fields.yaml").write_text(SHARED, encoding="utf-8")
    (folder / "rules/shop/fields.yaml").write_text(FIELDS, encoding="utf-8")
    (folder / "rules/shop/d.yaml").write_text(RULES, encoding="utf-8")
    tables = [pd.DataFrame(rows).assign(检查日期="2024-05-01", 甲="是")] + ([pd.DataFrame(people)] if people else [])
    return engine.judge(tables, engine.load_pack([folder / "rules"], shipped=False))


def named(found: engine.Result) -> list[tuple[str, str, int, int]]:
    return [(d["enterprise"], d["other"], d["rows"], d["other_rows"]) for d in found.duplicates.to_pylist()]


def test_duplicates_are_reported_with_their_rows_and_judged_apart(tmp_path: Path) -> None:
    found = result(
        tmp_path, [{"单位名称": "横峰县城南加油站"}, {"单位名称": "城南加油站有限公司"}, {"单位名称": "城南加油站有限公司"}, {"单位名称": "别的店"}]
    )
    assert named(found) == [("横峰县城南加油站", "城南加油站有限公司", 1, 2)]
    assert found.enterprises.num_rows == 3


def test_two_valid_codes_or_two_regions_tell_firms_apart(tmp_path: Path) -> None:
    from engine.identity import valid_code

    code = next(f"9135021100010000{a}{b}" for a in "12" for b in "0123456789ABCDEFGHJKLMNPQRTUWXY" if valid_code(f"9135021100010000{a}{b}"))
    other = next(f"9135021100010001{a}{b}" for a in "12" for b in "0123456789ABCDEFGHJKLMNPQRTUWXY" if valid_code(f"9135021100010001{a}{b}"))
    names = ["横峰县城南加油站", "城南加油站"]
    coded = [{"单位名称": name, "统一社会信用代码": mine} for name, mine in zip(names, (code, other), strict=True)]
    assert named(result(tmp_path / "1", coded)) == []
    half = [{"单位名称": name, "统一社会信用代码": mine} for name, mine in zip(names, (code, None), strict=True)]
    assert len(named(result(tmp_path / "2", half))) == 1
    placed = [{"单位名称": name, "区县": region} for name, region in zip(names, ("横峰县", "弋阳县"), strict=True)]
    assert named(result(tmp_path / "3", placed)) == []


def test_a_child_table_s_short_name_that_joins_nobody_is_reported(tmp_path: Path) -> None:
    people: list[dict[str, object]] = [
        {"单位名称": "城南加油站", "姓名": "张三", "有证": "是"},
        {"单位名称": "横峰县别的店", "姓名": "李四", "有证": "是"},
    ]
    found = result(tmp_path, [{"单位名称": "横峰县城南加油站"}, {"单位名称": "横峰县别的店"}], people)
    assert named(found) == [("横峰县城南加油站", "城南加油站", 1, 1)]


def test_rows_without_a_name_are_no_duplicates(tmp_path: Path) -> None:
    assert named(result(tmp_path, [{"单位名称": None}, {"单位名称": None}, {"单位名称": "甲店"}])) == []


def test_a_name_that_many_share_is_not_followed_up() -> None:
    names = ["利民超市"] + [f"{letter}{other}县利民超市" for letter in "子丑寅卯辰" for other in "巳午未申"]
    found = pairs_of([Name(name, *parts_of(name), "") for name in names])
    assert found == []  # one short name with twenty full ones says nothing about which
