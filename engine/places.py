"""Place files -> `Places`: the counties and zones (区县、管委会) of a region, and which of them a cell of the column 区县 means.

The shape is in docs/rules.md. Who must act there is `authorities.py`'s business.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from engine.documents import STATUSES
from engine.problems import nearest
from engine.rulefile import Mapping, Node, Shape, Source

KINDS = ("district", "county", "county-level-city", "zone")
_KEYS = ("document", "city", "places", "neighbours", "history")
_CODE = re.compile(r"\d{6}")
_LONG_CODE = re.compile(r"(\d{6})(?:\d{3}|\d{6})?(?:\.0)?")
_DAY = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")
_LEAST = 3
"""The length from which on a name counts inside a longer text: two characters are as well the name of a street."""


@dataclass(frozen=True)
class Place:
    """A county, district, city or zone. `code` is the national one (empty for a zone, which has none), `local_code` one made up by the pack;
    `within` are the codes of the counties in which a zone lies."""

    name: str
    code: str
    local_code: str
    aliases: tuple[str, ...]
    kind: str
    government: str
    within: tuple[str, ...] = ()
    status: str = "verified"
    within_status: str = ""


@dataclass(frozen=True)
class Former:
    """A name and code that are no more; `successor` is the code of the place that took over."""

    code: str
    name: str
    successor: str


@dataclass(frozen=True)
class Places:
    """The places of the packs, in the order of the files. `regions` are names of what they lie in, which may stand before theirs;
    `neighbours` are pairs of codes with their status."""

    places: tuple[Place, ...] = ()
    former: tuple[Former, ...] = ()
    regions: tuple[str, ...] = ()
    neighbours: tuple[tuple[str, str, str], ...] = ()

    def find(self, text: str | None) -> Place | None:
        """The place that a text names: by its name, another of its names, a former one, or a code (of 6, 9 or 12 digits, or made up); with
        the province and the city before it or not; with a street or township after its name. None where it names none of them, or several."""
        plain = _plain(text or "")
        for region in self.regions:
            plain = plain.removeprefix(_plain(region)) or plain
        names = self._index
        code = _LONG_CODE.fullmatch(plain)
        exact = names.get(code.group(1) if code else plain)
        if exact is not None:
            return exact
        inside = {place for name, place in names.items() if len(name) >= _LEAST and name in plain}
        if len(inside) != 1:
            return None
        (only,) = inside
        return only if any(plain.startswith(name) for name, place in names.items() if place is only and len(name) >= _LEAST) else None

    @cached_property
    def _index(self) -> dict[str, Place]:
        return dict(self._names())

    def _names(self) -> Iterator[tuple[str, Place]]:
        """Every name and code in the plain form, the former ones first: a present one wins."""
        by_code = {code: place for place in self.places for code in (place.code, place.local_code) if code}
        for one in self.former:
            if one.successor in by_code:
                yield from ((_plain(name), by_code[one.successor]) for name in (one.code, one.name))
        for place in self.places:
            yield from ((_plain(name), place) for name in (*place.aliases, place.name, place.code, place.local_code) if name)


def _plain(text: str) -> str:
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text)).upper()


@dataclass
class _Reading:
    """What the files have told so far, and where codes are named that must be known in the end."""

    places: dict[str, Place] = field(default_factory=dict)
    former: dict[str, Former] = field(default_factory=dict)
    regions: dict[str, None] = field(default_factory=dict)
    neighbours: dict[tuple[str, str], str] = field(default_factory=dict)
    asked: list[tuple[Source, Node, str, str]] = field(default_factory=list)


def read_places(files: Iterable[tuple[Mapping | None, Source]]) -> tuple[Places, list[Source]]:
    """Read place files in order; a place of a later file replaces one of the same name or code. Returns the places and the sources, which
    hold the problems."""
    made, sources = _Reading(), []
    for top, source in files:
        sources.append(source)
        if top is None:
            continue
        shape = Shape(source, top, "地方文件", _KEYS)
        _read_document(source, shape.node.get("document"))
        _read_city(source, shape.node.get("city"), made)
        here: dict[str, str] = {}
        shape.each("places", lambda node, s=source, h=here: _read_place(s, node, made, h))  # type: ignore[misc]
        shape.each("neighbours", lambda node, s=source: _read_neighbours(s, node, made))  # type: ignore[misc]
        shape.each("history", lambda node, s=source: _read_former(s, node, made))  # type: ignore[misc]
    codes = {code for place in made.places.values() for code in (place.code, place.local_code) if code}
    for source, node, key, code in made.asked:
        if code not in codes:
            source.problem(node, f"{key} 里的“{code}”不是任何一个地方的代码。", nearest(code, codes))
    pairs = tuple((one, other, status) for (one, other), status in made.neighbours.items())
    return Places(tuple(made.places.values()), tuple(made.former.values()), tuple(made.regions), pairs), sources


def _read_document(source: Source, node: Node | None) -> None:
    if node is not None:
        shape = Shape(source, node, "document", ("id", "title", "note", "sources"), ("title",))
        for key in ("id", "title", "note"):
            shape.text(key)
        shape.texts("sources")


def _read_city(source: Source, node: Node | None, made: _Reading) -> None:
    if node is None:
        return
    shape = Shape(source, node, "city", ("code", "name", "aliases", "province_code", "province"), ("name",))
    for key in ("code", "province_code"):
        _code(shape, key)
    shape.texts("aliases")
    made.regions.update(dict.fromkeys(name for name in (shape.text("province"), shape.text("name")) if name))


def _code(shape: Shape, key: str) -> str:
    """A national code; empty where there is none."""
    code = shape.text(key)
    if code and not _CODE.fullmatch(code):
        shape.source.problem(shape.node.get(key), f"“{key}”的值“{code}”不是六位数字的区划代码。", "自编的代码请写在 local_code 里。")
        return ""
    return code


def _read_place(source: Source, node: Node, made: _Reading, here: dict[str, str]) -> None:
    keys = ("code", "local_code", "name", "aliases", "kind", "government", "within", "within_status", "status")
    shape = Shape(source, node, "places 的一项", keys, ("name", "kind", "government"))
    name, code, local = shape.text("name"), _code(shape, "code"), shape.text("local_code")
    within = shape.texts("within")
    place = Place(
        name, code, local, shape.texts("aliases"), shape.choice("kind", KINDS), shape.text("government"), within,
        shape.choice("status", STATUSES, "verified"), shape.choice("within_status", STATUSES),
    )  # fmt: skip
    if not name:
        return
    if not shape.text("code") and not local:
        source.problem(node, f"“{name}”没有代码。", "写 code（六位的国家代码）或 local_code（自编的代码）。")
    if _CODE.fullmatch(local):
        source.problem(
            shape.node.get("local_code"), f"自编的代码“{local}”与国家代码一样是六位数字，会被当作国家代码。", "请加上字母，如 361100-JKQ。"
        )
    for text in dict.fromkeys(_plain(one) for one in (name, *place.aliases, code, local) if one):
        if here.setdefault(text, name) != name:
            source.problem(shape.node.get("name"), f"“{text}”既指“{here[text]}”又指“{name}”。", "一个名称或代码只能指一个地方。")
    made.asked += [(source, shape.node.get("within") or node, "within", one) for one in within]
    mine = {one for one in (name, code, local) if one}
    for key in [key for key, other in made.places.items() if mine & {other.name, other.code, other.local_code}]:
        del made.places[key]
    made.places[name] = place


def _read_neighbours(source: Source, node: Node, made: _Reading) -> None:
    shape = Shape(source, node, "neighbours 的一项", ("between", "status"), ("between", "status"))
    pair = shape.texts("between")
    at = shape.node.get("between") or node
    if len(pair) != 2 or pair[0] == pair[1]:
        source.problem(at, "between 应当是两个不同的地方的代码。")
        return
    made.asked += [(source, at, "between", code) for code in pair]
    made.neighbours[min(pair), max(pair)] = shape.choice("status", STATUSES)


def _read_former(source: Source, node: Node, made: _Reading) -> None:
    required = ("code", "name", "successor")
    shape = Shape(source, node, "history 的一项", (*required, "changed", "status", "note"), required)
    code, changed = _code(shape, "code"), shape.text("changed")
    shape.choice("status", STATUSES)
    shape.text("note")
    if changed and not _DAY.fullmatch(changed):
        source.problem(shape.node.get("changed"), f"“changed”的值“{changed}”不是日期。", "请写成 2019-07 或 2019-07-01 的样子。")
    successor = shape.text("successor")
    if code and successor:
        made.asked.append((source, shape.node.get("successor") or node, "successor", successor))
        made.former[code] = Former(code, shape.text("name"), successor)
