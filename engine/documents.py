"""Documents and criteria: what a rule file states, read from its YAML tree. Conditions stay text here; `pack.py` checks them against
the fields, because several files and packs together decide which fields there are."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, field

from engine.fields import Field, read_fields
from engine.rulefile import Items, Mapping, Node, Scalar, Shape, Source
from engine.tree import Expr

GRADES = ("major", "serious", "general", "violation")
GRADE_NAMES = {"major": "重大", "serious": "严重", "general": "一般", "violation": "违法"}
STATUSES = ("verified", "recalled", "uncertain")
STATUS_NAMES = {"verified": "已核", "recalled": "依据待核", "uncertain": "存疑"}
KINDS = ("direct", "element", "composite", "classification")
GAP_KINDS = ("missing", "not_computable")
GAP_NAMES = {"missing": "缺", "not_computable": "不可计算"}
KIND_NAMES = {"direct": "直接判定", "element": "综合判定的要素", "composite": "综合判定", "classification": "分类"}
FITS = ("exact", "loose")
_ID = re.compile(r"[a-z0-9][a-z0-9._/-]*$")

DOCUMENT_KEYS = (
    "id", "title", "number", "issuer", "issued", "in_force", "replaces", "replaced_by", "sources", "note", "gaps",
)  # fmt: skip
CRITERION_KEYS = (
    "id", "clause", "name", "applies", "when", "grade", "status", "remedy", "duty", "campaign", "campaign_fit", "in_force", "kind",
    "once_per", "note", "tests",
)  # fmt: skip
REQUIRED = ("id", "clause", "name", "when", "status")


@dataclass(frozen=True)
class Gap:
    """Clauses of a document that are no criteria: `kind` "missing" (their text was not seen, or was not put in) or "not_computable" (they
    need judgement, or facts that no table holds), and why."""

    clause: str
    kind: str
    reason: str


@dataclass(frozen=True)
class Document:
    """An official text (判定依据). `start` and `end` are the first and last day in force, both inclusive; `end` None: in force."""

    id: str
    title: str
    number: str
    issuer: str
    start: dt.date
    end: dt.date | None
    sector: str
    issued: dt.date | None = None
    replaces: tuple[str, ...] = ()
    replaced_by: str = ""
    sources: tuple[str, ...] = ()
    note: str = ""
    file: str = ""
    gaps: tuple[Gap, ...] = ()


@dataclass(frozen=True)
class Criterion:
    """One clause as a rule (判定条款). `applies` None: applies always. `grade` is empty for a classification. `start`/`end` are its own days in force (its document's unless
    narrower). `suspended` and `replaced` hold the reason that a later pack gave, else empty."""

    id: str
    clause: str
    name: str
    document: Document
    applies: Expr | None
    when: Expr
    applies_text: str
    when_text: str
    grade: str
    status: str
    start: dt.date
    end: dt.date | None
    remedy: str = ""
    duty: str = ""
    campaign: str = ""
    campaign_fit: str = "exact"
    kind: str = "direct"
    once_per: str = ""
    note: str = ""
    suspended: str = ""
    replaced: str = ""
    file: str = ""
    line: int = 0

    @property
    def grade_name(self) -> str:
        """The grade in Chinese; a classification has none."""
        return GRADE_NAMES.get(self.grade, "不分级")

    @property
    def listed(self) -> bool:
        """Whether it is a hazard when met: elements only count in a composite judgement, classifications only feed facts."""
        return self.kind not in ("element", "classification")

    @property
    def hazard(self) -> str:
        """What counts once for an enterprise: the duty where several criteria share one, else the criterion itself."""
        return self.duty or self.id


@dataclass
class RawCriterion:
    """A criterion as written: its keys with the source of each, so that a replacement can take over single keys."""

    document: Document
    source: Source
    node: Mapping
    overrides: dict[str, tuple[Source, Scalar, Node]] = field(default_factory=dict)
    suspended: str = ""
    replaced: str = ""

    @property
    def id(self) -> str:
        """The id as written, empty when missing."""
        node = self.node.get("id")
        return node.text if isinstance(node, Scalar) else ""

    def merged(self) -> Mapping:
        """The mapping with the overriding keys in place."""
        entries = dict(self.node.entries)
        entries.update({key: (scalar, value) for key, (_, scalar, value) in self.overrides.items()})
        return Mapping(entries, self.node.line, self.node.column)

    def source_of(self, key: str) -> Source:
        """The file that states `key`."""
        return self.overrides[key][0] if key in self.overrides else self.source


@dataclass
class _Both(Source):
    """The file of a criterion and those that replaced keys of it, as one: a problem goes to the file in which its place is."""

    replaced: tuple[tuple[Source, Scalar, Node], ...] = ()
    own: Source = field(default_factory=lambda: Source(""))

    def problem(self, node: Node | None, message: str, hint: str = "", length: int = 0, severity: str = "error") -> None:
        for source, scalar, value in self.replaced:
            if node is scalar or node is value:
                return source.problem(node, message, hint, length, severity)
        return self.own.problem(node, message, hint, length, severity)


@dataclass
class RawDocument:
    """One rule file as read: its document, its criteria as written, the fields that it adds, and where it was written (for problems)."""

    document: Document
    criteria: list[RawCriterion]
    fields: dict[str, Field]
    source: Source
    head: Mapping


def read_document(source: Source, top: Mapping, sector: str, known: dict[str, Field], stem: str) -> RawDocument | None:
    """Read a rule file's tree. Returns None when there is no usable `document`; problems go to the source."""
    Shape(source, top, "规则文件", ("document", "fields", "criteria"), ("document", "criteria"))
    document = _read_head(source, top.get("document"), sector, stem)
    fields = read_fields(source, top.get("fields"), known) if top.get("fields") is not None else {}
    if document is None:
        return None
    head = top.get("document")
    made = RawDocument(document, [], fields, source, head if isinstance(head, Mapping) else top)
    criteria = top.get("criteria")
    if criteria is not None and not isinstance(criteria, Items):
        source.problem(criteria, "criteria 应当是列表（每项以 - 开头）。")
    elif criteria is not None:
        for node in criteria.items:
            if isinstance(node, Mapping):
                made.criteria.append(RawCriterion(document, source, node))
            else:
                source.problem(node, "criteria 的每一项应当是“键: 值”。")
    return made


def _read_head(source: Source, node: Node | None, sector: str, stem: str) -> Document | None:
    if node is None:
        return None
    shape = Shape(source, node, "document", DOCUMENT_KEYS, ("id", "title", "number", "issuer", "in_force"))
    document_id = shape.text("id")
    if document_id and document_id != stem:
        source.problem(shape.node.get("id"), f"document 的 id 是“{document_id}”，文件名却是“{stem}”。", "两者应当相同。")
    start, end = read_period(source, shape.node.get("in_force"), "document")
    if start is None:
        return None
    return Document(
        id=document_id,
        title=shape.text("title"),
        number=shape.text("number"),
        issuer=shape.text("issuer"),
        start=start,
        end=end,
        sector=sector,
        issued=shape.date("issued"),
        replaces=shape.texts("replaces"),
        replaced_by=shape.text("replaced_by"),
        sources=shape.texts("sources"),
        note=shape.text("note"),
        file=source.name,
        gaps=_read_gaps(source, shape),
    )


def _read_gaps(source: Source, document: Shape) -> tuple[Gap, ...]:
    found: list[Gap] = []

    def one(node: Node) -> None:
        shape = Shape(source, node, "gaps 的一项", ("clause", "kind", "reason"), ("clause", "kind", "reason"))
        found.append(Gap(shape.text("clause"), shape.choice("kind", GAP_KINDS), shape.text("reason")))

    document.each("gaps", one)
    return tuple(found)


def read_period(source: Source, node: Node | None, what: str) -> tuple[dt.date | None, dt.date | None]:
    """Read `in_force: {from: …, to: …}`; both days inclusive, `to` absent: no end."""
    if node is None:
        return None, None
    shape = Shape(source, node, f"{what} 的 in_force", ("from", "to"), ("from",))
    start, end = shape.date("from"), shape.date("to")
    if start and end and end < start:
        source.problem(shape.node.get("to"), f"末日 {end} 早于首日 {start}。", "in_force 的 from、to 都算在施行期内，to 不能早于 from。")
        end = None
    return start, end


def read_criterion(raw: RawCriterion, applies: Expr | None, when: Expr | None) -> Criterion | None:
    """Read all but the conditions (given as checked trees). Returns None when a required key is missing or `when` is unusable."""
    source, node = _Both(raw.source.name, replaced=tuple(raw.overrides.values()), own=raw.source), raw.merged()
    shape = Shape(source, node, f"条款“{raw.id or '（无 id）'}”", CRITERION_KEYS, REQUIRED)
    if raw.id and not _ID.match(raw.id):
        source.problem(node.get("id"), f"id“{raw.id}”不合写法。", "只用小写字母、数字和 . _ - /，以字母或数字开头。")
    start, end = raw.document.start, raw.document.end
    if node.get("in_force") is not None:
        own_start, own_end = read_period(raw.source_of("in_force"), node.get("in_force"), "条款")
        start, end = own_start or start, own_end or end
        if start < raw.document.start or (raw.document.end and (end is None or end > raw.document.end)):
            source.problem(node.get("in_force"), "条款的施行期超出了文件的施行期。")
    grade, status = shape.choice("grade", GRADES), shape.choice("status", STATUSES)
    kind = shape.choice("kind", KINDS, "direct")
    if kind == "classification" and grade:
        source.problem(node.get("grade"), f"条款“{raw.id}”是分类，不是隐患，不能有 grade。", "请删去 grade。")
    elif kind != "classification" and node.get("grade") is None:
        source.problem(node, f"条款“{raw.id or '（无 id）'}”缺少“grade”。")
    if when is None or not (grade or kind == "classification") or not status or not raw.id:
        return None
    return Criterion(
        id=raw.id,
        clause=shape.text("clause"),
        name=shape.text("name"),
        document=raw.document,
        applies=applies,
        when=when,
        applies_text=shape.text("applies"),
        when_text=shape.text("when"),
        grade=grade,
        status=status,
        start=start,
        end=end,
        remedy=shape.text("remedy"),
        duty=shape.text("duty"),
        campaign=shape.text("campaign"),
        campaign_fit=shape.choice("campaign_fit", FITS, "exact"),
        kind=kind,
        once_per=shape.text("once_per"),
        note=shape.text("note"),
        suspended=raw.suspended,
        replaced=raw.replaced,
        file=raw.source.name,
        line=raw.node.line,
    )
