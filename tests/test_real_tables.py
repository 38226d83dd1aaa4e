"""The three public tables, judged with the packs of datasets/real: the counts that were worked out beforehand come out, exactly.

The tables are not part of the project (datasets/real/*/README.md tells where they are to be had); they are looked for in HAZARD_DATA, else
beside the checkout."""

from __future__ import annotations

import datetime as dt
import os
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from engine import Result, judge

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("HAZARD_DATA", ROOT.parent / "shared" / "data"))
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the public tables are not here")


@cache
def judged(table: str, pack: str, as_of: dt.date | None = None) -> Result:
    return judge(DATA / table, [ROOT / "datasets" / "real" / pack], as_of=as_of)


def nyc() -> Result:
    return judged("nyc_elevators_2015_sample.csv", "nyc-elevators", dt.date(2015, 10, 17))


def chicago() -> Result:
    return judged("chicago_food_inspections_wide_sample.csv", "chicago-inspections")


def toronto() -> Result:
    return judged("toronto_highrise_fire_sample.csv", "toronto-highrise")


def by_criterion(result: Result, table: str) -> Counter[str]:
    return Counter(name.rsplit("/", 1)[1] for name in getattr(result, table)["criterion"].to_pylist())


def test_the_sector_is_recognised_by_the_columns() -> None:
    assert [result.manifest["sector"] for result in (nyc(), chicago(), toronto())] == ["nyc-elevators", "chicago-inspections", "toronto-highrise"]


def test_elevators_overdue_by_a_year_and_by_two() -> None:
    assert by_criterion(nyc(), "findings") == {"365": 394, "730": 92}


def test_elevators_without_an_inspection_date_are_undetermined() -> None:
    assert by_criterion(nyc(), "undetermined") == {"365": 60, "730": 60}
    assert set(map(str, nyc().undetermined["missing"].to_pylist())) == {"[['末次定期检验日期']]"}


def test_the_five_bad_approval_dates_are_defects() -> None:
    defects = nyc().defects.to_pylist()
    assert sorted(one["value"] for one in defects) == ["21021", "50109", "60409", "80629", "9O0719"]
    assert {one["column"] for one in defects} == {"DV_APPROVAL_DATE"}


def test_the_citys_own_violation_counts_are_met() -> None:
    assert by_criterion(chicago(), "findings") == {"critical": 270, "serious": 506, "minor": _own_count("minorCount")}


def _own_count(column: str) -> int:
    import csv

    with open(DATA / "chicago_food_inspections_wide_sample.csv", encoding="utf-8") as file:
        return sum(int(row[column]) > 0 for row in csv.DictReader(file))


def test_each_chicago_row_has_the_classes_that_the_city_gave_it() -> None:
    import csv

    with open(DATA / "chicago_food_inspections_wide_sample.csv", encoding="utf-8") as file:
        records = list(csv.DictReader(file))
    expected = {
        (number, name)
        for number, row in enumerate(records, start=2)
        for name, column in (("critical", "criticalCount"), ("serious", "seriousCount"), ("minor", "minorCount"))
        if int(row[column]) > 0
    }
    found = {(one["row"], one["criterion"].rsplit("/", 1)[1]) for one in chicago().findings.to_pylist()}
    assert found == expected


def test_toronto_inspections_that_closed_late_or_had_many_violations() -> None:
    assert by_criterion(toronto(), "findings") == {"2-2-2-1": 83, "slow-closing": 98, "many-violations": 40}
