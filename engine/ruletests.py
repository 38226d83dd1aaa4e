"""The tests beside the rules: each row read as a table would be, judged by the engine, compared with what the author expects."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping as Map
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from engine.chain import chain, dated
from engine.documents import Criterion
from engine.fields import DATE_FIELD
from engine.judging import verdicts
from engine.pack import Library, Sector, open_library
from engine.problems import RuleFileError, nearest
from engine.rulefile import Items, Mapping, Scalar, Source, read_rule_file
from engine.tables.columns import read_column

VERDICTS = ("met", "not_met", "undetermined", "not_applicable", "not_in_force")
_TEST = "__test"


@dataclass(frozen=True)
class RuleTest:
    """One test as written: cells by field, and what is expected (`suspected` None: not asked)."""

    criterion: str
    file: str
    line: int
    row: tuple[tuple[str, str], ...]
    verdict: str
    suspected: bool | None
    why: str


@dataclass(frozen=True)
class TestOutcome:
    """One test run. `ok` false: `message` says in Chinese what is wrong; `got` is the verdict found, empty when it could not be run."""

    criterion: str
    file: str
    line: int
    expected: str
    got: str
    ok: bool
    message: str
    __test__ = False  # not a test class of pytest's


def read_tests(library: Library, sectors: Iterable[str] | None = None) -> tuple[list[RuleTest], list[TestOutcome]]:
    """All tests beside the rules of the sectors (default: all), and an outcome for each that cannot be read."""
    library = library.discovered()
    wanted = set(library.titles_by_sector()) if sectors is None else set(sectors)
    tests: list[RuleTest] = []
    broken: list[TestOutcome] = []
    for sector in sorted(wanted):
        for folder in library.folders.get(sector, []):
            for path in sorted(folder.path.glob("*.yaml")):
                top, source = read_rule_file(path, library.name_of(path))
                broken += [TestOutcome("", p.file, p.line, "", "", False, p.text()) for p in source.problems]
                if top is not None:
                    _read_file(top, source, path.name, tests, broken)
    return tests, broken


def _read_file(top: Mapping, source: Source, name: str, tests: list[RuleTest], broken: list[TestOutcome]) -> None:
    if name.endswith(".tests.yaml"):
        _read_list(top.get("tests"), "", source, tests, broken)
    elif isinstance(criteria := top.get("criteria"), Items):
        for criterion in criteria.items:
            if isinstance(criterion, Mapping) and criterion.get("tests") is not None:
                owner = criterion.get("id")
                _read_list(criterion.get("tests"), owner.text if isinstance(owner, Scalar) else "", source, tests, broken)


def _read_list(node: object, owner: str, source: Source, tests: list[RuleTest], broken: list[TestOutcome]) -> None:
    if not isinstance(node, Items):
        broken.append(TestOutcome(owner, source.name, 0, "", "", False, f"{source.name}：tests 应当是列表（每项以 - 开头）。"))
        return
    for item in node.items:
        made = _read_test(item, owner, source)
        if isinstance(made, str):
            broken.append(TestOutcome(owner, source.name, item.line, "", "", False, f"{source.name} 第{item.line}行：{made}"))
        else:
            tests.append(made)


def _read_test(item: object, owner: str, source: Source) -> RuleTest | str:
    keys = ("criterion", "row", "verdict", "suspected", "why")
    if not isinstance(item, Mapping):
        return "检验用例应当是“键: 值”。"
    for key in item.entries:
        if key not in keys:
            return f"检验用例里没有“{key}”这个键。{nearest(key, keys)}"
    row, criterion, verdict = item.get("row"), item.get("criterion"), item.get("verdict")
    if not isinstance(row, Mapping) or not isinstance(verdict, Scalar):
        return "检验用例要有 row 和 verdict。"
    if verdict.text not in VERDICTS:
        return f"verdict“{verdict.text}”不认识。{nearest(verdict.text, VERDICTS) or '可用的：' + '、'.join(VERDICTS)}"
    cells = []
    for name, (_, value) in row.entries.items():
        if not isinstance(value, Scalar):
            return f"“{name}”的值应当是一格文字。"
        cells.append((name, value.text if value.value() is not None else ""))
    named = criterion.text if isinstance(criterion, Scalar) else owner
    suspected, why = item.get("suspected"), item.get("why")
    asked = suspected.text == "true" if isinstance(suspected, Scalar) else None
    return RuleTest(named, source.name, item.line, tuple(cells), verdict.text, asked, why.text if isinstance(why, Scalar) else "")


def run_tests(rules: Library | Iterable[Path | str] = (), sectors: Iterable[str] | None = None) -> list[TestOutcome]:
    """Run all tests beside the rules of a library (or of the shipped one with `rules` stacked on it), in the order of the files. The tests of a
    document that serves several sectors run in its own.

    Raises RuleFileError when the rules cannot be loaded."""
    library = rules if isinstance(rules, Library) else open_library([Path(path) for path in rules])
    pack, problems = library.load(sectors)
    wrong = [problem for problem in problems if problem.severity == "error"]
    if wrong:
        raise RuleFileError(wrong)
    tests, outcomes = read_tests(library, sectors)
    outcomes += [outcome for sector in pack.sectors.values() for outcome in _run_sector(sector, tests)]
    owners = {criterion.id for sector in pack.sectors.values() for criterion in sector.criteria}
    for test in tests:
        if test.criterion not in owners:
            hint = nearest(test.criterion, owners)
            outcomes.append(
                TestOutcome(test.criterion, test.file, test.line, test.verdict, "", False, f"{_place(test)}：没有条款“{test.criterion}”。{hint}")
            )
    return sorted(outcomes, key=lambda outcome: (outcome.file, outcome.line))


def _place(test: RuleTest) -> str:
    return f"{test.file} 第{test.line}行"


def _run_sector(sector: Sector, tests: Iterable[RuleTest]) -> list[TestOutcome]:
    by_id = {criterion.id: criterion for criterion in sector.criteria if criterion.document.sector == sector.id}
    mine = [test for test in tests if test.criterion in by_id]
    outcomes: list[TestOutcome] = []
    runnable: list[RuleTest] = []
    for test in mine:
        unknown = [name for name, _ in test.row if name not in sector.fields]
        if unknown:
            hint = nearest(unknown[0], sector.fields)
            outcomes.append(
                TestOutcome(test.criterion, test.file, test.line, test.verdict, "", False, f"{_place(test)}：没有“{unknown[0]}”这个字段。{hint}")
            )
        else:
            runnable.append(test)
    if not runnable:
        return outcomes
    return outcomes + _run_all(sector, by_id, runnable)


def _run_all(sector: Sector, by_id: Map[str, Criterion], tests: list[RuleTest]) -> list[TestOutcome]:
    """All tests of a sector as one table, each a row with every column; aggregates do not cross tests."""
    rows = [dict(test.row) for test in tests]
    columns: list[pl.Series] = []
    for name, field in sector.fields.items():
        cells = pl.Series([row.get(name) for row in rows], dtype=pl.String)
        columns.append(read_column(cells, field).values.rename(name))
    starts = pl.Series([by_id[test.criterion].start for test in tests], dtype=pl.Date)
    frame = pl.DataFrame(columns).with_columns(pl.int_range(len(tests)).alias(_TEST), pl.col(DATE_FIELD).fill_null(starts))
    numbers: dict[str, list[int]] = {}
    for number, test in enumerate(tests):
        numbers.setdefault(test.criterion, []).append(number)
    criteria = [by_id[criterion_id] for criterion_id in numbers]
    chained = chain(dated(frame, criteria[0].start), sector, criteria, within=(_TEST,))
    outcomes = []
    for criterion in criteria:
        mine = numbers[criterion.id]
        part = dataclasses.replace(chained, frame=chained.frame[mine])
        found = verdicts(part, criterion)
        outcomes += [_outcome(tests[number], *found.row(at)) for at, number in enumerate(mine)]
    return outcomes


def _outcome(test: RuleTest, got: str, suspected: bool) -> TestOutcome:
    ok = got == test.verdict and (test.suspected is None or test.suspected is suspected)
    message = ""
    if not ok:
        expected = test.verdict + ("" if test.suspected is None else "（疑似）" if test.suspected else "（不是疑似）")
        why = f"（{test.why}）" if test.why else ""
        message = f"{_place(test)}：{test.criterion} 应为 {expected}，判为 {got}{'（疑似）' if suspected else ''}{why}"
    return TestOutcome(test.criterion, test.file, test.line, test.verdict, got, ok, message)
