"""Published enforcement cases, entered as rows with no more than their notice tells, judged as the authority judged them.

The expectation of each case is what its notice cites: the clause, or that it was treated as ordinary. It never comes from our own output.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TypedDict

import polars as pl
import pytest
import yaml

from engine import judge, load_pack
from engine.pack import Sector

FOLDER = Path(__file__).resolve().parent / "cases"
SECTORS = sorted(path.stem for path in FOLDER.glob("*.yaml"))
VERDICTS = ("met", "suspected", "not_met")


class Case(TypedDict, total=False):
    """One case. `told`: the facts in our words; `source`: publisher, date, title; `expect`: what the notice makes of each clause;
    `not_major`: the authority treated it as ordinary, so nothing about it is a major hazard."""

    told: str
    source: str
    row: dict[str, object]
    expect: dict[str, str]
    not_major: bool


@cache
def cases(sector: str) -> tuple[Case, ...]:
    found: list[Case] = yaml.safe_load((FOLDER / f"{sector}.yaml").read_text("utf-8"))["cases"]
    return tuple(found)


@cache
def shipped(sector: str) -> Sector:
    return load_pack(sector=sector).sectors[sector]


@cache
def verdicts(sector: str) -> tuple[dict[str, tuple[str, str]], ...]:
    """What the engine finds in each case, the cases of a sector being the rows of one table: criterion to (verdict, grade)."""
    rows = [{"单位名称": f"单位{number}", **case["row"]} for number, case in enumerate(cases(sector), 1)]
    columns = dict.fromkeys(name for row in rows for name in row)
    table = pl.DataFrame(
        {name: [None if row.get(name) is None else str(row[name]) for row in rows] for name in columns},
        schema_overrides=dict.fromkeys(columns, pl.String),
    )
    result = judge(table, sector=sector, as_of="2026-06-01")
    found: list[dict[str, tuple[str, str]]] = [{} for _ in rows]
    numbers = {f"单位{number}": number - 1 for number in range(1, len(rows) + 1)}
    for one in result.undetermined.to_pylist():
        found[numbers[one["enterprise"]]][one["criterion"]] = ("suspected" if one["suspected"] else "undetermined", one["grade"])
    for one in result.findings.to_pylist():
        found[numbers[one["enterprise"]]][one["criterion"]] = ("met", one["grade"])
    return tuple(found)


NUMBERED = [pytest.param(sector, number, id=f"{sector}-{number + 1}") for sector in SECTORS for number in range(len(cases(sector)))]


def test_every_sector_of_the_library_has_cases() -> None:
    assert set(SECTORS) == {path.parent.name for path in (FOLDER.parents[1] / "rules").glob("*/fields.yaml")} - {"shared"}


@pytest.mark.parametrize(("sector", "number"), NUMBERED)
def test_a_case_says_where_it_comes_from_and_uses_the_words_of_the_dictionary(sector: str, number: int) -> None:
    case = cases(sector)[number]
    assert case["source"]
    assert case["told"]
    assert case.get("expect") or case.get("not_major")
    assert set(case["row"]) - set(shipped(sector).fields) == set()
    assert set(case.get("expect", {})) - {criterion.id for criterion in shipped(sector).criteria} == set()
    assert set(case.get("expect", {}).values()) <= set(VERDICTS)


@pytest.mark.parametrize(("sector", "number"), NUMBERED)
def test_a_case_is_judged_as_its_authority_judged_it(sector: str, number: int) -> None:
    case = cases(sector)[number]
    found = verdicts(sector)[number]
    for criterion, expected in case.get("expect", {}).items():
        got = found.get(criterion, ("not_met", ""))[0]
        assert got == expected, f"{criterion}: {case['told']}"


@pytest.mark.parametrize(("sector", "number"), NUMBERED)
def test_what_an_authority_treated_as_ordinary_does_not_come_out_major(sector: str, number: int) -> None:
    if not cases(sector)[number].get("not_major"):
        cited = {criterion for criterion, expected in cases(sector)[number]["expect"].items() if expected != "not_met"}
        assert cited, "a case that was not ordinary cites a clause"
        return
    majors = {criterion for criterion, (verdict, grade) in verdicts(sector)[number].items() if verdict == "met" and grade == "major"}
    assert majors == set()
