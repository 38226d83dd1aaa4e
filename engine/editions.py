"""How documents follow one another: `replaces` and `replaced_by` must lead to each other, and the days in force must join."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from engine.documents import Document, RawDocument
from engine.problems import nearest
from engine.rulefile import Items, Node, Scalar

OVERLAP, GAP = "并行", "空档"
"""The words with which a note owns up to two editions in force at once, or to days on which neither is."""


def check_links(documents: Iterable[RawDocument]) -> None:
    """Check the links between all documents of the library; problems go to the sources, at the id that leads astray.

    A document of another pack cannot be made to answer: there one direction is enough, and the days are not compared."""
    by_id: dict[str, list[RawDocument]] = {}
    for one in documents:
        by_id.setdefault(one.document.id, []).append(one)
    for later in (one for same in by_id.values() for one in same):
        for node, name in _named(later, "replaces"):
            earlier = _find(later, node, name, by_id, "replaces")
            if earlier is None or _pack(earlier) != _pack(later):
                continue
            if earlier.document.replaced_by != later.document.id:
                hint = f"请在 {earlier.source.name} 写上 replaced_by: {later.document.id}，或删去这里的。"
                later.source.problem(node, f"replaces 里的“{name}”没有反过来写明被本文件替代。", hint)
                continue
            _check_days(earlier.document, later, node)
        for node, name in _named(later, "replaced_by"):
            successor = _find(later, node, name, by_id, "replaced_by")
            if successor is not None and _pack(successor) == _pack(later) and later.document.id not in successor.document.replaces:
                hint = f"请在 {successor.source.name} 的 replaces 里写上 {later.document.id}，或删去这里的。"
                later.source.problem(node, f"replaced_by 指的“{name}”没有写明替代本文件。", hint)


def _named(one: RawDocument, key: str) -> list[tuple[Node, str]]:
    node = one.head.get(key)
    nodes = node.items if isinstance(node, Items) else [node]
    return [(scalar, scalar.text.strip()) for scalar in nodes if isinstance(scalar, Scalar) and scalar.value() is not None]


def _find(one: RawDocument, node: Node, name: str, by_id: dict[str, list[RawDocument]], key: str) -> RawDocument | None:
    found = by_id.get(name, [])
    if not found:
        hint = nearest(name, by_id) + "规则库里没有的前身、后继请写在 note 里。"
        one.source.problem(node, f"{key} 指的文件“{name}”不存在。", hint)
        return None
    return next((other for other in found if other.document.sector == one.document.sector), found[0])


def _pack(one: RawDocument) -> str:
    return one.document.file.split("/", 1)[0]


def _check_days(earlier: Document, later: RawDocument, node: Node) -> None:
    start, notes = later.document.start, earlier.note + later.document.note
    if earlier.end is None:
        message, hint = f"“{earlier.id}”已被替代，却没有末日。", "请在它的 in_force 写上 to。"
    elif earlier.end >= start and OVERLAP not in notes:
        message = f"“{earlier.id}”施行到 {earlier.end}，本文件 {start} 起施行，两版重叠。"
        hint = f"请改正日期；确有过渡期的，在任一份的 note 里写明两版{OVERLAP}。"
    elif earlier.end + dt.timedelta(days=1) < start and GAP not in notes:
        message = f"“{earlier.id}”施行到 {earlier.end}，本文件 {start} 起施行，中间有几天没有依据。"
        hint = f"请改正日期；确有{GAP}的，在任一份的 note 里写明{GAP}。"
    else:
        return
    later.source.problem(node, message, hint)
