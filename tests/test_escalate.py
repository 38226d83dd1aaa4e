"""Escalation: counts, facts, levels and measures, derived by hand; and that filling in blanks never leaves [level, level_possible]."""

from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl
import pytest

from engine.documents import Criterion, Document
from engine.escalate import escalate
from engine.ladder import Ladders, read_ladders
from engine.pack import Sector
from engine.result import ENTERPRISES
from engine.rollup import Share, gather
from engine.rulefile import Source, parse_rule_text
from engine.tree import BOOL, Literal

DAY = dt.date(2024, 6, 1)

LADDERS = """
levels:
  - {rank: 1, name: 限期整改}
  - {rank: 2, name: 警示约谈}
  - {rank: 3, name: 挂牌督办}
  - {rank: 4, name: 强制措施}
  - {rank: 5, name: 关闭}
parameters:
  挂牌起点: {value: 3, unit: 项, meaning: 达到几项挂牌, source: 引擎默认值，法律未规定}
counts:
  隐患数: {meaning: 全部}
  重大隐患数: {grade: [major], meaning: 重大}
  一般隐患数: {grade: [general], meaning: 一般}
  未整改隐患数: {open: true, meaning: 未整改}
  两超数: {campaign: [两超], meaning: 两超}
facts:
  拒不整改: {type: bool, meaning: 拒不整改}
  能当场整改: {type: bool, meaning: 能当场整改}
  处罚次数: {type: integer, unit: 次, meaning: 处罚次数}
  挂牌级别: {type: enum, values: [无, 县级, 市级], meaning: 当前挂牌, blank: 无}
measures:
  - {id: A, name: 改, order: 限期改, decided_by: 甲局, time_limit: 十日, status: verified, legal_basis: [
      {title: 旧法, number: 1号, article: 第一条, from: 2010-01-01, to: 2021-08-31}, {title: 新法, number: 2号, article: 第二条, from: 2021-09-01}]}
  - {id: B, name: 挂, order: 挂牌, decided_by: 县政府, time_limit: 无, status: partly, when: 挂牌级别 = '无', legal_basis: [
      {title: 办法, number: 3号, article: —}]}
  - {id: C, name: 罚, order: 罚款, decided_by: 甲局, time_limit: 无, status: recalled, when: NOT 能当场整改, legal_basis: [
      {title: 新法, number: 2号, article: 第三条, from: 2021-09-01}]}
ladders:
  - id: main
    title: 总阶梯
    steps:
      - {step: 1, level: 限期整改, when: 未整改隐患数 > 0, measures: [A]}
      - {step: 2, level: 警示约谈, when: 逾期未整改天数 > 0 OR 十二个月内重复次数 >= 1 OR 两超数 >= 2, measures: [A, C]}
      - {step: 3, level: 挂牌督办, when: 重大隐患数 >= 挂牌起点, measures: [B]}
      - {step: 4, level: 强制措施, when: 拒不整改, measures: [C]}
      - {step: 5, level: 关闭, when: 重大隐患数 > 0 AND 处罚次数 >= 3, measures: [A]}
  - id: other
    title: 别的行业
    sectors: [elsewhere]
    steps:
      - {step: 1, level: 关闭, when: 隐患数 >= 0, measures: [A]}
"""


def read(text: str) -> Ladders:
    source = Source("阶梯.yaml", text)
    made = read_ladders([(parse_rule_text(source), source)])
    assert [problem.message for each in made.sources for problem in each.problems] == []
    return made.ladders


SMALL = read(LADDERS)


def criterion(name: str, grade: str, duty: str = "", campaign: str = "", status: str = "verified", fit: str = "exact") -> Criterion:
    document = Document("d", "规定", "1号", "某局", dt.date(2000, 1, 1), None, "s")
    yes = Literal(True, BOOL)
    return Criterion(
        f"s/d/{name}", f"第{name}条", f"名{name}", document, None, yes, "", "", grade, status, document.start, None,
        duty=duty, campaign=campaign, campaign_fit=fit,
    )  # fmt: skip


SECTOR = Sector(
    "s", "行业", {},
    (
        criterion("1", "general"), criterion("2", "violation", "同一义务", "两超"), criterion("3", "major", "同一义务"),
        criterion("4", "major", campaign="两超"), criterion("5", "major"), criterion("6", "serious"), criterion("7", "general", "同一义务"),
    ),
    {}, (), frozenset(),
)  # fmt: skip


def frame(*rows: dict[str, Any], **types: pl.DataType) -> pl.DataFrame:
    base = {"__enterprise": "甲厂", "__region": None, "__subject": None, "__date": DAY}
    schema = {"__enterprise": pl.String(), "__region": pl.String(), "__subject": pl.String(), "__date": pl.Date(), **types}
    return pl.DataFrame([base | row for row in rows], schema=schema).with_row_index("__index")


def hits(*found: tuple[int, int, bool | None]) -> pl.DataFrame:
    """(row, criterion, met): met True is certain, False undetermined, None suspected."""
    schema = {"index": pl.UInt32, "criterion": pl.UInt16, "certain": pl.Boolean, "suspected": pl.Boolean}
    return pl.DataFrame([(row, number, met is True, met is None) for row, number, met in found], schema=schema, orient="row")


def put(rows: pl.DataFrame, found: pl.DataFrame, ladders: Ladders = SMALL, sector: Sector = SECTOR) -> list[dict[str, Any]]:
    table = escalate(ladders, gather(Share(sector, rows, found), [sector], ladders))
    assert table.schema == ENTERPRISES
    made: list[dict[str, Any]] = table.to_pylist()
    return made


def due(one: dict[str, Any]) -> list[tuple[str, bool]]:
    return [(measure["id"], measure["certain"]) for measure in one["measures"]]


# Counting


def test_an_enterprise_without_findings_has_no_level() -> None:
    (one,) = put(frame({}), hits())
    assert (one["level"], one["level_possible"], one["level_rank"]) == (None, None, None)
    assert (one["major"], one["undetermined"], one["rows"], one["date"]) == (0, 0, 1, DAY)
    assert (one["leading"], one["measures"], one["reasons"]) == (None, [], [])


def test_a_duty_in_several_documents_counts_once_at_the_highest_grade() -> None:
    (one,) = put(frame({}, {}), hits((0, 1, True), (0, 2, True), (1, 6, True), (1, 1, False)))
    assert (one["major"], one["serious"], one["violation"], one["general"]) == (1, 0, 0, 0)
    assert (one["undetermined"], one["suspected"]) == (0, 0)
    assert one["reasons"][0] == "重大隐患 1 项（1号 第3条，另见 1号 第2条、1号 第7条）。"


def test_what_is_open_counts_once_unless_it_is_certain_elsewhere() -> None:
    (one,) = put(frame({}, {}), hits((0, 3, False), (1, 3, None), (0, 4, False), (0, 5, True), (1, 5, None)))
    assert (one["serious"], one["undetermined"], one["suspected"]) == (1, 2, 1)


def test_a_certain_hazard_may_still_rise_to_a_graver_grade() -> None:
    ladders = read(LADDERS.replace("value: 3", "value: 1"))
    (one,) = put(frame({}), hits((0, 1, True), (0, 2, False)), ladders)
    assert (one["violation"], one["major"], one["undetermined"]) == (1, 0, 0)
    assert (one["level"], one["level_possible"]) == ("限期整改", "挂牌督办")


def test_a_count_of_a_lighter_grade_is_not_certain_while_the_hazard_may_rise() -> None:
    ladders = read(LADDERS.replace("when: 重大隐患数 >= 挂牌起点", "when: 一般隐患数 > 0"))
    (sure,) = put(frame({}), hits((0, 6, True)), ladders)
    (unsure,) = put(frame({}), hits((0, 6, True), (0, 2, False)), ladders)
    assert (sure["level"], unsure["level"], unsure["level_possible"]) == ("挂牌督办", "限期整改", "挂牌督办")


def test_campaigns_are_counted_over_grades() -> None:
    (two,) = put(frame({}), hits((0, 1, True), (0, 3, True)))
    (one,) = put(frame({}), hits((0, 1, True), (0, 3, False)))
    assert (two["level"], one["level"], one["level_possible"]) == ("警示约谈", "限期整改", "警示约谈")


def test_what_is_rectified_is_not_open() -> None:
    rows = frame(
        {"隐患已整改": True}, {"__enterprise": "乙厂", "隐患已整改": False}, {"__enterprise": "丙厂", "隐患已整改": None}, 隐患已整改=pl.Boolean()
    )
    made = {one["enterprise"]: one for one in put(rows, hits((0, 0, True), (1, 0, True), (2, 0, True)))}
    assert {name: one["level"] for name, one in made.items()} == {"甲厂": None, "乙厂": "限期整改", "丙厂": "限期整改"}
    assert made["甲厂"]["general"] == 1


# Levels


def test_open_hazards_raise_only_the_possible_level() -> None:
    (one,) = put(frame({}), hits((0, 0, True), (0, 2, False), (0, 3, None), (0, 4, False)))
    assert (one["level"], one["level_possible"]) == ("限期整改", "挂牌督办")
    assert one["reasons"] == [
        "一般隐患 1 项（1号 第1条）。",
        "达到“总阶梯”第1步“限期整改”：未整改隐患数 1 项。",
        "如 3 项待核实成立，可达挂牌督办（“总阶梯”第3步）。",
    ]
    assert due(one) == [("B", False), ("A", True)]


def test_only_open_hazards_give_a_possible_level_only() -> None:
    (one,) = put(frame({}), hits((0, 0, False)))
    assert (one["level"], one["level_possible"], one["leading"]) == (None, "限期整改", None)
    assert due(one) == [("A", False)]


def test_three_major_hazards_reach_the_parameter() -> None:
    (one,) = put(frame({}), hits((0, 2, True), (0, 3, True), (0, 4, True)))
    assert (one["level"], one["level_rank"], one["level_possible"]) == ("挂牌督办", 3, "挂牌督办")
    assert one["reasons"] == ["重大隐患 3 项（1号 第3条；1号 第4条；1号 第5条）。", "达到“总阶梯”第3步“挂牌督办”：重大隐患数 3 项。"]
    assert [(m["id"], m["ladder"], m["step"]) for m in one["measures"]] == [("B", "总阶梯", 3), ("A", "总阶梯", 1)]


@pytest.mark.parametrize(
    ("cells", "level", "possible"),
    [
        ([True, None], "强制措施", "强制措施"),
        ([False, None], "限期整改", "强制措施"),
        ([False, False], "限期整改", "限期整改"),
    ],
)
def test_a_blank_fact_is_unknown(cells: list[bool | None], level: str, possible: str) -> None:
    rows = frame(*({"拒不整改": cell} for cell in cells), 拒不整改=pl.Boolean())
    (one,) = put(rows, hits((0, 0, True)))
    assert (one["level"], one["level_possible"]) == (level, possible)


@pytest.mark.parametrize(
    ("cells", "level", "possible"),
    [
        ([3, None], "关闭", "关闭"),  # the most is 3 at least
        ([2, None], "限期整改", "关闭"),
        ([2, 2], "限期整改", "限期整改"),
    ],
)
def test_the_most_over_the_rows_has_no_upper_end_with_a_blank(cells: list[int | None], level: str, possible: str) -> None:
    rows = frame(*({"处罚次数": cell} for cell in cells), 处罚次数=pl.Int64())
    (one,) = put(rows, hits((0, 3, True)))
    assert (one["level"], one["level_possible"]) == (level, possible)


def test_a_fact_without_a_column_raises_nothing() -> None:
    (one,) = put(frame({}), hits((0, 3, True)))
    assert (one["level"], one["level_possible"]) == ("限期整改", "限期整改")


def test_the_denial_of_a_fact_without_a_column_raises_nothing_either() -> None:
    rows = frame({"拒不整改": True}, 拒不整改=pl.Boolean())
    assert due(put(rows, hits((0, 0, True)))[0]) == [("A", True)]
    rows = frame({"拒不整改": True, "能当场整改": None}, 拒不整改=pl.Boolean(), 能当场整改=pl.Boolean())
    assert due(put(rows, hits((0, 0, True)))[0]) == [("C", False), ("A", True)]
    rows = frame({"拒不整改": True, "能当场整改": False}, 拒不整改=pl.Boolean(), 能当场整改=pl.Boolean())
    assert due(put(rows, hits((0, 0, True)))[0]) == [("C", True), ("A", True)]


@pytest.mark.parametrize(("when", "possible"), [("NOT (拒不整改 AND 能当场整改)", "关闭"), ("NOT (拒不整改 OR 能当场整改)", "限期整改")])
def test_a_denied_conjunction_is_a_disjunction_of_denials(when: str, possible: str) -> None:
    ladders = read(LADDERS.replace("when: 重大隐患数 > 0 AND 处罚次数 >= 3", f"when: {when}"))
    (one,) = put(frame({"拒不整改": False}, 拒不整改=pl.Boolean()), hits((0, 0, True)), ladders)
    assert (one["level_possible"], one["level"]) == (possible, possible)


@pytest.mark.parametrize(
    ("when", "row", "said"),
    [
        ("重大隐患数 > 0 AND 拒不整改", {"拒不整改": None}, "如 1 项待核实成立、“拒不整改”查明属实，可达关闭（“总阶梯”第5步）。"),
        ("拒不整改 OR 处罚次数 > 2", {"拒不整改": None, "处罚次数": None}, "如“拒不整改”查明属实或“处罚次数”查明达到，可达关闭（“总阶梯”第5步）。"),
    ],
)
def test_what_would_have_to_turn_out_so(when: str, row: dict[str, Any], said: str) -> None:
    ladders = read(LADDERS.replace("when: 重大隐患数 > 0 AND 处罚次数 >= 3", f"when: {when}"))
    rows = frame(row, 拒不整改=pl.Boolean(), 处罚次数=pl.Int64())
    (one,) = put(rows, hits((0, 0, True), (0, 4, False)), ladders)
    assert (one["level"], one["reasons"][-1]) == ("限期整改", said)


def test_only_the_alternative_that_holds_is_given_as_reason() -> None:
    ladders = read(LADDERS.replace("when: 重大隐患数 > 0 AND 处罚次数 >= 3", "when: 隐患数 > 0 AND (处罚次数 >= 3 OR 拒不整改 OR 挂牌级别 = '市级')"))
    rows = frame({"拒不整改": False, "处罚次数": 1, "挂牌级别": "市级"}, 拒不整改=pl.Boolean(), 处罚次数=pl.Int64(), 挂牌级别=pl.String())
    (one,) = put(rows, hits((0, 0, True)), ladders)
    assert one["reasons"][-1] == "达到“总阶梯”第5步“关闭”：隐患数 1 项、挂牌级别为市级。"


def test_a_blank_that_stands_for_a_value_holds_without_the_column() -> None:
    three = hits((0, 2, True), (0, 3, True), (0, 4, True))
    assert due(put(frame({}), three)[0])[0] == ("B", True)
    listed = frame({"挂牌级别": "市级"}, 挂牌级别=pl.String())
    assert due(put(listed, three)[0]) == [("A", True)]


def test_the_last_inspection_tells_the_present_state() -> None:
    three = hits((0, 2, True), (0, 3, True), (0, 4, True))
    before = {"__date": dt.date(2024, 1, 1), "挂牌级别": "无"}
    assert due(put(frame(before, {"挂牌级别": "县级"}, 挂牌级别=pl.String()), three)[0]) == [("A", True)]
    disputed = frame({"挂牌级别": "无"}, {"挂牌级别": "县级"}, 挂牌级别=pl.String())
    assert due(put(disputed, three)[0])[0] == ("B", False)


def test_a_flag_without_a_finding_does_not_escalate() -> None:
    rows = frame({"拒不整改": True}, 拒不整改=pl.Boolean())
    (none,) = put(rows, hits())
    (open_,) = put(rows, hits((0, 0, False)))
    assert (none["level"], none["level_possible"]) == (None, None)
    assert (open_["level"], open_["level_possible"]) == (None, "强制措施")


# Dates


LATER = {"__date": dt.date(2024, 7, 1)}


@pytest.mark.parametrize(
    ("row", "level", "possible"),
    [
        # own inspection on 06-01, last one on 07-01: 30 days after the deadline of 06-01
        ({"整改期限": dt.date(2024, 6, 1), "隐患已整改": False}, "警示约谈", "警示约谈"),
        ({"整改期限": dt.date(2024, 7, 1), "隐患已整改": False}, "限期整改", "限期整改"),  # the last day of the term
        ({"整改期限": dt.date(2024, 6, 1), "隐患已整改": None}, "限期整改", "警示约谈"),
        ({"整改期限": dt.date(2024, 5, 31), "隐患已整改": None}, "警示约谈", "警示约谈"),  # still found a day after the term
        ({"整改期限": dt.date(2024, 5, 1), "隐患已整改": True}, None, None),
        ({"整改期限": None, "隐患已整改": False}, "限期整改", "警示约谈"),
    ],
)
def test_overdue(row: dict[str, Any], level: str | None, possible: str | None) -> None:
    rows = frame(row, LATER, 整改期限=pl.Date(), 隐患已整改=pl.Boolean())
    (one,) = put(rows, hits((0, 0, True)))
    assert (one["level"], one["level_possible"], one["date"]) == (level, possible, dt.date(2024, 7, 1))


def test_an_open_finding_after_the_term_is_overdue_only_if_it_turns_out_so() -> None:
    rows = frame({"整改期限": dt.date(2024, 5, 31), "隐患已整改": None}, {}, 整改期限=pl.Date(), 隐患已整改=pl.Boolean())
    (one,) = put(rows, hits((0, 0, False), (1, 5, True)))
    assert (one["level"], one["level_possible"]) == ("限期整改", "警示约谈")


def test_overdue_days_are_said() -> None:
    rows = frame({"整改期限": dt.date(2024, 5, 27), "隐患已整改": False}, 整改期限=pl.Date(), 隐患已整改=pl.Boolean())
    (one,) = put(rows, hits((0, 0, True)))
    assert one["reasons"][-1] == "达到“总阶梯”第2步“警示约谈”：逾期未整改天数 5 日。"


def test_without_a_record_of_rectification_only_the_own_inspection_counts() -> None:
    (one,) = put(frame({"整改期限": dt.date(2024, 6, 1)}, LATER, 整改期限=pl.Date()), hits((0, 0, True)))
    assert (one["level"], one["level_possible"]) == ("限期整改", "限期整改")
    (one,) = put(frame({"整改期限": dt.date(2024, 5, 30)}, 整改期限=pl.Date()), hits((0, 0, True)))
    assert one["level"] == "警示约谈"


@pytest.mark.parametrize(
    ("first", "subjects", "met", "level", "possible"),
    [
        (dt.date(2023, 6, 1), ("一号", "一号"), True, "警示约谈", "警示约谈"),  # twelve months to the day
        (dt.date(2023, 5, 31), ("一号", "一号"), True, "限期整改", "限期整改"),
        (dt.date(2024, 6, 1), ("一号", "一号"), True, "限期整改", "限期整改"),  # the same day is no repetition
        (dt.date(2024, 5, 1), ("一号", "二号"), True, "限期整改", "限期整改"),
        (dt.date(2024, 5, 1), ("一号", "一号"), False, "限期整改", "警示约谈"),
    ],
)
def test_repeats_within_twelve_months(first: dt.date, subjects: tuple[str, str], met: bool, level: str, possible: str) -> None:
    rows = frame({"__date": first, "__subject": subjects[0]}, {"__subject": subjects[1]})
    (one,) = put(rows, hits((0, 0, met), (1, 0, True)))
    assert (one["level"], one["level_possible"]) == (level, possible)


@pytest.mark.parametrize(
    ("day", "cited"),
    [
        (dt.date(2009, 12, 31), None),
        (dt.date(2010, 1, 1), ["《旧法》（1号）第一条"]),
        (dt.date(2021, 8, 31), ["《旧法》（1号）第一条"]),
        (dt.date(2021, 9, 1), ["《新法》（2号）第二条"]),
    ],
)
def test_a_legal_basis_is_cited_only_in_force(day: dt.date, cited: list[str] | None) -> None:
    (one,) = put(frame({"__date": day}), hits((0, 0, True)))
    assert one["level"] == "限期整改"
    assert [measure["basis"] for measure in one["measures"]] == ([] if cited is None else [cited])


def test_a_basis_of_unknown_dates_says_so() -> None:
    (one,) = put(frame({}), hits((0, 2, True), (0, 3, True), (0, 4, True)))
    assert one["measures"][0]["basis"] == ["《办法》（3号）（施行日期待核）"]


# Order


def test_the_gravest_come_first() -> None:
    names = ["戊", "丁", "丙", "乙", "甲", "己"]
    rows = frame(*({"__enterprise": name} for name in names))
    found = hits(
        (0, 0, True),  # 戊: general
        (1, 1, True),  # 丁: violation, before general
        (2, 0, True), (2, 3, False),  # 丙: general and one open
        (3, 3, True),  # 乙: major
        (4, 2, True), (4, 3, True), (4, 4, True),  # 甲: three major, on a higher level
    )  # fmt: skip
    assert [one["enterprise"] for one in put(rows, found)] == ["甲", "乙", "丁", "丙", "戊", "己"]


def test_the_leading_criterion() -> None:
    order = [
        criterion("a", "major", status="recalled"), criterion("b", "major", fit="loose"), criterion("c", "major"), criterion("d", "major"),
        criterion("e", "serious"),
    ]  # fmt: skip
    sector = Sector("s", "行业", {}, tuple(order), {}, (), frozenset())
    for left, expected in ((5, "s/d/c"), (2, "s/d/b"), (1, "s/d/a")):
        (one,) = put(frame({}), hits(*((0, n, True) for n in range(left))), sector=sector)
        assert one["leading"] == expected
    assert (one["leading_grade"], one["leading_status"], one["leading_name"], one["leading_basis"]) == (
        "major",
        "recalled",
        "名a",
        "《规定》（1号）第a条",
    )


def test_region_and_rows() -> None:
    (one,) = put(frame({}, {"__region": "信州区"}, {"__region": "广信区"}), hits((1, 0, True)))
    assert (one["region"], one["rows"]) == ("信州区", 3)
