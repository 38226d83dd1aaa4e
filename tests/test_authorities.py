"""Who must act: places are recognised by name, short name, former name and code; sectors are led by whom the plan names; lists can be split by it."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pandas as pd
import pytest

from engine import Result, judge, load_pack
from engine.authorities import Authorities, read_responsibilities
from engine.pack import Pack, open_library
from engine.places import Places, read_places
from engine.problems import InputError
from engine.report import text, workbook
from engine.report.selection import Selection
from engine.rulefile import Source, parse_rule_text

ROOT = Path(__file__).resolve().parent.parent
TWELVE = {
    "361102": "信州区", "361103": "广丰区", "361104": "广信区", "361123": "玉山县", "361124": "铅山县", "361125": "横峰县", "361126": "弋阳县",
    "361127": "余干县", "361128": "鄱阳县", "361129": "万年县", "361130": "婺源县", "361181": "德兴市",
}  # fmt: skip
ZONES = ["上饶经济技术开发区", "三清山风景名胜区", "上饶高铁经济试验区"]


@cache
def shipped() -> Pack:
    return load_pack(sector="gas")


def test_the_shipped_places_are_the_twelve_counties_and_the_three_zones() -> None:
    places = shipped().authorities.places.places
    assert {place.code: place.name for place in places if place.code} == TWELVE
    assert [place.name for place in places if not place.code] == ZONES
    for zone in places[12:]:
        assert (zone.kind, zone.government) == ("zone", zone.name + "管委会")
        assert not re.fullmatch(r"\d+", zone.local_code)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("信州区", "信州区"), ("信州", "信州区"), ("361102", "信州区"), ("361102000000", "信州区"), ("361102003", "信州区"), ("361102.0", "信州区"),
        (" 信州 区 ", "信州区"), ("３６１１０２", "信州区"), ("上饶市信州区", "信州区"), ("江西省上饶市德兴市", "德兴市"), ("信州区沙溪镇", "信州区"),
        ("上饶县", "广信区"), ("361121", "广信区"), ("江西省上饶市广丰县", "广丰区"), ("经开区", "上饶经济技术开发区"), ("上饶市上饶经开区", "上饶经济技术开发区"),
        ("361100-jkq", "上饶经济技术开发区"), ("三清山风景名胜区", "三清山风景名胜区"), ("高铁试验区", "上饶高铁经济试验区"), ("婺源县婺源大道", "婺源县"),
        ("信州区、广丰区", None), ("信州大道", None), ("上饶市", None), ("361199", None), ("36110", None), ("贵溪市", None), ("", None), (None, None),
        ("玉山县三清山", None),
    ],
)  # fmt: skip
def test_a_cell_names_a_place(written: str | None, name: str | None) -> None:
    found = shipped().authorities.places.find(written)
    assert (found.name if found else None) == name


def test_every_sector_says_who_leads_as_in_the_plan() -> None:
    """饶安发〔2023〕3号: items 12 to 21; what the plan does not name is marked as inferred."""
    led = shipped().authorities.by_sector
    assert set(led) == {path.parent.name for path in (ROOT / "rules").glob("*/fields.yaml")} - {"shared"}
    assert led["special-equipment"].committee == "市安委会特种设备安全专业委员会"
    assert led["hazardous-chemicals"].committee == led["fireworks"].committee == "市安委会危险物品安全专业委员会"
    assert led["gas"].departments[0] == "市城市管理局" and led["gas"].committee == ""
    assert led["transport"].departments == ("市公安局", "市交通运输局", "市公路事业发展中心", "上饶车务段")
    inferred = {sector for sector, one in led.items() if one.basis == "inferred"}
    assert inferred == {"education", "public-events", "culture-tourism", "commerce", "agriculture-fishing", "general"}


ROWS = [
    {"单位名称": "甲", "行业": "特种设备", "区县": "信州", "检查日期": "2024-05-01", "设备类别": "锅炉", "仍在使用": "是", "下次检验日期": "2023-01-01"},
    {"单位名称": "甲", "行业": "城镇燃气", "区县": "361102", "检查日期": "2024-05-01", "从事燃气经营": "是", "有燃气储罐": "是", "储罐监测装置已设置": "否"},
    {"单位名称": "乙", "行业": "城镇燃气", "区县": "361100-GTQ", "检查日期": "2024-05-01", "从事燃气经营": "是", "有燃气储罐": "是", "储罐监测装置已设置": "否"},
    {"单位名称": "丙", "行业": "大型活动", "区县": "不详", "检查日期": "2024-05-01", "活动名称": "灯会"},
]  # fmt: skip


@cache
def result() -> Result:
    return judge(pd.DataFrame(ROWS))


def test_a_finding_carries_its_place_and_who_leads_in_its_sector() -> None:
    found = {(one["enterprise"], one["sector"]): one for one in result().findings.to_pylist()}
    device, gas = found["甲", "special-equipment"], found["乙", "gas"]
    assert (device["region"], device["place"], device["government"]) == ("信州", "信州区", "信州区人民政府")
    assert (device["committees"], device["departments"], device["assignment"]) == (["市安委会特种设备安全专业委员会"], [], "plan")
    assert (gas["region"], gas["place"], gas["government"]) == ("361100-GTQ", "上饶高铁经济试验区", "上饶高铁经济试验区管委会")
    assert (gas["committees"], gas["departments"][0], len(gas["departments"])) == ([], "市城市管理局", 8)


def test_an_enterprise_of_several_sectors_carries_all_who_lead() -> None:
    made = {one["enterprise"]: one for one in result().enterprises.to_pylist()}
    assert made["甲"]["place"] == "信州区"
    assert made["甲"]["committees"] == ["市安委会特种设备安全专业委员会"] and "市城市管理局" in made["甲"]["departments"]
    assert (made["丙"]["place"], made["丙"]["government"], made["丙"]["departments"], made["丙"]["assignment"]) == (
        None,
        None,
        ["市公安局"],
        "inferred",
    )


@pytest.mark.parametrize(("asked", "names"), [("信州区", ["甲"]), ("信州", ["甲"]), ("361102", ["甲"]), ("高铁试验区", ["乙"]), ("不详", ["丙"])])
def test_a_list_is_restricted_to_a_place_however_it_is_named(asked: str, names: list[str]) -> None:
    assert Selection(region=asked).apply(result())["enterprises"]["enterprise"].to_pylist() == names


def test_a_list_is_restricted_to_who_must_act() -> None:
    """市公安局 is named for gas (item 17) and stands for mass events; the committee for devices only."""
    tables = Selection(department="特种设备").apply(result())
    assert tables["enterprises"]["enterprise"].to_pylist() == ["甲"]
    assert {one["sector"] for one in tables["findings"].to_pylist()} == {"special-equipment"}
    assert set(Selection(department="市公安局").apply(result())["enterprises"]["enterprise"].to_pylist()) == {"甲", "乙", "丙"}
    assert Selection(department="市教育局").apply(result())["enterprises"].num_rows == 0


@pytest.mark.parametrize(("asked", "said"), [("专业委员会", "可以指 6 个"), ("市渔业局", "可用的：市安委会特种设备安全专业委员会、")])
def test_a_department_that_nobody_bears_or_several_bear_is_refused(asked: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Selection(department=asked).apply(result())


def test_an_explanation_names_who_must_act() -> None:
    made = {one["enterprise"]: one for one in result().enterprises.to_pylist()}
    found = result().explain("甲")
    said = text.render_explanations(found, 0, [made["甲"]])
    assert "谁办：牵头 市安委会特种设备安全专业委员会；负责 市城市管理局、" in said and "；属地 信州区人民政府\n" in said
    assert "谁办：负责 市公安局（推断，用前须确认）\n" in text.render_explanations(found, 0, [made["丙"]])


def test_a_workbook_says_in_chinese_how_sure_an_assignment_is() -> None:
    assert [workbook.value_of("assignment", value) for value in ("plan", "inferred", None)] == ["文件写明", "推断，用前须确认", ""]


# Files of a pack


def _source(content: str, name: str = "p.yaml") -> tuple[object, Source]:
    source = Source(name, content)
    return parse_rule_text(source), source


def _places(*contents: str) -> tuple[Places, list[str]]:
    made, sources = read_places([_source(content) for content in contents])  # type: ignore[misc]
    return made, [f"{p.line}:{p.column} {p.message}" for source in sources for p in source.problems]


EAST = 'places:\n  - {code: "360001", name: 东县, aliases: [东], kind: county, government: 东县人民政府}\n'


def test_a_later_pack_adds_and_replaces_places() -> None:
    made, problems = _places(
        EAST,
        'places:\n  - {code: "360001", name: 东区, kind: district, government: 东区政府}\n  - {local_code: X-1, name: 新城, kind: zone, government: 新城管委会}\n',
    )
    assert problems == []
    assert [place.name for place in made.places] == ["东区", "新城"]
    assert made.find("东县") is None and made.find("东") is None


def _where(content: str, at: str) -> str:
    """Line and column of the last place where `at` stands."""
    before = content[: content.rindex(at)]
    return f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"


@pytest.mark.parametrize(
    ("content", "at", "said"),
    [
        ("places:\n  - {name: 东县, kind: county, government: 东县政府}\n", "{name", "“东县”没有代码。"),
        ('places:\n  - {code: "3600", name: 东县, kind: county, government: 政府}\n', '"3600"', "“code”的值“3600”不是六位数字的区划代码。"),
        ('places:\n  - {code: "360001", name: 东县, kind: town, government: 政府}\n', "town", "“kind”的值“town”不认识。"),
        (
            'places:\n  - {local_code: "360001", name: 新城, kind: zone, government: 政府}\n', '"360001"',
            "自编的代码“360001”与国家代码一样是六位数字，会被当作国家代码。",
        ),
        (EAST + '  - {code: "360002", name: 西县, aliases: [东], kind: county, government: 西县政府}\n', "西县, aliases", "“东”既指“东县”又指“西县”。"),
        (EAST + 'neighbours:\n  - {between: ["360001", "360009"], status: verified}\n', '["360001"', "between 里的“360009”不是任何一个地方的代码。"),
        (EAST + 'neighbours:\n  - {between: ["360001"], status: verified}\n', '["360001"', "between 应当是两个不同的地方的代码。"),
        (EAST + 'history:\n  - {code: "360003", name: 老县, successor: "360008"}\n', '"360008"', "successor 里的“360008”不是任何一个地方的代码。"),
        (EAST + 'history:\n  - {code: "360003", name: 老县, successor: "360001", changed: 去年}\n', "去年", "“changed”的值“去年”不是日期。"),
        (EAST + "mayor: 某人\n", "mayor", "地方文件里没有“mayor”这个键。"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_place_file_is_named_with_its_place(content: str, at: str, said: str) -> None:
    assert f"{_where(content, at)} {said}" in _places(content)[1]


@pytest.mark.parametrize(
    ("entry", "at", "said"),
    [
        ("{sector: gass, basis: plan, source: 文件}", "gass", "没有“gass”这个行业。"),
        ("{sector: gas, basis: sure, source: 文件}", "sure", "“basis”的值“sure”不认识。"),
        ("{sector: gas, basis: plan}", "{sector", "sectors 的一项缺少“source”。"),
        ("{sector: gas, basis: plan, source: 文件, item: 第三项}", "第三项", "“item”的值“第三项”应当是正整数，即第几项。"),
        ("{sector: gas, basis: plan, source: 文件, lead: 某局}", "lead", "sectors 的一项里没有“lead”这个键。"),
        ("{sector: gas, basis: plan, source: 一}\n  - {sector: gas, basis: plan, source: 二}", "gas", "行业“gas”写了两次。"),
    ],
)
def test_a_mistake_in_a_responsibilities_file_is_named_with_its_place(entry: str, at: str, said: str) -> None:
    content = f"sectors:\n  - {entry}\n"
    _, (source,) = read_responsibilities([_source(content)], ["gas", "fire"])  # type: ignore[list-item]
    assert f"{_where(content, at)} {said}" in [f"{p.line}:{p.column} {p.message}" for p in source.problems]


def test_a_regulators_pack_names_its_own_places_and_who_answers(tmp_path: Path) -> None:
    """As docs/rules.md describes it: the gas of another city is led by others, the other sectors stay as they are."""
    (tmp_path / "places").mkdir()
    (tmp_path / "places" / "p.yaml").write_text(EAST, "utf-8")
    answer = "sectors:\n  - {sector: gas, lead_committee: 某委员会, lead_departments: [某局], basis: inferred, source: 某号}\n"
    (tmp_path / "responsibilities.yaml").write_text(answer, "utf-8")
    made = judge(pd.DataFrame([ROWS[1] | {"区县": "东"}]), tmp_path, sector="gas").enterprises.to_pylist()[0]
    assert [made[name] for name in ("place", "committees", "departments", "assignment")] == ["东县", ["某委员会"], ["某局"], "inferred"]
    library = open_library([tmp_path])
    library.load(["gas"])
    assert library.authorities.by_sector["fire"].committee == "市安委会消防安全专业委员会"


def test_a_wrong_file_of_a_pack_is_refused_and_named(tmp_path: Path) -> None:
    (tmp_path / "responsibilities.yaml").write_text("sectors:\n  - {sector: gass, basis: plan, source: 某号}\n", "utf-8")
    problems = open_library([tmp_path]).load(["gas"])[1]
    assert [(p.file, p.line, p.column) for p in problems] == [(f"{tmp_path.name}/responsibilities.yaml", 2, 14)]


def test_a_pack_without_places_says_nothing() -> None:
    assert (Authorities().names(), Places().find("信州区")) == ((), None)


def test_rules_md_lists_the_shipped_places() -> None:
    page = (ROOT / "docs" / "rules.md").read_text("utf-8")
    for place in shipped().authorities.places.places:
        assert f"| {place.code or place.local_code + '（自编）'} | {place.name} | {place.government} |\n" in page
