"""The judgement through its one public call: small packs, small tables, verdicts derived by hand."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from engine import InputError, Result, judge

FIELDS = """
sector: shops
title: 店铺
fields:
  单位名称: {type: text, role: enterprise, meaning: 单位}
  统一社会信用代码: {type: text, role: enterprise_code, meaning: 代码}
  门店: {type: text, role: subject, meaning: 检查的门店}
  区县: {type: text, role: region, meaning: 区县}
  检查日期: {type: date, role: date, meaning: 检查日期}
  经营爆竹: {type: bool, meaning: 卖爆竹}
  二楼住人: {type: bool, meaning: 店上住人}
  夹层住人: {type: bool, meaning: 夹层住人}
  存药量_kg: {type: number, unit: kg, meaning: 存药量}
  许可到期日: {type: date, meaning: 到期}
  已过期: {type: bool, meaning: 许可过期, derive: 检查日期 > 许可到期日}
  下店上宅: {type: bool, meaning: 住人, derive: 二楼住人 OR 夹层住人}
"""
DOCUMENT = """
document:
  id: d-{year}
  title: 规定{year}
  number: {year}号
  issuer: 某局
  in_force: {period}
criteria:
  - {{id: shops/d-{year}/1, clause: 第一条, name: 超量, applies: 经营爆竹, when: 存药量_kg > {limit}, grade: serious, status: verified}}
  - {{id: shops/d-{year}/2, clause: 第二条, name: 下店上宅, when: 下店上宅, grade: major, status: recalled, duty: 下店上宅, remedy: 搬走}}
  - {{id: shops/d-{year}/3, clause: 第三条, name: 许可过期, when: 已过期, grade: violation, status: verified}}
"""


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    folder = tmp_path / "shops"
    folder.mkdir()
    (folder / "fields.yaml").write_text(FIELDS, "utf-8")
    (folder / "d-2020.yaml").write_text(DOCUMENT.format(year=2020, period="{from: 2020-01-01, to: 2023-06-30}", limit=300), "utf-8")
    (folder / "d-2023.yaml").write_text(DOCUMENT.format(year=2023, period="{from: 2023-07-01}", limit=200), "utf-8")
    return folder


def run(pack: Path, rows: list[dict[str, Any]], **options: Any) -> Result:
    return judge(pl.DataFrame(rows, infer_schema_length=None), [pack], sector="shops", **options)


def found(result: Result) -> list[tuple[int, str]]:
    return [(one["row"], one["criterion"].split("/", 1)[1]) for one in result.findings.to_pylist()]


def state(result: Result, criterion: str) -> dict[str, Any]:
    (one,) = [row for row in result.coverage.to_pylist() if row["criterion"] == f"shops/{criterion}"]
    return dict(one)


def test_each_row_is_judged_by_the_edition_of_its_own_day(pack: Path) -> None:
    rows = [
        {"检查日期": day, "经营爆竹": "是", "存药量_kg": amount}
        for day in ("2023-06-30", "2023-07-01")
        for amount in ("200", "200.5", "300", "300.5")
    ]
    assert found(run(pack, rows)) == [(4, "d-2020/1"), (6, "d-2023/1"), (7, "d-2023/1"), (8, "d-2023/1")]


def test_a_row_without_a_date_is_judged_as_of_the_day_that_is_named(pack: Path) -> None:
    rows = [{"检查日期": "", "经营爆竹": "是", "存药量_kg": "250", "许可到期日": "2022-01-01"}]
    early, late = run(pack, rows, as_of=dt.date(2021, 12, 31)), run(pack, rows, as_of=dt.date(2024, 1, 1))
    assert found(early) == []
    assert found(late) == [(1, "d-2023/1"), (1, "d-2023/3")]
    assert late.findings["date"].to_pylist() == [dt.date(2024, 1, 1)] * 2
    assert late.manifest["rows_without_date"] == 1


def test_a_blank_is_unknown_and_never_false(pack: Path) -> None:
    rows = [{"检查日期": "2024-01-01", "二楼住人": a, "夹层住人": b} for a in ("是", "否", "") for b in ("是", "否", "")]
    result = run(pack, rows)
    assert found(result) == [(1, "d-2023/2"), (2, "d-2023/2"), (3, "d-2023/2"), (4, "d-2023/2"), (7, "d-2023/2")]
    assert sorted(result.undetermined["row"].to_pylist()) == [6, 8, 9]
    missing = dict(zip(result.undetermined["row"].to_pylist(), result.undetermined["missing"].to_pylist(), strict=True))
    assert missing[6] == [["下店上宅"], ["夹层住人"]]
    assert missing[9] == [["下店上宅"], ["二楼住人"], ["夹层住人"]]


def test_what_no_column_can_decide_is_said_once_for_the_table(pack: Path) -> None:
    result = run(pack, [{"检查日期": "2024-01-01", "二楼住人": "否", "夹层住人": ""}] * 3)
    assert state(result, "d-2023/3")["state"] == "not_covered"
    assert state(result, "d-2023/3")["missing"] == [["已过期"], ["许可到期日"]]
    assert state(result, "d-2023/3")["undetermined"] == 3
    assert state(result, "d-2020/2")["state"] == "not_in_force"
    assert set(result.undetermined["criterion"].to_pylist()) == {"shops/d-2023/2"}


def test_rows_whose_when_holds_are_suspected_even_if_the_kind_of_enterprise_is_no_column(pack: Path) -> None:
    result = run(pack, [{"检查日期": "2024-01-01", "存药量_kg": amount} for amount in ("250", "150")])
    assert state(result, "d-2023/1")["state"] == "not_covered"
    (one,) = result.undetermined.to_pylist()
    assert (one["row"], one["suspected"], one["missing"]) == (1, True, [["经营爆竹"]])
    assert (result.manifest["counts"]["undetermined"], result.manifest["counts"]["suspected"]) == (1, 1)


def test_a_criterion_that_does_not_apply_is_neither_met_nor_open(pack: Path) -> None:
    result = run(pack, [{"检查日期": "2024-01-01", "经营爆竹": "否", "存药量_kg": amount} for amount in ("250", "", "0")])
    assert state(result, "d-2023/1")["not_applicable"] == 3
    assert result.findings.num_rows == result.undetermined.num_rows == 0


def test_the_four_verdicts_of_a_criterion_add_up_to_its_rows(pack: Path) -> None:
    rows = [
        {"检查日期": d, "经营爆竹": a, "存药量_kg": n} for d in ("2022-01-01", "2024-01-01") for a in ("是", "否", "") for n in ("100", "999", "")
    ]
    result = run(pack, rows)
    for criterion in ("d-2020/1", "d-2023/1"):
        one = state(result, criterion)
        assert (one["met"], one["not_met"], one["undetermined"], one["suspected"], one["not_applicable"], one["not_in_force"]) == (1, 2, 3, 1, 3, 9)


def test_a_finding_names_its_clause_its_edition_and_the_values_that_decided_it(pack: Path) -> None:
    table = pl.DataFrame(
        {"单位名称": ["甲店"], "区县": ["信州区"], "门店": ["一店"], "检查日期": ["2024-01-01"], "二楼住人": ["否"], "夹层住人": ["是"]}
    )
    (one,) = judge(table, [pack], sector="shops").findings.to_pylist()
    assert {name: one[name] for name in ("criterion", "clause", "document", "title", "grade", "status", "duty", "remedy")} == {
        "criterion": "shops/d-2023/2", "clause": "第二条", "document": "2023号", "title": "规定2023", "grade": "major", "status": "recalled",
        "duty": "下店上宅", "remedy": "搬走",
    }  # fmt: skip
    assert (one["in_force_from"], one["in_force_to"], one["campaign"]) == (dt.date(2023, 7, 1), None, None)
    assert (one["enterprise"], one["subject"], one["region"], one["sector"], one["row"]) == ("甲店", "一店", "信州区", "shops", 1)
    assert one["evidence"] == [
        {"field": "下店上宅", "column": None, "value": "是"}, {"field": "二楼住人", "column": "二楼住人", "value": "否"},
        {"field": "夹层住人", "column": "夹层住人", "value": "是"},
    ]  # fmt: skip


def test_an_unreadable_cell_is_a_defect_and_not_a_verdict(pack: Path) -> None:
    result = run(pack, [{"检查日期": "2024-01-01", "经营爆竹": "是", "存药量_kg": "50箱以下"}])
    assert found(result) == []
    assert [(one["row"], one["column"], one["value"], one["problem"]) for one in result.defects.to_pylist()] == [
        (1, "存药量_kg", "50箱以下", "bad_unit")
    ]
    assert result.undetermined["missing"].to_pylist() == [[["存药量_kg"]]]


def test_a_cell_that_contradicts_the_facts_is_listed_and_stands(pack: Path) -> None:
    result = run(pack, [{"检查日期": "2024-01-01", "二楼住人": "是", "夹层住人": "否", "下店上宅": "否"}])
    assert found(result) == []
    (one,) = result.defects.to_pylist()
    assert (one["row"], one["field"], one["problem"]) == (1, "下店上宅", "contradiction")


def _code() -> str:
    from engine.identity import valid_code

    stem = "91361102MA35ABCD1"
    (made,) = [stem + last for last in "0123456789ABCDEFGHJKLMNPQRTUWXY" if valid_code(stem + last)]
    return made


def test_rows_of_one_enterprise_come_together_by_code_or_by_name(pack: Path) -> None:
    code = _code()
    rows = [
        {"单位名称": "甲店", "统一社会信用代码": code}, {"单位名称": "甲店（总店）", "统一社会信用代码": code}, {"单位名称": " 甲 店 ", "统一社会信用代码": ""},
        {"单位名称": "乙店", "统一社会信用代码": "123"}, {"单位名称": "乙店", "统一社会信用代码": ""}, {"单位名称": "", "统一社会信用代码": ""},
    ]  # fmt: skip
    result = run(pack, [{**row, "检查日期": "2024-01-01", "二楼住人": "是"} for row in rows])
    assert result.findings["enterprise"].to_pylist() == ["甲店", "甲店", "甲店", "乙店", "乙店", "（第 6 行，未填单位）"]
    assert result.manifest["enterprises"] == 3


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, lambda data: pa.table(data)])
def test_a_frame_of_any_library_gives_the_same_result(pack: Path, make: Any) -> None:
    data = {"检查日期": ["2024-01-01", "2022-01-01"], "经营爆竹": ["是", "是"], "存药量_kg": [250.0, 250.0]}
    assert found(judge(make(data), [pack], sector="shops")) == [(1, "d-2023/1")]


def test_the_same_input_gives_the_same_bytes(pack: Path) -> None:
    rows = [
        {"检查日期": "2024-01-01", "经营爆竹": a, "存药量_kg": n, "二楼住人": b} for a in ("是", "") for n in ("100", "999", "") for b in ("是", "")
    ]
    one, two = run(pack, rows, as_of=dt.date(2024, 1, 1)), run(pack, rows, as_of=dt.date(2024, 1, 1))
    for name in ("findings", "undetermined", "enterprises", "coverage", "defects"):
        assert getattr(one, name).equals(getattr(two, name)), name
    assert one.manifest == two.manifest


def test_uncertain_criteria_are_off_unless_asked_for(pack: Path) -> None:
    path = pack / "d-2023.yaml"
    path.write_text(path.read_text("utf-8").replace("status: recalled", "status: uncertain"), "utf-8")
    rows = [{"检查日期": "2024-01-01", "二楼住人": "是"}]
    assert found(run(pack, rows)) == []
    assert run(pack, rows).manifest["criteria_off"] == 1
    assert found(run(pack, rows, include_unverified=True)) == [(1, "d-2023/2")]


def test_a_suspended_criterion_is_off_and_its_reason_is_repeated(pack: Path) -> None:
    (pack / "changes.yaml").write_text("changes:\n  - {suspend: shops/d-2023/2, reason: 本市另行认定}\n", "utf-8")
    result = run(pack, [{"检查日期": "2024-01-01", "二楼住人": "是"}])
    assert found(result) == []
    assert (state(result, "d-2023/2")["state"], state(result, "d-2023/2")["reason"]) == ("suspended", "本市另行认定")


def test_explain_says_by_how_much_what_would_clear_it_and_what_to_ask(pack: Path) -> None:
    rows = [
        {"单位名称": f"{n}号店", "检查日期": "2024-01-01", "经营爆竹": "是", "存药量_kg": amount} for n, amount in ((1, "250"), (2, "150"), (3, ""))
    ]
    result = run(pack, rows)
    one, two, three = (result.explain(enterprise=f"{n}号店", criterion="shops/d-2023/1")[0] for n in (1, 2, 3))
    assert (one.verdict, two.verdict, three.verdict) == ("met", "not_met", "undetermined")
    assert "相差 50 kg" in one.clears[0][0]
    assert "150 kg 与 200 kg，相差 50 kg" in two.failed[0]
    assert three.missing == (("存药量_kg",),)


def test_explain_refuses_a_name_that_nobody_bears(pack: Path) -> None:
    result = run(pack, [{"单位名称": "东方烟花店", "检查日期": "2024-01-01", "二楼住人": "是"}])
    assert [one.criterion.id for one in result.explain(enterprise="东方") if one.verdict == "met"] == ["shops/d-2023/2"]
    with pytest.raises(InputError, match="东方烟花店"):
        result.explain(enterprise="东方烟火店")


def test_contradictions_of_two_derived_fields_are_both_listed(pack: Path) -> None:
    row = {"单位名称": "甲", "检查日期": dt.date(2024, 1, 2), "二楼住人": True, "下店上宅": False, "许可到期日": dt.date(2024, 1, 1), "已过期": False}
    found = run(pack, [row]).defects.to_pylist()
    assert [(one["row"], one["field"], one["problem"]) for one in found] == [(1, "下店上宅", "contradiction"), (1, "已过期", "contradiction")]


def test_what_is_taken_for_granted_when_blank_contradicts_nothing(tmp_path: Path) -> None:
    fields = "sector: s\ntitle: 店\nfields:\n  营业中: {type: bool, meaning: 营业, derive: 'TRUE'}\n  有证: {type: bool, meaning: 证}\n"
    rules = (
        "document: {id: d, title: 某, number: 某, issuer: 某, in_force: {from: 2020-01-01}}\ncriteria:\n"
        "  - {id: s/d/1, clause: 一, name: 无证营业, applies: 营业中, when: NOT 有证, grade: general, status: verified}\n"
    )
    (tmp_path / "fields.yaml").write_text(fields, "utf-8")
    (tmp_path / "d.yaml").write_text(rules, "utf-8")
    from engine import load_pack

    result = judge(pl.DataFrame({"营业中": ["否", None], "有证": ["否", "否"]}), load_pack([tmp_path], shipped=False), as_of="2024-01-01")
    assert result.defects.num_rows == 0
    assert [f["row"] for f in result.findings.to_pylist()] == [2]


def test_contradictions_of_two_facts_are_all_listed(tmp_path: Path) -> None:
    fields = (
        "sector: s\ntitle: 坑\nfields:\n  深度_m: {type: number, unit: m, meaning: 深}\n  层数: {type: integer, unit: 层, meaning: 层}\n"
        "  深坑: {type: bool, meaning: 深坑, derive: 深度_m >= 5}\n  高楼: {type: bool, meaning: 高楼, derive: 层数 > 9}\n"
    )
    rules = (
        "document: {id: d, title: 某, number: 某, issuer: 某, in_force: {from: 2020-01-01}}\ncriteria:\n"
        "  - {id: s/d/1, clause: 一, name: 深而高, when: 深坑 AND 高楼, grade: general, status: verified}\n"
    )
    (tmp_path / "fields.yaml").write_text(fields, "utf-8")
    (tmp_path / "d.yaml").write_text(rules, "utf-8")
    from engine import load_pack

    table = pl.DataFrame({"深度_m": [6, 1, 6], "层数": [3, 12, 12], "深坑": ["否", "否", None], "高楼": ["是", "否", None]})
    found = judge(table, load_pack([tmp_path], shipped=False), as_of="2024-01-01").defects.to_pylist()
    assert [(d["row"], d["field"], d["problem"]) for d in found] == [
        (1, "深坑", "contradiction"),
        (1, "高楼", "contradiction"),
        (2, "高楼", "contradiction"),
    ]
