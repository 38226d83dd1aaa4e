"""The sample tables, judged: exactly what was written down by hand from the clauses, no more and no less."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

import pytest

from engine import Result, judge, load_pack

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = {path.parent.name: path.parent for path in sorted((ROOT / "datasets").glob("*/expected.csv"))}
PARTS = {"mines-coal": "mines", "construction-infrastructure": "construction"}
"""The samples that show a part of a sector; any other is named like its sector."""
MIXED = "mixed"
"""The sample of all sectors, told apart by its column 行业."""


def sectors_of(sample: str) -> list[str]:
    if sample != MIXED:
        return [PARTS.get(sample, sample)]
    return sorted({path.parent.name for path in (ROOT / "rules").glob("*/fields.yaml")} - {"shared"})


def table(sample: str) -> Path:
    (found,) = [path for path in SAMPLES[sample].iterdir() if path.suffix == ".csv" and path.name != "expected.csv"]
    return found


@cache
def judged(sample: str) -> Result:
    return judge(table(sample))


@cache
def expected(sample: str) -> frozenset[tuple[int, str, str]]:
    with open(SAMPLES[sample] / "expected.csv", encoding="utf-8", newline="") as file:
        return frozenset((int(one["row"]), one["criterion"], one["verdict"]) for one in csv.DictReader(file))


def test_every_sector_of_the_library_has_a_sample() -> None:
    assert {PARTS.get(sample, sample) for sample in SAMPLES if sample != MIXED} == set(sectors_of(MIXED))


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_sample_says_where_it_comes_from_and_covers_all_kinds_of_verdict(sample: str) -> None:
    assert table(sample).name in (SAMPLES[sample] / "README.md").read_text("utf-8")
    verdicts = {verdict for _, _, verdict in expected(sample)}
    assert {"met", "not_met"} <= verdicts <= {"met", "not_met", "undetermined", "suspected", "not_applicable", "not_in_force"}


@pytest.mark.parametrize("sample", SAMPLES)
def test_what_a_sample_expects_is_of_criteria_that_judge_its_sector(sample: str) -> None:
    known = {criterion.id for sector in sectors_of(sample) for criterion in load_pack(sector=sector).sectors[sector].criteria}
    assert {criterion for _, criterion, _ in expected(sample)} - known == set()


@pytest.mark.parametrize("sample", SAMPLES)
def test_the_sector_of_a_sample_is_recognised_and_no_column_is_guessed(sample: str) -> None:
    assert str(judged(sample).manifest["sector"]).split("、") == sectors_of(sample)
    assert {column.header for column in judged(sample).columns if column.how in ("unused", "guess")} <= {"序号", "备注", "检查人员"}


@pytest.mark.parametrize("sample", SAMPLES)
def test_all_that_is_met_in_a_sample_and_nothing_else(sample: str) -> None:
    found = {(one["row"], one["criterion"]) for one in judged(sample).findings.to_pylist()}
    assert found == {(row, criterion) for row, criterion, verdict in expected(sample) if verdict == "met"}


@pytest.mark.parametrize("sample", SAMPLES)
def test_what_is_open_in_a_sample_is_open_and_suspected_as_written(sample: str) -> None:
    found = {(one["row"], one["criterion"], "suspected" if one["suspected"] else "undetermined") for one in judged(sample).undetermined.to_pylist()}
    listed = {(row, criterion) for row, criterion, _ in found} | {(one["row"], one["criterion"]) for one in judged(sample).findings.to_pylist()}
    open_ones = {one for one in expected(sample) if one[2] in ("undetermined", "suspected")}
    assert len(open_ones) >= 5
    assert open_ones - found == set()
    assert {
        (row, criterion) for row, criterion, verdict in expected(sample) if verdict in ("not_met", "not_applicable", "not_in_force")
    } & listed == set()


def test_a_shop_below_a_home_is_to_be_closed() -> None:
    """Plan item 19 (饶安发〔2023〕3号): 坚决关闭存在“下店上宅”的店（点）."""
    levels = {one["enterprise"]: one["level"] for one in judged("fireworks").enterprises.to_pylist()}
    homes = {one["enterprise"] for one in judged("fireworks").findings.to_pylist() if one["duty"] == "下店上宅"}
    assert len(homes) == 5
    assert {levels[name] for name in homes} == {"关闭"}
    assert levels["洋口镇金穗烟花零售店"] == "限期整改"


def test_the_same_duty_in_four_documents_counts_once_at_the_highest_grade() -> None:
    name = "沙溪镇福满堂烟花爆竹零售店"
    stated = {one["document"] for one in judged("fireworks").findings.to_pylist() if one["enterprise"] == name and one["duty"] == "下店上宅"}
    (shop,) = [one for one in judged("fireworks").enterprises.to_pylist() if one["enterprise"] == name]
    assert len(stated) == 4
    assert shop["major"] == 1
    assert shop["leading"] == "fireworks/saws-121-2017-fw/20-a"


def test_the_mixed_sample_shows_every_place_and_at_least_two_rows_a_sector() -> None:
    """The twelve counties and three zones of 饶安发〔2023〕3号, however a row writes them."""
    places = {place.name for place in judged(MIXED).authorities.places.places}
    assert len(places) == 15
    assert {one["place"] for one in judged(MIXED).enterprises.to_pylist()} == places
    assert all(one["rows"] >= 2 for one in judged(MIXED).manifest["sectors"])  # type: ignore[attr-defined]


def test_a_row_of_an_unknown_sector_is_named_in_the_mixed_sample() -> None:
    assert judged(MIXED).manifest["rows_left_out"] == 1
    assert [(one["row"], one["value"]) for one in judged(MIXED).defects.to_pylist() if one["problem"] == "sector"] == [(33, "殡葬")]


def test_an_enterprise_in_two_sectors_of_the_mixed_sample_is_one_and_both_lead() -> None:
    """饶安发〔2023〕3号第20项 names a committee for devices; that 市文广新旅局 answers for sights is inferred from item 21."""
    (one,) = [one for one in judged(MIXED).enterprises.to_pylist() if one["enterprise"] == "龟峰湖文旅索道有限公司"]
    assert (one["rows"], one["committees"], one["departments"], one["assignment"]) == (
        2, ["市安委会特种设备安全专业委员会"], ["市文广新旅局"], "inferred",
    )  # fmt: skip
