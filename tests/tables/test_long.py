"""Long tables, one row for each checked item: what they become, how they are recognised, and what is never guessed."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from engine import judge
from engine.fields import Field
from engine.pack import Library, open_library
from engine.problems import InputError
from engine.tables import LONG_HEADERS, Inspection, Table, Vocabulary, bind, known_headers, load, read_long, unfold
from engine.units import UNITS

FIELDS = {
    "单位名称": Field("单位名称", "text", role="enterprise"),
    "检查对象": Field("检查对象", "text", role="subject"),
    "检查日期": Field("检查日期", "date", role="date"),
    "安全出口畅通": Field("安全出口畅通", "bool", sense="good", aliases=("疏散通道畅通",)),
    "违章用火": Field("违章用火", "bool"),
    "存药量_kg": Field("存药量_kg", "number", unit=UNITS["kg"], aliases=("存药量",)),
    "设备类别": Field("设备类别", "enum", values=("锅炉", "电梯")),
    "整改期限": Field("整改期限", "date"),
    "备注": Field("备注", "text"),
}
KNOWN = known_headers(FIELDS.values()) | LONG_HEADERS


def read(rows: Sequence[str], folder: Path, long: str | None = None) -> tuple[Table, Inspection]:
    """A csv of these lines: the table after unfolding, and what it reads as."""
    (folder / "a.csv").write_text("\n".join(rows) + "\n")
    table = unfold(load(folder / "a.csv", KNOWN), lambda: [Vocabulary(FIELDS)], None if long is None else read_long(long))[0]
    return table, bind([table], FIELDS)


def test_items_become_columns_and_a_subject_becomes_a_row(tmp_path: Path) -> None:
    table, found = read(
        [
            "单位名称,检查日期,检查项,检查结果,数值", "甲,2024-05-06,安全出口畅通,是,", "甲,2024-05-06,存药量,合格,35", "甲,2024-05-06,设备类别,,锅炉",
            "乙,2024-05-06,安全出口畅通,不合格,", "乙,2024-05-06,违章用火,有,",
        ],
        tmp_path,
    )  # fmt: skip
    assert table.headers == ("单位名称", "检查日期", "安全出口畅通", "存药量", "设备类别", "违章用火")
    assert table.rows.to_list() == [2, 5]
    assert found.frame.select("单位名称", "安全出口畅通", "存药量_kg", "设备类别", "违章用火").rows() == [
        ("甲", True, 35.0, "锅炉", None),
        ("乙", False, None, None, True),
    ]
    assert not found.defects.height


def test_a_subject_is_told_apart_by_who_what_where_and_when(tmp_path: Path) -> None:
    table, found = read(
        [
            "单位名称,检查对象,设备编号,检查日期,检查项,检查结果", "甲,一楼,A1,2024-05-06,安全出口畅通,是", "甲,二楼,A1,2024-05-06,安全出口畅通,否",
            "甲,一楼,A2,2024-05-06,安全出口畅通,否", "甲,一楼,A1,2024-05-07,安全出口畅通,否", "甲,一楼,A1,2024-05-06,违章用火,无",
        ],
        tmp_path,
    )  # fmt: skip
    assert table.rows.to_list() == [2, 3, 4, 5]
    assert found.frame.select("安全出口畅通", "违章用火").rows() == [(True, False), (False, None), (False, None), (False, None)]


def test_two_answers_to_one_item_are_a_contradiction_at_their_rows(tmp_path: Path) -> None:
    _, found = read(
        [
            "单位名称,检查项,检查结果",
            "甲,违章用火,无",
            "甲,安全出口畅通,是",
            "甲,安全出口畅通,√",
            "甲,违章用火,有",
            "乙,违章用火,无",
            "乙,违章用火,否",
        ],
        tmp_path,
    )
    assert found.frame.select("安全出口畅通", "违章用火").rows() == [(True, None), (None, False)]
    (defect,) = found.defects.to_dicts()
    assert (defect["row"], defect["field"], defect["problem"]) == (2, "违章用火", "contradiction")
    assert "“无”（第 2 行）、“有”（第 5 行）" in defect["message"]


def test_a_defect_names_the_row_of_its_item(tmp_path: Path) -> None:
    _, found = read(["单位名称,检查项,检查结果", "甲,违章用火,无", "甲,安全出口畅通,看不清", "甲,存药量,约30"], tmp_path)
    assert found.defects.select("row", "column", "value").rows() == [(3, "安全出口畅通", "看不清"), (4, "存药量", "约30")]


def test_items_that_are_no_field_are_listed_and_so_are_rows_without_one(tmp_path: Path) -> None:
    table, found = read(["单位名称,检查项,检查结果", "甲,违章用火,无", "甲,安全出口畅通,是", "甲,气氛良好,是", "甲,,是", "乙,气氛良好,否"], tmp_path)
    assert ("气氛良好", "unused") in [(column.header, column.how) for column in found.columns]
    assert [(row, why) for row, why in table.skipped if row] == [(4, "检查项“气氛良好”不是认得的字段（共 2 行）"), (5, "长表里没有写检查项的行")]


@pytest.mark.parametrize("item", ["安全出口是否畅通？", "1. 安全出口畅通", "（二）安全出口是否畅通", "疏散通道畅通", "疏散通道是否畅通"])
def test_an_item_may_be_a_question_or_numbered(tmp_path: Path, item: str) -> None:
    _, found = read(["单位名称,检查项目,检查结果", f"甲,{item},否", "甲,有无违章用火,有"], tmp_path)
    assert found.frame.select("安全出口畅通", "违章用火").rows() == [(False, True)]


def test_a_tick_in_a_column_of_results_says_that_all_is_well(tmp_path: Path) -> None:
    _, found = read(["单位名称,检查项目,检查结果", "甲,安全出口畅通,√", "甲,违章用火,√", "乙,安全出口畅通,×"], tmp_path)
    assert found.frame.select("安全出口畅通", "违章用火").rows() == [(True, None), (False, None)]
    assert found.defects.select("row", "value", "problem").rows() == [(3, "√", "unclear_bool")]


def test_a_column_of_units_goes_with_the_number(tmp_path: Path) -> None:
    _, found = read(["单位名称,检查项,检查结果,数值,计量单位", "甲,存药量,,2,t", "甲,违章用火,无,,", "乙,存药量,,5kg,t", "丙,存药量,,3,"], tmp_path)
    assert found.frame["存药量_kg"].to_list() == [2000.0, 5.0, 3.0]


def test_what_differs_within_a_subject_and_is_no_key_is_joined_or_a_contradiction(tmp_path: Path) -> None:
    _, found = read(
        [
            "单位名称,检查项,检查结果,整改期限,备注", "甲,违章用火,无,2024-06-01,a", "甲,安全出口畅通,是,2024/6/1,b", "乙,违章用火,无,2024-06-01,",
            "乙,安全出口畅通,是,2024-06-02,",
        ],
        tmp_path,
    )  # fmt: skip
    assert found.frame["备注"].to_list() == ["a；b", None]
    assert found.frame["整改期限"].is_null().to_list() == [False, True]
    assert found.defects.select("field", "problem").rows() == [("整改期限", "contradiction")]


def test_information_above_a_checklist_is_that_of_its_subject(tmp_path: Path) -> None:
    table, found = read(
        ["检查表,,", "单位名称：甲,,", "检查日期：2024-05-06,,", "序号,检查内容,检查结果", "1,违章用火,无", "2,安全出口畅通,是"], tmp_path
    )
    assert table.rows.to_list() == [5]
    assert found.frame.select("单位名称", "安全出口畅通", "违章用火").rows() == [("甲", True, False)]


def test_a_table_whose_items_are_not_known_stays_as_it_is(tmp_path: Path) -> None:
    table, _ = read(["单位名称,检查项目,检查结果", "甲,消防,正常", "乙,电气,正常", "丙,违章用火,无"], tmp_path)
    assert table.headers == ("单位名称", "检查项目", "检查结果")
    assert table.rows.to_list() == [2, 3, 4]


def test_columns_can_be_named(tmp_path: Path) -> None:
    rows = ["单位名称,查什么,怎么样,多少", "甲,违章用火,无,", "甲,消防,好,", "甲,存药量,,3"]
    assert read(rows, tmp_path)[0].rows.to_list() == [2, 3, 4]
    table, found = read(rows, tmp_path, "查什么=怎么样,多少")
    assert table.rows.to_list() == [2]
    assert found.frame.select("违章用火", "存药量_kg").rows() == [(False, 3.0)]


@pytest.mark.parametrize(
    ("said", "words"),
    [("检查项", "--long 的“检查项”写得不对"), ("=结果", "写得不对"), ("检查项=", "写得不对"), ("甲=乙", "没有一张表有 --long 所说的列“甲”、“乙”")],
)
def test_columns_named_wrongly_are_said(tmp_path: Path, said: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read(["单位名称,检查项,检查结果", "甲,违章用火,无"], tmp_path, said)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    root = tmp_path_factory.mktemp("pack") / "p"
    (root / "a").mkdir(parents=True)
    (root / "pack.yaml").write_text("pack: {id: p, title: 包, version: '1'}\n")
    (root / "a/fields.yaml").write_text(
        "sector: a\ntitle: 甲\nfields:\n  单位名称: {type: text, role: enterprise, meaning: 单位}\n"
        "  安全出口畅通: {type: bool, meaning: 畅通}\n  违章用火: {type: bool, meaning: 用火}\n"
    )
    (root / "a/d.yaml").write_text(
        "document: {id: d, title: 文, number: 号, issuer: 部, in_force: {from: 2020-01-01}, sources: []}\ncriteria:\n"
        "  - {id: a/d/1, clause: 一, name: 不畅, when: NOT 安全出口畅通, grade: major, status: verified, remedy: 通}\n"
        "  - {id: a/d/2, clause: 二, name: 用火, when: 违章用火, grade: major, status: verified, remedy: 停}\n"
    )
    return open_library([root], shipped=False)


def test_a_long_table_is_judged_as_the_wide_one(library: Library) -> None:
    long = pl.DataFrame(
        {"单位名称": ["甲", "甲", "乙", "乙"], "检查项": ["安全出口畅通", "违章用火"] * 2, "检查结果": ["不合格", "无", "合格", "有"]}
    )
    wide = pl.DataFrame({"单位名称": ["甲", "乙"], "安全出口畅通": ["不合格", "合格"], "违章用火": ["无", "有"]})
    found = [judge(table, library, as_of="2024-05-06").findings.select(["criterion", "enterprise"]).to_pylist() for table in (long, wide)]
    assert found[0] == found[1] == [{"criterion": "a/d/1", "enterprise": "甲"}, {"criterion": "a/d/2", "enterprise": "乙"}]
    assert judge(long, library, as_of="2024-05-06").findings["row"].to_pylist() == [1, 3]
