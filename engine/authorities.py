"""Who must act: for each sector the committee and the departments that lead (牵头、负责), for each place its government.

Reads `responsibilities.yaml` (the shape is in docs/rules.md). `acting.py` puts what it says beside findings and enterprises.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping as Map, Sequence
from dataclasses import dataclass, field

from engine.places import Places
from engine.problems import nearest
from engine.rulefile import Mapping, Node, Shape, Source

BASES = ("plan", "inferred")
"""How sure an assignment is: the plan names it, or it was concluded from the plan and must be confirmed first."""
_KEYS = ("document", "sectors", "item21_assignments", "cross_cutting")
_TOPIC_KEYS = ("topic", "departments", "basis", "note")
_CROSS_KEYS = ("item", "topic", "lead", "departments", "implementers")
_SECTOR_KEYS = (
    "sector", "title", "item", "lead_committee", "lead_departments", "co_departments", "implementers", "basis", "source", "note",
)  # fmt: skip


@dataclass(frozen=True)
class Responsibility:
    """Who answers for a sector. `committee` may be empty and `departments` be none: then the source names none."""

    sector: str
    committee: str
    departments: tuple[str, ...]
    basis: str
    source: str


@dataclass(frozen=True)
class Authorities:
    """The places and, by sector, who answers there."""

    places: Places = field(default_factory=Places)
    by_sector: Map[str, Responsibility] = field(default_factory=dict)

    def names(self) -> tuple[str, ...]:
        """Every committee and department, once each."""
        mine = self.by_sector.values()
        return tuple(dict.fromkeys(name for one in mine for name in (one.committee, *one.departments) if name))


def read_responsibilities(files: Iterable[tuple[Mapping | None, Source]], sectors: Collection[str]) -> tuple[dict[str, Responsibility], list[Source]]:
    """Read the files in order; what a later one says of a sector replaces the earlier. `sectors` are the ids that there are. Returns who answers
    by sector, and the sources, which hold the problems."""
    made: dict[str, Responsibility] = {}
    sources: list[Source] = []
    for top, source in files:
        sources.append(source)
        if top is None:
            continue
        shape = Shape(source, top, "分工文件", _KEYS, ("sectors",))
        if shape.node.get("document") is not None:
            head = Shape(source, shape.node.get("document"), "document", ("id", "title", "number", "issuer", "note"), ("title", "number"))
            for key in ("id", "title", "number", "issuer", "note"):
                head.text(key)
        here: set[str] = set()
        shape.each("sectors", lambda node, s=source, h=here: _read_sector(s, node, sectors, h, made))  # type: ignore[misc]
        shape.each("item21_assignments", lambda node, s=source: _read_topic(s, node, _TOPIC_KEYS))  # type: ignore[misc]
        shape.each("cross_cutting", lambda node, s=source: _read_topic(s, node, _CROSS_KEYS))  # type: ignore[misc]
    return made, sources


def _read_sector(source: Source, node: Node, sectors: Collection[str], here: set[str], made: dict[str, Responsibility]) -> None:
    shape = Shape(source, node, "sectors 的一项", _SECTOR_KEYS, ("sector", "basis", "source"))
    sector = shape.text("sector")
    if sector and sector not in sectors:
        source.problem(shape.node.get("sector"), f"没有“{sector}”这个行业。", nearest(sector, sectors) or f"可用的行业代码：{'、'.join(sectors)}。")
    if sector in here:
        source.problem(shape.node.get("sector"), f"行业“{sector}”写了两次。", "一个行业只写一项。")
    here.add(sector)
    _read_words(shape, ("title", "item", "note"), ("co_departments", "implementers"))
    made[sector] = Responsibility(
        sector, shape.text("lead_committee"), shape.texts("lead_departments"), shape.choice("basis", BASES), shape.text("source")
    )


def _read_topic(source: Source, node: Node, keys: Sequence[str]) -> None:
    """An entry that is written for people: only its shape is checked."""
    shape = Shape(source, node, "这一项", keys, ("topic", "departments"))
    _read_words(shape, ("topic", "lead", "note", "item"), ("departments", "implementers"))
    if "basis" in keys:
        shape.choice("basis", BASES)


def _read_words(shape: Shape, texts: Sequence[str], lists: Sequence[str]) -> None:
    for key in texts:
        shape.text(key)
    for key in lists:
        shape.texts(key)
    item = shape.text("item")
    if item and not item.isdigit():
        shape.source.problem(shape.node.get("item"), f"“item”的值“{item}”应当是正整数，即第几项。")
