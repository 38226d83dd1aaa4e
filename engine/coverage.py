"""How far each document is covered: clause by clause what is a criterion, and what is not, with the reason."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from engine.documents import Criterion, Document
from engine.pack import Library, Pack
from engine.problems import InputError, nearest


@dataclass(frozen=True)
class Part:
    """Some clauses of a document. `state`: "encoded" (then `criteria` state them), "not_computable" or "missing" (then `reason` says why)."""

    clause: str
    state: str
    criteria: tuple[Criterion, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class Coverage:
    """One document: all its `criteria` in file order, and the ids of the `sectors` whose rows it judges, its own first."""

    document: Document
    criteria: tuple[Criterion, ...]
    sectors: tuple[str, ...]

    @property
    def id(self) -> str:
        """How the document is named: sector/document."""
        return f"{self.document.sector}/{self.document.id}"

    @property
    def by_status(self) -> Counter[str]:
        """The number of criteria by status."""
        return Counter(criterion.status for criterion in self.criteria)

    @property
    def by_gap(self) -> Counter[str]:
        """The number of gaps by kind."""
        return Counter(gap.kind for gap in self.document.gaps)

    @property
    def off(self) -> bool:
        """Whether the whole document is off by default: no criterion of it is at work without --include-unverified."""
        return all(criterion.status == "uncertain" for criterion in self.criteria)

    def parts(self) -> tuple[Part, ...]:
        """Clause by clause in file order; a gap stands after the criteria of the same clause, any other gap at the end."""
        encoded: dict[str, list[Criterion]] = {}
        for criterion in self.criteria:
            encoded.setdefault(criterion.clause, []).append(criterion)
        gaps = [Part(gap.clause, gap.kind, reason=gap.reason) for gap in self.document.gaps]
        found: list[Part] = []
        for clause, criteria in encoded.items():
            found += [Part(clause, "encoded", tuple(criteria)), *(gap for gap in gaps if gap.clause == clause)]
        return (*found, *(gap for gap in gaps if gap.clause not in encoded))


def coverage(pack: Pack, library: Library) -> tuple[Coverage, ...]:
    """Every document of the pack with at least one criterion, in the order of the sectors and files."""
    found: dict[Document, list[Criterion]] = {}
    for sector in pack.sectors.values():
        for criterion in sector.criteria:
            if criterion.document.sector == sector.id:
                found.setdefault(criterion.document, []).append(criterion)
    return tuple(Coverage(document, tuple(criteria), library.sectors_of(document)) for document, criteria in found.items())


def find(documents: tuple[Coverage, ...], name: str) -> Coverage:
    """The document with this id (with or without its sector), number or title. Raises InputError when there is none, or more than one."""
    found = [one for one in documents if name in (one.id, one.document.id, one.document.number, one.document.title)]
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(f"“{name}”有 {len(found)} 份文件：{'、'.join(one.id for one in found)}。请写其中一个。")
    names = [text for one in documents for text in (one.id, one.document.id, one.document.number, one.document.title)]
    raise InputError(f"没有“{name}”这份文件。{nearest(name, names)}用 hazard rules coverage 查看全部文件。")
