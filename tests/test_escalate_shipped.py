"""The shipped ladders: where the law puts an enterprise, derived by hand from the measures."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from functools import cache
from typing import Any

import polars as pl
import pytest

from engine import judge
from engine.pack import Pack, load_pack

from .test_escalate import DAY, frame, hits, put


@cache
def shipped(sector: str) -> Pack:
    return load_pack(sector=sector)


def shipped_run(sector: str, met: Sequence[str], day: dt.date, undetermined: Sequence[str] = (), **facts: bool | int | str) -> dict[str, Any]:
    pack = shipped(sector)
    numbers = {c.id: n for n, c in enumerate(pack.sectors[sector].criteria)}
    rows = frame({"__date": day}).with_columns(pl.lit(value).alias(name) for name, value in facts.items())
    found = hits(*((0, numbers[f"{sector}/{c}"], True) for c in met), *((0, numbers[f"{sector}/{c}"], False) for c in undetermined))
    (one,) = put(rows, found, pack.ladders, pack.sectors[sector])
    return one


PLAN_19 = "《上饶市2023年安全生产工作要点》（饶安发〔2023〕3号）第19项"
LAW_63 = "《中华人民共和国安全生产法（2021修正）》（主席令第88号）第六十三条"
LAW_60 = "《中华人民共和国安全生产法（2014修正）》（主席令第13号（2014））第六十条"


@pytest.mark.parametrize(
    ("day", "basis"),
    [
        (dt.date(2020, 6, 1), [LAW_60]),
        (dt.date(2022, 12, 31), [LAW_63]),
        (dt.date(2023, 1, 1), [PLAN_19, LAW_63]),
        (dt.date(2023, 12, 31), [PLAN_19, LAW_63]),
        (dt.date(2024, 1, 1), [LAW_63]),
    ],
)
@pytest.mark.parametrize("clause", ["saws-121-2017-fw/20-a", "aq-4128-2019/4.1-1", "saws-65-2013/3", "rao-af-3-2023-fw/19-0-3"])
def test_a_shop_under_a_dwelling_is_closed(clause: str, day: dt.date, basis: list[str]) -> None:
    one = shipped_run("fireworks", [clause], day)
    assert (one["level"], one["level_possible"]) == ("关闭", "关闭")
    first = one["measures"][0]
    assert (first["id"], first["certain"], first["basis"], first["ladder"], first["step"]) == ("P19", True, basis, "烟花爆竹阶梯", 3)
    assert one["reasons"][-1].startswith("达到“烟花爆竹阶梯”第3步“关闭”：下店上宅数 ")


def test_a_shop_under_a_dwelling_from_a_table() -> None:
    rows = [
        {"单位名称": name, "检查日期": "2023-11-20", "单位类型_烟花": "零售店", "与居住场所同一建筑": cell}
        for name, cell in (("下店上宅店", "是"), ("独栋店", "否"), ("没填的店", None))
    ]
    made = {one["enterprise"]: one for one in judge(pl.DataFrame(rows), sector="fireworks").enterprises.to_pylist()}
    assert (made["下店上宅店"]["level"], made["下店上宅店"]["major"]) == ("关闭", 1)
    assert (made["没填的店"]["level"], made["没填的店"]["level_possible"]) == (None, "关闭")
    assert made["独栋店"]["level_possible"] is None


def test_facts_of_the_ladders_are_read_from_the_table() -> None:
    base = {"检查日期": "2023-06-01", "单位类型_烟花": "零售店", "位于地下或半地下": "是", "整改期限": "2023-05-20"}
    rows = [
        base | {"单位名称": "改了的店", "销号情况": "已整改", "拒不整改": "否"},
        base | {"单位名称": "没改的店", "销号情况": "未整改", "拒不整改": "否"},
        base | {"单位名称": "拒改的店", "销号情况": "未整改", "拒不整改": "是"},
    ]
    made = {one["enterprise"]: one for one in judge(pl.DataFrame(rows), sector="fireworks").enterprises.to_pylist()}
    assert {name: one["level"] for name, one in made.items()} == {"改了的店": None, "没改的店": "警示约谈", "拒改的店": "强制措施"}
    assert made["没改的店"]["reasons"][-1] == "达到“企业隐患处置阶梯”第2步“警示约谈”：当前隐患数 1 项、逾期未整改天数 12 日。"
    assert [m["id"] for m in made["拒改的店"]["measures"]] == ["E54", "E53", "E01"]


def test_unlicensed_fireworks_are_closed() -> None:
    assert shipped_run("fireworks", ["sc-455-2006/3-36"], DAY)["level"] == "关闭"


def test_a_major_hazard_is_listed_for_supervision() -> None:
    one = shipped_run("gas", ["mohurd-gas-4-2023/5-1"], DAY)
    assert (one["level"], one["level_possible"]) == ("挂牌督办", "挂牌督办")
    assert {"E01", "E16", "E20", "E21", "E22", "E23", "E64"} == {measure["id"] for measure in one["measures"]}
    assert all(measure["certain"] for measure in one["measures"])
    assert shipped_run("gas", ["sc-583-2010/18-4"], DAY, ["mohurd-gas-4-2023/5-1"])["level"] == "限期整改"


def test_gas_ladder() -> None:
    one = shipped_run("gas", ["npc-aqscf-2021-gas/36-4-99-8"], DAY)
    assert (one["level"], [m["id"] for m in one["measures"]]) == ("限期整改", ["E01", "G99"])
    assert shipped_run("gas", ["sc-583-2010/15"], DAY)["level"] == "停产整顿"


def test_special_equipment_ladder() -> None:
    assert shipped_run("special-equipment", ["npc-se-law-2013/37"], DAY)["level"] == "限期整改"
    overdue = shipped_run("special-equipment", ["npc-se-law-2013/40-3-84-1"], DAY)
    assert (overdue["level"], overdue["measures"][0]["id"]) == ("停止使用", "S84")
    severe = shipped_run("special-equipment", ["samr-57-2022/25-3"], DAY, 当场能够整改="否")
    assert severe["level"] == "停止使用"
    assert [m["id"] for m in severe["measures"] if m["step"] == 4] == ["E60", "E61"]
    refused = shipped_run("special-equipment", ["samr-57-2022/25-3"], DAY, 拒不执行特种设备监察指令=True)
    assert (refused["level"], refused["measures"][0]["id"]) == ("强制措施", "E62")


@pytest.mark.parametrize(("half", "year", "level"), [(3, 3, "关闭"), (2, 4, "关闭"), (2, 3, "挂牌督办")])
def test_the_counts_of_article_113(half: int, year: int, level: str) -> None:
    assert shipped_run("gas", ["mohurd-gas-4-2023/5-1"], DAY, 一百八十日内行政处罚次数=half, 一年内行政处罚次数=year)["level"] == level


def test_article_113_needs_a_major_hazard() -> None:
    assert shipped_run("gas", ["sc-583-2010/18-4"], DAY, 一百八十日内行政处罚次数=3)["level"] != "关闭"


MAJOR = {
    "agriculture-fishing": "mara-yf-2022-11/4-terminal", "civil-explosives": "miit234-2024/4a", "construction": "mohurd-2024-5/4-1-b",
    "education": "moe-2024-20/5-food", "hazardous-chemicals": "saws-121-2017/20-c", "industry-trade": "mem10-2023", "mines": "nmsa-88-2022/1-28-1",
    "transport": "mot-170-2017/5-1",
}  # fmt: skip
DAY_2024 = dt.date(2024, 6, 1)


def first_major(sector: str, start: str) -> str:
    """The id, without its sector, of the first major hazard whose id starts so."""
    found = [c.id.removeprefix(f"{sector}/") for c in shipped(sector).sectors[sector].criteria if c.grade == "major" and c.kind == "direct"]
    return next(name for name in found if name.startswith(start))


@pytest.mark.parametrize("sector", ["mines", "hazardous-chemicals", "industry-trade", "civil-explosives", "transport", "construction", "education", "agriculture-fishing"])  # fmt: skip
def test_a_major_hazard_is_listed_for_supervision_in_every_sector(sector: str) -> None:
    """安监总局令第16号第二十条, 赣安〔2018〕28号第四条 and the law know no sectors."""
    one = shipped_run(sector, [first_major(sector, MAJOR[sector])], DAY_2024)
    assert one["level"] == "挂牌督办"
    assert {"E01", "E16", "E20", "E21", "E22", "E23", "E64"} <= {measure["id"] for measure in one["measures"]}


@pytest.mark.parametrize("sector", ["general", "public-events", "culture-tourism", "commerce", "new-risks"])
def test_a_hazard_below_major_is_to_be_rectified_in_every_sector(sector: str) -> None:
    minor = [
        c.id.removeprefix(f"{sector}/") for c in shipped(sector).sectors[sector].criteria if c.grade == "general" and c.document.sector == sector
    ]
    one = shipped_run(sector, minor[:1], DAY_2024)
    assert (one["level"], one["measures"][-1]["id"]) == ("限期整改", "E01")


@pytest.mark.parametrize(
    ("day", "stop", "close"),
    [(dt.date(2024, 4, 30), "K64-2005", "K70-2005"), (dt.date(2024, 5, 1), "K64", "K70")],
)
def test_a_coal_mine_with_major_hazards_is_stopped_and_then_closed(day: dt.date, stop: str, close: str) -> None:
    one = shipped_run("mines", ["mem-4-2020/10-1"], day)
    assert [m["id"] for m in one["measures"] if m["ladder"] == "煤矿阶梯"] == [stop]
    again = shipped_run("mines", ["mem-4-2020/10-1"], day, 三个月内两次发现重大隐患仍生产=True)
    assert (again["level"], again["measures"][0]["id"]) == ("关闭", close)
    other = shipped_run("mines", ["nmsa-88-2022/1-28-1"], day, 三个月内两次发现重大隐患仍生产=True)
    assert other["level"] == "挂牌督办" and "煤矿阶梯" not in {m["ladder"] for m in other["measures"]}


@pytest.mark.parametrize(
    ("sector", "clause", "day", "level", "measure"),
    [
        ("hazardous-chemicals", "law-2026/53-1-a", dt.date(2026, 5, 1), "关闭", "H100"),
        ("new-risks", "sc-591-alcoholfuel/33-77-3", dt.date(2024, 6, 1), "关闭", "H100"),
        ("civil-explosives", "miit337-2023/1a", dt.date(2024, 1, 1), "挂牌督办", "B44"),
        ("construction", "mohurd-2024-5/4-1-a", dt.date(2025, 1, 1), "挂牌督办", "J19"),
        ("transport", "mot-52-2023/3-1-a", dt.date(2024, 6, 1), "挂牌督办", "T63"),
        ("transport", "sc-617-2012/14", dt.date(2024, 6, 1), "停止使用", "T45"),
        ("public-events", "sc-505-2007/11-permit", dt.date(2024, 6, 1), "关闭", "E19"),
        ("public-events", "sc-505-2007/12-city", dt.date(2024, 6, 1), "关闭", "E19"),
        ("fire", "fire-law/58", dt.date(2024, 6, 1), "停止使用", "F58"),
        ("new-risks", "xff-2021-icesnow/15-58-4", dt.date(2024, 6, 1), "停止使用", "F58"),
    ],
)  # fmt: skip
def test_what_is_done_without_a_licence_is_stopped(sector: str, clause: str, day: dt.date, level: str, measure: str) -> None:
    one = shipped_run(sector, [clause], day)
    assert one["level"] == level
    assert [m["certain"] for m in one["measures"] if m["id"] == measure] == [True]


def test_dishonesty_after_an_accident_counts_only_where_order_11_applies() -> None:
    """应急管理部令第11号第六条; its second article names mines, chemicals, fireworks and trade, not gas or fire."""
    for grade, listed in (("特别重大", ["E34"]), ("重大", ["E34"]), ("较大", [])):
        one = shipped_run("mines", ["nmsa-88-2022/1-28-1"], DAY_2024, 事故等级=grade)
        assert [m["id"] for m in one["measures"] if m["ladder"] == "失信惩戒阶梯"] == listed
    gas = shipped_run("gas", ["mohurd-gas-4-2023/5-1"], DAY_2024, 事故等级="重大")
    assert gas["level"] == "挂牌督办" and "E34" not in {m["id"] for m in gas["measures"]}
    two = shipped_run("mines", ["nmsa-88-2022/1-28-1"], DAY_2024, 十二个月内较大事故起数=2, 瞒报谎报事故=True)
    assert {"E35", "E37"} <= {m["id"] for m in two["measures"]} and two["level"] == "强制措施"
    assert "E35" not in {m["id"] for m in shipped_run("mines", ["nmsa-88-2022/1-28-1"], DAY_2024, 十二个月内较大事故起数=1)["measures"]}
    before = shipped_run("mines", ["nmsa-88-2022/1-28-1"], dt.date(2023, 9, 30), 事故等级="重大")
    assert "E34" not in {m["id"] for m in before["measures"]}


def test_an_enterprise_unfit_after_a_grave_accident_is_closed() -> None:
    """安全生产法第一百一十三条: 不具备安全生产条件，导致发生重大、特别重大生产安全事故."""
    unfit = {
        grade: shipped_run("gas", ["sc-583-2010/18-4"], DAY_2024, 事故等级=grade, 不具备安全生产条件=True)["level"] for grade in ("较大", "重大")
    }
    assert unfit == {"较大": "限期整改", "重大": "关闭"}
    assert shipped_run("gas", ["sc-583-2010/18-4"], DAY_2024, 事故等级="重大", 不具备安全生产条件=False)["level"] == "限期整改"


def test_the_grade_of_an_accident_follows_from_its_dead_in_any_sector() -> None:
    """国务院令第493号第三条: ten dead are a 重大 accident, nine a 较大 one."""
    base = {
        "检查日期": "2024-06-01",
        "从事燃气经营": "是",
        "有燃气储罐": "是",
        "储罐监测装置已设置": "否",
        "不具备安全生产条件": "是",
        "重伤人数": "0",
        "直接经济损失": "800",
    }
    rows = [base | {"单位名称": name, "死亡人数": dead} for name, dead in (("甲", "10"), ("乙", "9"), ("丙", "0"))]
    made = {one["enterprise"]: one["level"] for one in judge(pl.DataFrame(rows), sector="gas").enterprises.to_pylist()}
    assert made == {"甲": "关闭", "乙": "挂牌督办", "丙": "挂牌督办"}


def test_a_fact_that_only_another_sector_has_is_not_taken_for_a_no() -> None:
    """The fire rules take a blank 当场能够整改 for a no; that says nothing of a device in the same table (市场监管总局令第57号第二十六条)."""
    rows = [
        {"单位名称": "甲", "行业": "消防", "检查日期": "2024-06-01", "场所类型": "餐饮场所", "违规使用储存销售易燃易爆危险品": "是"},
        {"单位名称": "甲", "行业": "特种设备", "检查日期": "2024-06-01", "设备类别": "电梯", "仍在使用": "是", "下次检验日期": "2023-06-01"},
    ]
    (one,) = judge(pl.DataFrame(rows)).enterprises.to_pylist()
    assert [m["certain"] for m in one["measures"] if m["id"] == "E61"] in ([], [False])


def test_every_fact_has_one_type_in_all_sectors() -> None:
    pack = load_pack()
    other = [
        (sector.id, name)
        for sector in pack.sectors.values()
        for name, fact in pack.ladders.facts.items()
        if sector.fields[name].type != fact.type or sector.fields[name].values != fact.values
    ]
    assert other == []


FOREVER = None
IN_FORCE: dict[str, tuple[str | None, str | None]] = {
    "中华人民共和国安全生产法（2021修正）": ("2021-09-01", FOREVER),
    "中华人民共和国安全生产法（2014修正）": ("2014-12-01", "2021-08-31"),
    "江西省加强重点行业领域安全生产若干规定": ("2018-07-10", FOREVER),
    "危险化学品安全管理条例": ("2011-12-01", "2026-04-30"),
    "中华人民共和国危险化学品安全法": ("2026-05-01", FOREVER),
    "大型群众性活动安全管理条例": ("2007-10-01", FOREVER),
    "安全生产事故隐患排查治理暂行规定": ("2008-02-01", FOREVER),
    "国务院关于进一步加强企业安全生产工作的通知": ("2010-07-19", FOREVER),
    "江西省安全生产重大隐患治理挂牌督办办法（题名待核）": (None, None),
    "应急管理部消防救援局部署（2019年报道）": (None, None),
    "刑法": ("2021-03-01", FOREVER),
    "安全生产行政执法与刑事司法衔接工作办法": ("2019-04-16", FOREVER),
    "办理危害生产安全刑事案件解释（二）": ("2022-12-19", FOREVER),
    "安全生产严重失信主体名单管理办法": ("2023-10-01", FOREVER),
    "对安全生产领域失信行为开展联合惩戒的实施办法": ("2017-05-09", "2023-09-30"),
    "上饶市2023年安全生产工作要点": ("2023-01-01", "2023-12-31"),
    "江西省安全生产约谈实施办法（试行）": ("2018-04-17", FOREVER),
    "消防监督检查规定": ("2012-11-01", FOREVER),
    "特种设备安全监督检查办法": ("2022-07-01", FOREVER),
    "特种设备安全法": ("2014-01-01", FOREVER),
    "全国重大事故隐患专项排查整治2023行动总体方案": ("2023-04-19", "2023-12-31"),
    "安全生产治本攻坚三年行动方案（2024—2026年）": ("2024-01-16", "2026-12-31"),
    "烟花爆竹安全管理条例": ("2006-01-21", FOREVER),
    "城镇燃气管理条例": ("2011-03-01", FOREVER),
    "煤矿安全生产条例": ("2024-05-01", FOREVER),
    "国务院关于预防煤矿生产安全事故的特别规定": ("2005-09-03", "2024-04-30"),
    "民用爆炸物品安全管理条例": ("2006-09-01", FOREVER),
    "安全生产许可证条例": ("2004-01-13", FOREVER),
    "中华人民共和国道路运输条例": ("2023-07-20", FOREVER),
    "校车安全管理条例": ("2012-04-05", FOREVER),
}


def test_every_legal_basis_has_its_dates() -> None:
    shipped_bases = {
        (m.id, b.title, str(b.start or "") or None, str(b.end or "") or None) for m in shipped("gas").ladders.measures.values() for b in m.basis
    }
    fire = {("E57", "2021-04-29"), ("E58", "2021-04-29"), ("E59", "2021-04-29"), ("F58", "2021-04-29"), ("F61", "2009-05-01")}
    assert {(i, start) for i, title, start, _ in shipped_bases if title == "中华人民共和国消防法"} == fire
    assert {(title, start, end) for _, title, start, end in shipped_bases if title != "中华人民共和国消防法"} == {
        (title, start, end) for title, (start, end) in IN_FORCE.items()
    }


def test_every_measure_is_cited_only_while_its_basis_is_in_force() -> None:
    for measure in shipped("gas").ladders.measures.values():
        for basis in measure.basis:
            if basis.start is not None:
                assert basis in measure.basis_on(basis.start)
                assert basis not in measure.basis_on(basis.start - dt.timedelta(1))
            if basis.end is not None:
                assert basis in measure.basis_on(basis.end)
                assert basis not in measure.basis_on(basis.end + dt.timedelta(1))


def test_defaults_that_no_law_fixes_say_so() -> None:
    parameters = shipped("gas").ladders.parameters.values()
    law = {parameter.name for parameter in parameters if parameter.source != "引擎默认值，法律未规定"}
    assert law == {"提请关闭的半年处罚次数", "提请关闭的一年处罚次数"}
