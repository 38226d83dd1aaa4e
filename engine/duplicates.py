"""Enterprises that are probably one: a short and a full name, with or without its place or its legal form. They are reported, never merged.

Two names are probable duplicates when their cores (without place, legal form and brackets) are equal, or when one core keeps the other's letters in order and
leaves out only a few that tell no two firms apart. Numbers, directions and branch words tell firms apart, and so do two valid codes or two regions.
Candidates are looked up by the rarest letters of a name, so that a hundred thousand names are compared with a handful each.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import polars as pl
import pyarrow as pa

from engine.result import DUPLICATES

MAX_POSTINGS = 400
MAX_SAME = 50
MAX_ALIKE, MAX_NEAR = 10, 3
"""A name like more others than this, by an equal core or by a shortened one, tells nothing about which of them it is."""

_RARE = 3
_FORMS = re.compile(
    r"(股份有限责任公司|有限责任公司|股份有限公司|集团有限公司|集团股份有限公司|有限公司|股份公司|总公司|集团公司|公司|集团|个体工商户|个体户|普通合伙|有限合伙|个人独资)+$"
)
_BRACKET = re.compile(r"[(\[【〔]([^()\[\]【】〔〕]*)[)\]】〕]")
_REGIONS = re.compile(
    r"^(?:[\u4e00-\u9fff]{2,3}省|[\u4e00-\u9fff]{2,4}自治区|北京|天津|上海|重庆|河北|山西|辽宁|吉林|黑龙江|江苏|浙江|安徽|福建|江西|山东|河南|湖北|湖南|广东|海南"
    r"|四川|贵州|云南|陕西|甘肃|青海|内蒙古|广西|西藏|宁夏|新疆)?(?:[\u4e00-\u9fff]{1,4}?(?<![超门夜集菜股上花书城鱼])市)?"
    r"(?:[\u4e00-\u9fff]{1,5}?(?:自治县|县|(?<![社小园厂库校景地片])区|旗))?(?:[\u4e00-\u9fff]{1,4}?(?:镇|乡|街道))?"
)
_PUNCTUATION = re.compile(r"[\s\W_]+")
_TELLING = frozenset("一二三四五六七八九十百零两0123456789东南西北中前后新老旧上下左右大小甲乙丙丁第号分支abcdefghijklmnopqrstuvwxyz")
_KINDS = (
    "加油加气站 加油站 加气站 超市 酒店 宾馆 饭店 餐厅 饭馆 烟花爆竹 鞭炮 零售 批发 商店 便利店 药店 医院 学校 小学 中学 幼儿园 工厂 化工 食品 建材 建设 建筑 工程 "
    "机械 科技 实业 贸易 商贸 物流 运输 燃气 物业 服务 管理 经营 生产 制造 加工 煤矿 矿业 采石场 水泥 养殖 农业 合作社 商场 市场"
).split()


@dataclass(frozen=True)
class Name:
    """One enterprise: its title in the results, its name, what is left of it without place and form, the place in its name, its valid code, the
    regions and the number of its rows."""

    title: str
    core: str
    place: str
    code: str
    regions: frozenset[str] = field(default_factory=frozenset)
    rows: int = 0


def parts_of(name: str) -> tuple[str, str]:
    """The core of a name and the place that stands before it."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    plain = _BRACKET.sub(lambda found: "" if _FORMS.fullmatch(found[1]) or found[1].endswith(("县", "市", "区", "个体", "省")) else found[1], plain)
    plain = _PUNCTUATION.sub("", plain)
    bare = _FORMS.sub("", plain) or plain
    found = _REGIONS.match(bare)
    place = found[0] if found else ""
    if len(bare) - len(place) < 2:
        place = ""
    return bare[len(place) :], place


def _own(core: str) -> str:
    """What of a core is its own: without the words for a trade."""
    for kind in _KINDS:
        core = core.replace(kind, "")
    return core


def alike(one: Name, other: Name) -> str:
    """Why two enterprises are probably one, empty when they are not."""
    if one.code and other.code and one.code != other.code:
        return ""
    if one.regions and other.regions and not one.regions & other.regions:
        return ""
    if one.place and other.place and not (one.place in other.place or other.place in one.place):
        return ""
    short, long = sorted((one, other), key=lambda name: (len(name.core), name.core))
    if short.core == long.core:
        return "去掉地名、组织形式后名称相同" if len(_own(short.core)) >= 2 or short.place == long.place else ""
    if len(short.core) < 4 or len(_own(short.core)) < 2:
        return ""
    extra = _left_out(short.core, long.core)
    if extra is None or len(extra) > len(short.core) or _TELLING & set(extra):
        return ""
    if short.core in long.core:
        return "一个名称含有另一个"
    return "一个像是另一个的简称" if short.core[0] == long.core[0] and short.core[-1] == long.core[-1] else ""


def _left_out(short: str, long: str) -> str | None:
    """The letters of `long` that `short` leaves out, None when `short` does not keep the order of its letters."""
    extra, at = [], 0
    for letter in long:
        if at < len(short) and letter == short[at]:
            at += 1
        else:
            extra.append(letter)
    return "".join(extra) if at == len(short) else None


def pairs_of(names: Sequence[Name]) -> list[tuple[int, int, str]]:
    """The pairs of probable duplicates (positions, the earlier first), in order. Letters, cores and names that too many share are not followed up."""
    found: dict[tuple[int, int], tuple[str, int]] = {}

    def compare(a: int, others: Iterable[int], limit: int) -> None:
        for b in others:
            if b != a and (why := alike(names[a], names[b])):
                found.setdefault((min(a, b), max(a, b)), (why, limit))

    by_core: dict[str, list[int]] = defaultdict(list)
    for at, name in enumerate(names):
        by_core[name.core].append(at)
    for members in by_core.values():
        if 1 < len(members) <= MAX_SAME:
            for place, at in enumerate(members):
                compare(at, members[place + 1 :], MAX_ALIKE)
    frequency: Counter[str] = Counter(letter for name in names for letter in set(name.core))
    postings: dict[str, set[int]] = defaultdict(set)
    for at, name in enumerate(names):
        for letter in set(name.core):
            if frequency[letter] <= MAX_POSTINGS:
                postings[letter].add(at)
    for at, name in enumerate(names):
        rare = sorted((letter for letter in set(name.core) if letter in postings), key=lambda letter: (frequency[letter], letter))[:_RARE]
        if rare and len(name.core) >= 4:
            others = set.intersection(*(postings[letter] for letter in rare))
            compare(at, [b for b in others if len(names[b].core) > len(name.core)], MAX_NEAR)
    often = Counter(at for pair in found for at in pair)
    return [(a, b, why) for (a, b), (why, limit) in sorted(found.items()) if max(often[a], often[b]) <= limit]


def duplicates(frame: pl.DataFrame, children: Sequence[pl.DataFrame] = ()) -> pa.Table:
    """The probable duplicates as DUPLICATES. `frame` has one row a row of the tables, as `identity.named` makes it; `children` the same for child
    tables, of which the names that no row of the tables bears count too: for want of the same name their rows belong to nobody."""
    known = frame["plain"].drop_nulls().unique()
    strange = [
        child.filter(pl.col("plain").is_not_null() & ~pl.col("plain").is_in(known.implode())).with_columns(title=pl.col("name").str.strip_chars())
        for child in children
    ]
    grouped = (
        pl.concat([frame, *strange])
        .filter(pl.col("plain").is_not_null())
        .group_by("title", maintain_order=True)
        .agg(pl.col("plain").first(), pl.col("code").drop_nulls().first(), pl.col("region").drop_nulls().unique().sort(), pl.len().alias("rows"))
    )
    names = []
    for title, name, code, regions, rows in grouped.iter_rows():
        core, place = parts_of(name)
        names.append(Name(title, core, place, code or "", frozenset(regions), rows))
    made = [
        {"enterprise": names[a].title, "other": names[b].title, "reason": why, "rows": names[a].rows, "other_rows": names[b].rows}
        for a, b, why in pairs_of(names)
    ]
    return pa.Table.from_pylist(made, schema=DUPLICATES)
