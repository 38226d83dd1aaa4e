"""The sample tables, judged: exactly what was written down by hand from the clauses, no more and no less."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

import pytest

from engine import Result, judge

DATASETS = Path(__file__).resolve().parent.parent / "datasets"
SAMPLES = {"special-equipment": "特种设备检查表.csv", "gas": "城镇燃气检查表.csv", "fireworks": "烟花爆竹检查表.csv"}


@cache
def judged(sector: str) -> Result:
    return judge(DATASETS / sector / SAMPLES[sector])


@cache
def expected(sector: str) -> frozenset[tuple[int, str, str]]:
    with open(DATASETS / sector / "expected.csv", encoding="utf-8", newline="") as file:
        return frozenset((int(one["row"]), one["criterion"], one["verdict"]) for one in csv.DictReader(file))


@pytest.mark.parametrize("sector", SAMPLES)
def test_the_sector_of_a_sample_is_recognised_and_no_column_is_guessed(sector: str) -> None:
    assert judged(sector).manifest["sector"] == sector
    assert {column.header for column in judged(sector).columns if column.how in ("unused", "guess")} <= {"序号", "备注", "检查人员"}


@pytest.mark.parametrize("sector", SAMPLES)
def test_all_that_is_met_in_a_sample_and_nothing_else(sector: str) -> None:
    found = {(one["row"], one["criterion"]) for one in judged(sector).findings.to_pylist()}
    assert found == {(row, criterion) for row, criterion, verdict in expected(sector) if verdict == "met"}


@pytest.mark.parametrize("sector", SAMPLES)
def test_what_is_open_in_a_sample_is_open_and_suspected_as_written(sector: str) -> None:
    found = {(one["row"], one["criterion"], "suspected" if one["suspected"] else "undetermined") for one in judged(sector).undetermined.to_pylist()}
    listed = {(row, criterion) for row, criterion, _ in found} | {(one["row"], one["criterion"]) for one in judged(sector).findings.to_pylist()}
    open_ones = {one for one in expected(sector) if one[2] in ("undetermined", "suspected")}
    assert len(open_ones) >= 5
    assert open_ones - found == set()
    assert {
        (row, criterion) for row, criterion, verdict in expected(sector) if verdict in ("not_met", "not_applicable", "not_in_force")
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
