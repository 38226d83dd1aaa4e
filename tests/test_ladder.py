"""Ladder files: what is read, what is refused and where, and that docs/ladders.md describes what is there."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from pathlib import Path

import pytest

from engine.ladder import Basis, Count, Ladders, blank_value, read_ladders
from engine.pack import open_library
from engine.problems import Problem
from engine.rulefile import Source, parse_rule_text

DOCS = Path(__file__).resolve().parents[1] / "docs" / "ladders.md"

GOOD = """
levels:
  - {rank: 2, name: 关闭}
  - {rank: 1, name: 限期整改, meaning: 责令改正}
parameters:
  界限: {value: 1.5, unit: 日, meaning: 几天, source: 引擎默认值，法律未规定}
counts:
  隐患数: {meaning: 全部}
  重大数: {grade: [major], open: true, meaning: 未整改的重大}
facts:
  拒不整改: {type: bool, meaning: 拒不整改, across: any}
measures:
  - id: M1
    name: 限期改正
    order: 改
    decided_by: 某局
    time_limit: 十日
    when: 拒不整改
    legal_basis:
      - {title: 某法, number: 1号, article: 第一条, from: 2020-01-01, to: 2020-12-31}
    status: partly
ladders:
  - id: main
    title: 总阶梯
    steps:
      - {step: 1, level: 限期整改, when: 隐患数 > 0, measures: [M1], by: 某局}
      - {step: 2, level: 关闭, when: 重大数 > 0 AND 逾期未整改天数 > 界限, measures: []}
"""


def read(*texts: str) -> tuple[Ladders, list[Problem]]:
    sources = [Source(f"{number}.yaml", text) for number, text in enumerate(texts, 1)]
    made = read_ladders([(parse_rule_text(source), source) for source in sources])
    return made.ladders, [problem for source in made.sources for problem in source.problems]


def test_reads_a_ladder_file() -> None:
    ladders, problems = read(GOOD)
    assert problems == []
    assert [(level.rank, level.name) for level in ladders.levels] == [(1, "限期整改"), (2, "关闭")]
    assert ladders.parameters["界限"].value == Decimal("1.5")
    assert ladders.counts["重大数"] == Count("重大数", grades=("major",), open=True)
    (ladder,) = ladders.ladders
    assert [(step.number, step.level.name, step.measures, step.by) for step in ladder.steps] == [
        (1, "限期整改", ("M1",), "某局"),
        (2, "关闭", (), ""),
    ]
    measure = ladders.measures["M1"]
    assert (measure.decided_by, measure.time_limit, measure.status) == ("某局", "十日", "partly")
    assert measure.basis == (Basis("某法", "1号", "第一条", dt.date(2020, 1, 1), dt.date(2020, 12, 31)),)


def test_a_later_file_replaces_by_name_and_id() -> None:
    later = """
parameters:
  界限: {value: 30, unit: 日, meaning: 几天, source: 本市规定}
ladders:
  - id: main
    title: 本市阶梯
    steps:
      - {step: 1, level: 关闭, when: 隐患数 > 0, measures: [M1]}
"""
    ladders, problems = read(GOOD, later)
    assert problems == []
    assert (ladders.parameters["界限"].value, ladders.parameters["界限"].source) == (Decimal(30), "本市规定")
    assert [(ladder.title, len(ladder.steps)) for ladder in ladders.ladders] == [("本市阶梯", 1)]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("grade: [major]", "grade: [majr]", "等级“majr”不认识。"),
        ("level: 关闭", "level: 关停", "没有“关停”这个处置级别。"),
        ("measures: [M1]", "measures: [M2]", "没有措施“M2”。"),
        ("rank: 2", "rank: 高", "rank“高”应当是正整数。"),
        ("rank: 2", "rank: 1", "rank 1 重复了。"),
        ("value: 1.5", "value: 很多", "参数的值“很多”应当是数。"),
        ("value: 1.5", "value: NaN", "参数的值“NaN”应当是数。"),
        ("step: 2", "step: 二", "step“二”应当是正整数。"),
        ("step: 2", "step: 1", "阶梯“main”的 step 1 不大于前一步。"),
        ("to: 2020-12-31", "to: 2019-12-31", "末日 2019-12-31 早于首日 2020-01-01。"),
        ("status: partly", "status: sure", "“status”的值“sure”不认识。"),
        ("time_limit: 十日", "deadline: 十日", "措施里没有“deadline”这个键。"),
        ("across: any}", "across: max}", "事实“拒不整改”是 bool，不能用 across: max。"),
        ("across: any}", "blank: 也许}", "事实“拒不整改”的 blank“也许”不是它的取值。"),
        ("across: any}", "derive: 隐患数 > 0}", "阶梯的事实“拒不整改”不能有 derive。"),
        ("  拒不整改: {type: bool, meaning: 拒不整改, across: any}", "  检查日期: {type: date, meaning: 日期}", "“检查日期”由引擎推导，不能再声明。"),
        ("  拒不整改: {type: bool, meaning: 拒不整改, across: any}", "  隐患数: {type: integer, meaning: 数}", "事实“隐患数”与计数或参数同名。"),
    ],
)
def test_says_what_is_wrong(old: str, new: str, message: str) -> None:
    assert GOOD.count(old) >= 1
    _, problems = read(GOOD.replace(old, new, 1))
    assert message in [problem.message for problem in problems]


def test_an_unknown_name_in_a_condition_has_its_place() -> None:
    _, problems = read(GOOD.replace("重大数 > 0 AND", "重大树 > 0 AND"))
    (problem,) = problems
    line = next(number for number, text in enumerate(GOOD.splitlines(), 1) if "重大数 > 0 AND" in text)
    assert (problem.file, problem.line) == ("1.yaml", line)
    assert "重大树" in problem.message and "重大数" in problem.hint


@pytest.mark.parametrize(
    ("count", "finding", "counts"),
    [
        (Count("n"), ("general", "", "a/1", ""), True),
        (Count("n", grades=("major",)), ("general", "", "a/1", ""), False),
        (Count("n", campaigns=("两超",)), ("general", "两超", "a/1", ""), True),
        (Count("n", criteria=("a/2*",)), ("general", "", "a/25-1", ""), True),
        (Count("n", criteria=("a/2",)), ("general", "", "a/25-1", ""), False),
        (Count("n", duties=("检验",)), ("general", "", "a/1", "检验"), True),
        (Count("n", grades=("major",), campaigns=("两超",)), ("major", "三非", "a/1", ""), False),
    ],
)
def test_a_count_needs_every_selector(count: Count, finding: tuple[str, str, str, str], counts: bool) -> None:
    assert count.matches(*finding) is counts


@pytest.mark.parametrize(
    ("day", "held"),
    [("2019-12-31", False), ("2020-01-01", True), ("2020-12-31", True), ("2021-01-01", False)],
)
def test_a_basis_is_in_force_on_both_its_days(day: str, held: bool) -> None:
    basis = Basis("某法", "1号", "第一条", dt.date(2020, 1, 1), dt.date(2020, 12, 31))
    assert basis.in_force(dt.date.fromisoformat(day)) is held


@pytest.mark.parametrize(
    ("declared", "value"),
    [("type: bool, blank: 是", True), ("type: bool, blank: 否", False), ("type: integer, blank: 0", 0.0), ("type: text", None)],
)
def test_what_a_blank_stands_for(declared: str, value: object) -> None:
    ladders, problems = read(f"facts:\n  事实: {{{declared}, meaning: 某事}}\n")
    assert problems == []
    assert blank_value(ladders.facts["事实"]) == value


def test_the_shipped_ladders_have_no_problem() -> None:
    library = open_library([])
    ladders = library.ladders
    assert library.problems == []
    assert {ladder.id for ladder in ladders.ladders} == {
        "enterprise", "credit", "special-equipment", "gas", "fireworks", "fire", "coal", "hazardous-chemicals", "civil-explosives", "construction",
        "transport", "public-events", "new-risks",
    }  # fmt: skip
    used = {identity for ladder in ladders.ladders for step in ladder.steps for identity in step.measures}
    assert used == set(ladders.measures)


def test_the_shipped_counts_name_criteria_that_exist() -> None:
    pack, _ = open_library([]).load()
    criteria = [criterion for sector in pack.sectors.values() for criterion in sector.criteria]
    for count in pack.ladders.counts.values():
        for pattern in count.criteria:
            assert any(Count("n", criteria=(pattern,)).matches(c.grade, c.campaign, c.id, c.duty) for c in criteria), pattern
        for campaign in count.campaigns:
            assert any(c.campaign == campaign for c in criteria), campaign


def test_the_page_names_every_measure_and_parameter() -> None:
    page = DOCS.read_text("utf-8")
    ladders = open_library([]).ladders
    for parameter in ladders.parameters.values():
        row = re.search(rf"^\| {parameter.name} \| (\S+) (\S+) \| .*\| (.+) \|$", page, re.MULTILINE)
        assert row is not None, parameter.name
        assert (row[1], row[2], row[3]) == (f"{parameter.value}", parameter.field.unit.symbol if parameter.field.unit else "", parameter.source)
    for level in ladders.levels:
        assert f"| {level.rank} | {level.name} | {level.meaning} |" in page
    for measure in ladders.measures.values():
        assert f"| {measure.id} | {measure.name} |" in page
    missing = set(re.findall(r"^\| (E\d+) \| 未收入", page, re.MULTILINE))
    assert not missing & set(ladders.measures)


def test_the_example_of_the_page_loads() -> None:
    page = DOCS.read_text("utf-8")
    (example,) = re.findall(r"```yaml\n(.+?)```", page, re.DOTALL)
    ladders, problems = read(example)
    assert problems == []
    assert ladders.ladders and ladders.measures and ladders.facts and ladders.counts and ladders.parameters
