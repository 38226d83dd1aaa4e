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
    severe = shipped_run("special-equipment", ["samr-57-2022/25-3"], DAY, 当场能够整改=False)
    assert severe["level"] == "停止使用"
    assert [m["id"] for m in severe["measures"] if m["step"] == 4] == ["E60", "E61"]
    refused = shipped_run("special-equipment", ["samr-57-2022/25-3"], DAY, 拒不执行特种设备监察指令=True)
    assert (refused["level"], refused["measures"][0]["id"]) == ("强制措施", "E62")


@pytest.mark.parametrize(("half", "year", "level"), [(3, 3, "关闭"), (2, 4, "关闭"), (2, 3, "挂牌督办")])
def test_the_counts_of_article_113(half: int, year: int, level: str) -> None:
    assert shipped_run("gas", ["mohurd-gas-4-2023/5-1"], DAY, 一百八十日内行政处罚次数=half, 一年内行政处罚次数=year)["level"] == level


def test_article_113_needs_a_major_hazard() -> None:
    assert shipped_run("gas", ["sc-583-2010/18-4"], DAY, 一百八十日内行政处罚次数=3)["level"] != "关闭"


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
}


def test_every_legal_basis_has_its_dates() -> None:
    shipped_bases = {
        (m.id, b.title, str(b.start or "") or None, str(b.end or "") or None) for m in shipped("gas").ladders.measures.values() for b in m.basis
    }
    fire = {("E57", "2021-04-29"), ("E58", "2021-04-29"), ("E59", "2021-04-29"), ("F61", "2009-05-01")}
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
