"""One table with rows of several sectors: each row is judged in its own, an enterprise in two sectors is one, and no row vanishes in silence."""

from pathlib import Path

import pandas as pd
import pytest

import engine
from engine.pack import open_library
from engine.problems import InputError
from engine.tables import Naming

SHARED = """
sector: shared
title: 共有
fields:
  单位名称: {type: text, role: enterprise, meaning: 单位}
  检查日期: {type: date, role: date, meaning: 日期}
  行业: {type: text, role: sector, meaning: 行业, aliases: [所属行业]}
"""
SECTOR = """
sector: {id}
title: {title}
aliases: [{alias}]
fields:
  有出口: {{type: bool, meaning: 有出口, aliases: [{own}]}}
"""
RULES = """
document: {{id: d, title: 某标准, number: 某号, issuer: 某机关, in_force: {{from: 2020-01-01}}}}
criteria:
  - {{id: {id}/d/1, clause: 第一条, name: 没有出口, when: NOT 有出口, grade: {grade}, status: verified}}
"""


@pytest.fixture
def pack(tmp_path: Path) -> engine.Pack:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared/fields.yaml").write_text(SHARED, encoding="utf-8")
    for name, title, alias, own, grade in (("shop", "商店", "小商店", "店门畅通", "major"), ("mine", "矿山", "非煤矿山", "井口畅通", "general")):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "fields.yaml").write_text(SECTOR.format(id=name, title=title, alias=alias, own=own), encoding="utf-8")
        (folder / "d.yaml").write_text(RULES.format(id=name, grade=grade), encoding="utf-8")
    return engine.load_pack([tmp_path], shipped=False)


def _table(*rows: tuple[str, str | None, str]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["单位名称", "所属行业", "有出口"])
    return frame.assign(检查日期="2024-05-01")


def _found(result: engine.Result) -> list[tuple[str, str, int]]:
    return [(f["enterprise"], f["criterion"], f["row"]) for f in result.findings.to_pylist()]


def test_each_row_is_judged_in_its_own_sector_in_the_order_of_the_table(pack: engine.Pack) -> None:
    table = _table(("甲", "矿山", "否"), ("乙", "商店", "否"), ("甲", "小商店", "否"), ("丙", "非煤矿山领域", "是"))
    result = engine.judge(table, pack)
    assert _found(result) == [("甲", "mine/d/1", 1), ("乙", "shop/d/1", 2), ("甲", "shop/d/1", 3)]
    assert {s["id"]: s["rows"] for s in result.manifest["sectors"]} == {"shop": 2, "mine": 2}  # type: ignore[union-attr,index]
    grades = {e["enterprise"]: (e["major"], e["general"], e["rows"]) for e in result.enterprises.to_pylist()}
    assert grades == {"甲": (1, 1, 2), "乙": (1, 0, 1), "丙": (0, 0, 1)}


def test_a_row_that_names_two_sectors_is_judged_in_both(pack: engine.Pack) -> None:
    assert _found(engine.judge(_table(("甲", "商店、矿山", "否")), pack)) == [("甲", "mine/d/1", 1), ("甲", "shop/d/1", 1)]


def test_a_header_that_only_one_sector_knows_counts_on_its_rows_alone(pack: engine.Pack) -> None:
    table = pd.DataFrame({"单位名称": ["甲", "乙"], "行业": ["商店", "矿山"], "店门畅通": ["否", "否"]})
    result = engine.judge(table, pack, as_of="2024-05-01")
    assert _found(result) == [("甲", "shop/d/1", 1)]
    assert [(c.header, c.field) for c in result.columns] == [("单位名称", "单位名称"), ("行业", "行业"), ("店门畅通", "有出口")]


def test_a_row_whose_sector_is_unknown_is_named_and_not_judged(pack: engine.Pack) -> None:
    result = engine.judge(_table(("甲", "商店", "否"), ("乙", "渔业", "否"), ("丙", None, "否")), pack)
    assert _found(result) == [("甲", "shop/d/1", 1)]
    assert [(d["row"], d["column"], d["value"], d["problem"]) for d in result.defects.to_pylist()] == [
        (2, "所属行业", "渔业", "sector"), (3, "所属行业", None, "sector"),
    ]  # fmt: skip
    assert result.manifest["rows_left_out"] == 2


def test_a_sector_that_is_named_takes_its_rows_and_those_without_one(pack: engine.Pack) -> None:
    table = _table(("甲", "商店", "否"), ("乙", "渔业", "否"), ("丙", "矿山", "否"))
    result = engine.judge(table, pack, sector="商店")
    assert _found(result) == [("甲", "shop/d/1", 1), ("乙", "shop/d/1", 2)]
    assert result.manifest["rows_left_out"] == 1
    with pytest.raises(InputError, match="没有一行是商店的"):
        engine.judge(_table(("丙", "矿山", "否")), pack, sector="shop")


def test_several_sectors_can_be_named_for_a_table_that_tells_none(pack: engine.Pack) -> None:
    table = pd.DataFrame({"单位名称": ["甲"], "有出口": ["否"]})
    result = engine.judge(table, pack, sector=["shop", "矿山"], as_of="2024-05-01")
    assert sorted(_found(result)) == [("甲", "mine/d/1", 1), ("甲", "shop/d/1", 1)]


def test_an_explanation_runs_over_all_sectors(pack: engine.Pack) -> None:
    table = _table(("甲", "矿山", "否"), ("甲", "商店", "是"))
    made = engine.judge(table, pack).explain("甲")
    assert [(one.criterion.id, one.verdict, one.row) for one in made] == [("mine/d/1", "met", 1), ("shop/d/1", "not_met", 2)]
    assert [one.verdict for one in engine.judge(table, pack).explain("甲", "shop/d/1")] == ["not_met"]


def test_a_column_of_another_sector_is_no_rival_to_one_that_has_values(pack: engine.Pack) -> None:
    """店门畅通 and 有出口 are one field to a shop, but on a shop's rows only the first says anything."""
    table = pd.DataFrame({"单位名称": ["甲", "乙"], "行业": ["商店", "矿山"], "店门畅通": ["否", None], "有出口": [None, "否"]})
    assert _found(engine.judge(table, pack, as_of="2024-05-01")) == [("甲", "shop/d/1", 1), ("乙", "mine/d/1", 2)]


def test_two_columns_with_values_for_one_field_are_still_asked_about(pack: engine.Pack) -> None:
    table = pd.DataFrame({"单位名称": ["甲", "乙"], "行业": ["商店", "矿山"], "店门畅通": ["否", None], "有出口": ["是", "否"]})
    with pytest.raises(InputError, match="有 2 列都是字段“有出口”"):
        engine.judge(table, pack, as_of="2024-05-01")


def test_no_name_means_two_sectors_of_the_library() -> None:
    library = open_library()
    named: dict[str, set[str]] = {}
    for sector, title in library.titles_by_sector().items():
        for name in (sector, title, *library.aliases_by_sector()[sector]):
            named.setdefault(name, set()).add(sector)
    assert {name: sectors for name, sectors in named.items() if len(sectors) > 1} == {}


@pytest.mark.parametrize(
    ("written", "sector"),
    [
        ("危化品", "hazardous-chemicals"), ("非煤矿山", "mines"), ("煤矿", "mines"), ("道路运输", "transport"), ("校车", "education"), ("自建房", "construction"),
        ("网吧", "culture-tourism"), ("民爆", "civil-explosives"), ("花炮", "fireworks"), ("燃气", "gas"), ("电梯", "special-equipment"), ("冶金", "industry-trade"),
        ("人员密集场所", "fire"), ("餐饮", "commerce"), ("储能电站", "new-risks"), ("农机", "agriculture-fishing"), ("灯会", "public-events"), ("综合", "general"),
    ],
)  # fmt: skip
def test_a_sector_goes_by_the_names_that_lists_use(written: str, sector: str) -> None:
    library = open_library()
    assert Naming(library.titles_by_sector(), library.aliases_by_sector(), {}).find(written) == sector
