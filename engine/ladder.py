"""Ladder files -> `Ladders`: the levels (处置级别), the facts of an enterprise, the measures (处置措施) and the ladders that order them.

The shape is in docs/ladders.md. Which enterprise stands where is `escalate.py`'s business.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping as Map
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from engine import condition
from engine.documents import GRADES, STATUSES
from engine.fields import Field, read_fields
from engine.problems import nearest
from engine.rulefile import Mapping, Node, Scalar, Shape, Source
from engine.tree import BOOL, Expr
from engine.units import ONE, UNITS, find_unit

MEASURE_STATUSES = (*STATUSES, "partly")

# Facts that the engine itself derives for each enterprise from its rows.
OVERDUE = Field("逾期未整改天数", "integer", "最早到期而未整改的期限距检查日期的天数，未逾期为 0", UNITS["日"])
REPEATS = Field("十二个月内重复次数", "integer", "同一条款在同一对象上十二个月内不同日期再次构成的次数", UNITS["次"])
LATEST = Field("检查日期", "date", "该单位最近一次检查日期")
BUILT_IN = {made.name: made for made in (OVERDUE, REPEATS, LATEST)}


@dataclass(frozen=True)
class Level:
    """A rung (处置级别): a higher `rank` is graver."""

    rank: int
    name: str
    meaning: str = ""


@dataclass(frozen=True)
class Parameter:
    """A number that no law fixes; `source` says where it comes from."""

    name: str
    value: Decimal
    field: Field
    source: str


@dataclass(frozen=True)
class Count:
    """How many hazards of an enterprise match all of the given selectors (an empty one matches all); `open` counts only those not
    yet rectified; `criteria` are ids, `*` at the end matches any rest."""

    name: str
    grades: tuple[str, ...] = ()
    campaigns: tuple[str, ...] = ()
    criteria: tuple[str, ...] = ()
    duties: tuple[str, ...] = ()
    open: bool = False

    def matches(self, grade: str, campaign: str, criterion: str, duty: str) -> bool:
        """Whether a finding of this kind counts."""
        named = any(criterion == c or (c.endswith("*") and criterion.startswith(c[:-1])) for c in self.criteria)
        return (
            (not self.grades or grade in self.grades)
            and (not self.campaigns or campaign in self.campaigns)
            and (not self.criteria or named)
            and (not self.duties or duty in self.duties)
        )


@dataclass(frozen=True)
class Basis:
    """A legal basis of a measure; in force from `start` to `end`, both inclusive, None: not known or no end."""

    title: str
    number: str
    article: str
    start: dt.date | None
    end: dt.date | None

    def text(self) -> str:
        """`《title》（number）article`, with a remark where its first day is not known; an article of — means the whole document."""
        article = self.article if self.article != "—" else ""
        return f"《{self.title}》（{self.number}）{article}" + ("" if self.start else "（施行日期待核）")

    def in_force(self, day: dt.date) -> bool:
        """Whether it is in force on the day, both its days included; unknown days bar nothing."""
        return (self.start is None or self.start <= day) and (self.end is None or day <= self.end)


@dataclass(frozen=True)
class Measure:
    """What a rung orders (处置措施): who decides, within how long, on which legal basis. `when` None: whenever the step holds."""

    id: str
    name: str
    order: str
    decided_by: str
    time_limit: str
    basis: tuple[Basis, ...]
    when: Expr | None
    status: str
    category: str = ""
    penalty: str = ""
    exit: str = ""
    note: str = ""

    def basis_on(self, day: dt.date) -> tuple[Basis, ...]:
        """The legal bases that are in force on the day."""
        return tuple(basis for basis in self.basis if basis.in_force(day))


@dataclass(frozen=True)
class Step:
    """One step of a ladder: where `when` holds the enterprise is at `level` at least, and `measures` (ids) are due."""

    number: int
    level: Level
    when: Expr
    when_text: str
    measures: tuple[str, ...]
    by: str = ""


@dataclass(frozen=True)
class Ladder:
    """Steps in rising order, for the given sectors (empty: all)."""

    id: str
    title: str
    basis: str
    sectors: tuple[str, ...]
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Ladders:
    """All that is needed to put an enterprise on its rung."""

    levels: tuple[Level, ...] = ()
    parameters: Map[str, Parameter] = field(default_factory=dict)
    counts: Map[str, Count] = field(default_factory=dict)
    facts: Map[str, Field] = field(default_factory=dict)
    measures: Map[str, Measure] = field(default_factory=dict)
    ladders: tuple[Ladder, ...] = ()

    def fields(self) -> dict[str, Field]:
        """Every name that a ladder condition may use."""
        counts = {name: Field(name, "integer", unit=UNITS["项"]) for name in self.counts}
        return {**BUILT_IN, **counts, **{p.name: p.field for p in self.parameters.values()}, **self.facts}


def blank_value(fact: Field) -> str | bool | float | None:
    """The value that the fact's `blank` stands for, which an enterprise has too where the table lacks the column; None: unknown."""
    if fact.blank is None:
        return None
    if fact.type == "bool":
        return fact.blank == "是"
    return float(fact.blank) if fact.numeric else fact.blank


@dataclass
class LadderFiles:
    """The result of reading: the ladders and the sources with their problems."""

    ladders: Ladders
    sources: list[Source]


def read_ladders(files: Iterable[tuple[Mapping | None, Source]]) -> LadderFiles:
    """Read ladder files in order; an entry of a later file replaces one of the same name or id. Problems stay in the sources."""
    sources: list[Source] = []
    tops: list[tuple[Mapping, Source]] = []
    for top, source in files:
        sources.append(source)
        if top is not None:
            Shape(source, top, "阶梯文件", ("levels", "parameters", "counts", "facts", "measures", "ladders"))
            tops.append((top, source))
    levels: dict[str, Level] = {}
    parameters: dict[str, Parameter] = {}
    counts: dict[str, Count] = {}
    facts: dict[str, Field] = {}
    for top, source in tops:
        _shape_of(source, top).each("levels", lambda node, s=source: _read_level(s, node, levels))  # type: ignore[misc]
        _entries(source, top, "parameters", lambda n, v, s=source: _read_parameter(s, n, v, parameters))  # type: ignore[misc]
        _entries(source, top, "counts", lambda n, v, s=source: _read_count(s, n, v, counts))  # type: ignore[misc]
        if top.get("facts") is not None:
            found = read_fields(source, top.get("facts"), facts)
            for fact in found.values():
                _check_fact(source, fact)
            facts.update(found)
    for _, source in tops:
        for name in sorted(set(facts) & (set(counts) | set(parameters))):
            if facts[name].file == source.name:
                source.at(facts[name].line, 1, f"事实“{name}”与计数或参数同名。", "请改用别的名字。")
    base = Ladders(tuple(sorted(levels.values(), key=lambda x: x.rank)), parameters, counts, facts)
    fields, intervals = base.fields(), frozenset(counts)
    measures: dict[str, Measure] = {}
    ladders: dict[str, Ladder] = {}
    for top, source in tops:
        reader = _Reader(source, fields, intervals, levels)
        _shape_of(source, top).each("measures", lambda node, r=reader: r.measure(node, measures))  # type: ignore[misc]
    for top, source in tops:
        reader = _Reader(source, fields, intervals, levels)
        _shape_of(source, top).each("ladders", lambda node, r=reader: r.ladder(node, ladders, measures))  # type: ignore[misc]
    made = Ladders(base.levels, parameters, counts, facts, measures, tuple(ladders.values()))
    return LadderFiles(made, sources)


def _shape_of(source: Source, top: Mapping) -> Shape:
    return Shape(source, top, "阶梯文件", tuple(top.entries))


_ACROSS_TYPES = {"any": ("bool",), "sum": ("number", "integer"), "max": ("number", "integer", "date"), "min": ("number", "integer", "date")}


def _check_fact(source: Source, fact: Field) -> None:
    """A fact is what the table says of an enterprise: it is not derived, its rows can be put together, and its `blank` is one of its values."""
    if fact.name in BUILT_IN:
        source.at(fact.line, 1, f"“{fact.name}”由引擎推导，不能再声明。", "请改用别的名字。")
    if fact.derivation is not None:
        source.at(fact.line, 1, f"阶梯的事实“{fact.name}”不能有 derive。", "推导字段请写在行业的 fields.yaml 里。")
    if fact.type not in _ACROSS_TYPES.get(fact.across, (fact.type,)):
        source.at(fact.line, 1, f"事实“{fact.name}”是 {fact.type}，不能用 across: {fact.across}。", "可用 latest（最近一次检查所记）。")
    if fact.blank is None:
        return
    good = fact.blank in fact.values if fact.type == "enum" else fact.blank in ("是", "否") if fact.type == "bool" else fact.type == "text"
    if fact.numeric:
        try:
            good = Decimal(fact.blank).is_finite()
        except InvalidOperation:
            good = False
    if not good:
        source.at(fact.line, 1, f"事实“{fact.name}”的 blank“{fact.blank}”不是它的取值。")


def _entries(source: Source, top: Mapping, key: str, build: Callable[[Scalar, Node], None]) -> None:
    node = top.get(key)
    if node is None:
        return
    if not isinstance(node, Mapping):
        source.problem(node, f"{key} 应当是“名字: {{…}}”。")
        return
    for scalar, value in node.entries.values():
        build(scalar, value)


def _read_level(source: Source, node: Node, levels: dict[str, Level]) -> None:
    shape = Shape(source, node, "levels 的一项", ("rank", "name", "meaning"), ("rank", "name"))
    rank = shape.text("rank")
    if not rank.isdigit():
        source.problem(shape.node.get("rank"), f"rank“{rank}”应当是正整数。")
        return
    if any(level.rank == int(rank) and level.name != shape.text("name") for level in levels.values()):
        source.problem(shape.node.get("rank"), f"rank {rank} 重复了。")
        return
    levels[shape.text("name")] = Level(int(rank), shape.text("name"), shape.text("meaning"))


def _read_parameter(source: Source, name: Scalar, node: Node, parameters: dict[str, Parameter]) -> None:
    shape = Shape(source, node, f"参数“{name.text}”", ("value", "unit", "meaning", "source"), ("value", "meaning", "source"))
    symbol = shape.text("unit", "1")
    unit = find_unit(symbol)
    if unit is None:
        source.problem(shape.node.get("unit"), f"单位“{symbol}”不认识。", nearest(symbol, UNITS))
    try:
        value = Decimal(shape.text("value"))
        if not value.is_finite():
            raise InvalidOperation
    except InvalidOperation:
        source.problem(shape.node.get("value"), f"参数的值“{shape.text('value')}”应当是数。")
        return
    declared = Field(name.text, "number", shape.text("meaning"), unit or ONE)
    parameters[name.text] = Parameter(name.text, value, declared, shape.text("source"))


def _read_count(source: Source, name: Scalar, node: Node, counts: dict[str, Count]) -> None:
    keys = ("grade", "campaign", "criteria", "duty", "open", "meaning")
    shape = Shape(source, node, f"计数“{name.text}”", keys, ("meaning",))
    grades = shape.texts("grade")
    for grade in grades:
        if grade not in GRADES:
            source.problem(shape.node.get("grade"), f"等级“{grade}”不认识。", nearest(grade, GRADES) or f"可用的：{'、'.join(GRADES)}。")
    counts[name.text] = Count(name.text, grades, shape.texts("campaign"), shape.texts("criteria"), shape.texts("duty"), shape.flag("open"))


class _Reader:
    """Reads measures and ladders, which need the facts and levels declared before them."""

    def __init__(self, source: Source, fields: Map[str, Field], intervals: frozenset[str], levels: Map[str, Level]):
        self.source, self.fields, self.intervals, self.levels = source, fields, intervals, levels
        self.here: set[str] = set()

    def _unique(self, shape: Shape) -> str:
        identity = shape.text("id")
        if identity in self.here:
            self.source.problem(shape.node.get("id"), f"id“{identity}”重复了。")
        self.here.add(identity)
        return identity

    def _condition(self, shape: Shape, what: str) -> Expr | None:
        scalar = shape.scalar("when")
        if scalar is None:
            return None
        expr, errors = condition.parse(scalar.text, self.fields, BOOL, self.intervals)
        for error in errors:
            line, column = self.source.within(scalar, scalar.text, error.start, error.end)
            self.source.at(line, column, f"{what}的 when：{error.message}", error.hint, max(1, error.end - error.start))
        return expr

    def measure(self, node: Node, measures: dict[str, Measure]) -> None:
        keys = ("id", "name", "category", "order", "penalty", "decided_by", "time_limit", "exit", "when", "legal_basis", "status", "note")
        required = ("id", "name", "order", "decided_by", "time_limit", "legal_basis", "status")
        shape = Shape(self.source, node, "措施", keys, required)
        identity = self._unique(shape)
        basis: list[Basis] = []
        shape.each("legal_basis", lambda item: basis.append(self._basis(item)))
        measures[identity] = Measure(
            id=identity,
            name=shape.text("name"),
            order=shape.text("order"),
            decided_by=shape.text("decided_by"),
            time_limit=shape.text("time_limit"),
            basis=tuple(basis),
            when=self._condition(shape, f"措施“{identity}”"),
            status=shape.choice("status", MEASURE_STATUSES),
            category=shape.text("category"),
            penalty=shape.text("penalty"),
            exit=shape.text("exit"),
            note=shape.text("note"),
        )

    def _basis(self, node: Node) -> Basis:
        shape = Shape(self.source, node, "legal_basis 的一项", ("title", "number", "article", "from", "to"), ("title", "number", "article"))
        start, end = shape.date("from"), shape.date("to")
        if start and end and end < start:
            self.source.problem(shape.node.get("to"), f"末日 {end} 早于首日 {start}。")
        return Basis(shape.text("title"), shape.text("number"), shape.text("article"), start, end)

    def ladder(self, node: Node, ladders: dict[str, Ladder], measures: Map[str, Measure]) -> None:
        shape = Shape(self.source, node, "阶梯", ("id", "title", "basis", "sectors", "steps"), ("id", "title", "steps"))
        identity = self._unique(shape)
        steps: list[Step] = []
        shape.each("steps", lambda item: self._step(item, identity, steps, measures))
        ladders[identity] = Ladder(identity, shape.text("title"), shape.text("basis"), shape.texts("sectors"), tuple(steps))

    def _step(self, node: Node, ladder: str, steps: list[Step], measures: Map[str, Measure]) -> None:
        required = ("step", "level", "when", "measures")
        shape = Shape(self.source, node, f"阶梯“{ladder}”的一步", ("step", "level", "when", "measures", "by"), required)
        number = shape.text("step")
        level = self.levels.get(shape.text("level"))
        when = self._condition(shape, f"阶梯“{ladder}”第{number}步")
        if level is None:
            self.source.problem(shape.node.get("level"), f"没有“{shape.text('level')}”这个处置级别。", nearest(shape.text("level"), self.levels))
        for identity in shape.texts("measures"):
            if identity not in measures:
                self.source.problem(shape.node.get("measures"), f"没有措施“{identity}”。", nearest(identity, measures))
        if not number.isdigit():
            self.source.problem(shape.node.get("step"), f"step“{number}”应当是正整数。")
        elif steps and int(number) <= steps[-1].number:
            self.source.problem(shape.node.get("step"), f"阶梯“{ladder}”的 step {number} 不大于前一步。", "各步按 step 从小到大写。")
        elif level is not None and when is not None:
            named = tuple(identity for identity in shape.texts("measures") if identity in measures)
            steps.append(Step(int(number), level, when, shape.text("when"), named, shape.text("by")))
