"""Conditions and derivations as written -> checked trees, each problem at its place; and the order in which derived facts can be made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping as Map
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from engine.documents import Criterion, RawCriterion, read_criterion
from engine.fields import Derivation, Field
from engine.problems import nearest
from engine.rulefile import Scalar, Source
from engine.tree import BOOL, Expr, Type, criteria_of, fields_of, type_of


@dataclass(frozen=True)
class Derived:
    """How a field follows from others, checked: `cases` are (enum value or "", expression); with `how` it is an aggregate over all
    rows with the same value of the field `same`, or over the rows of the child table `child` of which `where` holds (its expressions are over
    the child's fields). A term of a sum that is not known is at least `least` (None: then the sum is not known)."""

    field: Field
    cases: tuple[tuple[str, Expr], ...]
    how: str = ""
    same: str = ""
    child: str = ""
    where: Expr | None = None
    least: float | None = None

    @property
    def reads(self) -> tuple[str, ...]:
        """The fields of the same table that it reads."""
        if self.child:
            return ()
        names = [name for _, expr in self.cases for name in fields_of(expr)]
        return tuple(dict.fromkeys(names + ([self.same] if self.same else [])))


def check_text(source: Source, scalar: Scalar, fields: Map[str, Field], want: Type, intervals: frozenset[str], what: str) -> Expr | None:
    from engine import condition  # with the parser behind it, which rules from the cache do not need

    expr, errors = condition.parse(scalar.text, fields, want, intervals)
    for error in errors:
        line, column = source.within(scalar, scalar.text, error.start, error.end)
        source.at(line, column, f"{what}：{error.message}", error.hint, max(1, error.end - error.start))
    return expr


def check_criterion(raw: RawCriterion, fields: Map[str, Field], intervals: frozenset[str]) -> Criterion | None:
    node = raw.merged()
    made: dict[str, Expr | None] = {"applies": None, "when": None}
    usable = True
    for key in made:
        scalar = node.get(key)
        if isinstance(scalar, Scalar) and scalar.value() is not None:
            made[key] = check_text(raw.source_of(key), scalar, fields, BOOL, intervals, f"条款“{raw.id}”的 {key}")
            usable = usable and made[key] is not None
        elif scalar is not None:
            raw.source_of(key).problem(scalar, f"条款“{raw.id}”的 {key} 应当是一行条件。")
            usable = False
    criterion = read_criterion(raw, made["applies"], made["when"])
    if criterion is None or not usable:
        return None
    if criterion.once_per and not _once_per_ok(raw, criterion, fields):
        return None
    return criterion


def _once_per_ok(raw: RawCriterion, criterion: Criterion, fields: Map[str, Field]) -> bool:
    key = criterion.once_per
    if key not in fields:
        raw.source_of("once_per").problem(raw.merged().get("once_per"), f"once_per 的字段“{key}”没有声明。", nearest(key, fields))
        return False
    names = {name for expr in (criterion.applies, criterion.when) if expr is not None for name in fields_of(expr)}
    loose = [n for n in sorted(names) if n != key and not ((d := fields[n].derivation) and d.how and d.same == key)]
    if loose:
        raw.source_of("once_per").problem(raw.merged().get("once_per"), f"once_per 的条件只能用对“{key}”汇总的推导字段，却用了“{loose[0]}”。")
    return not loose


@dataclass(frozen=True)
class ChildFields:
    """What a check needs of a child table: its fields and which of them are intervals."""

    fields: Map[str, Field]
    intervals: frozenset[str]


def check_derivations(
    fields: Map[str, Field], owners: dict[str, Source], children: Map[str, ChildFields] | None = None
) -> tuple[dict[str, Derived], frozenset[str]]:
    """Check every `derive`. A count is only known as an interval, and so is what is computed from one: repeat until no more join."""
    children = children or {}

    def counted(spec: Derivation) -> bool:
        return spec.how == "count" or spec.least is not None or spec.where is not None

    intervals = frozenset(name for name, f in fields.items() if f.numeric and f.derivation and counted(f.derivation))
    while True:
        derived: dict[str, Derived] = {}
        marks = {source.name: len(source.problems) for source in owners.values()}
        for name, declared in fields.items():
            if declared.derivation is not None:
                made = _check_derivation(declared, fields, owners.get(declared.file) or Source(declared.file), intervals, children)
                if made is not None:
                    derived[name] = made
        grown = intervals | {n for n, d in derived.items() if d.field.numeric and any(e.type.interval for _, e in d.cases)}
        if grown == intervals:
            return derived, intervals
        intervals = grown
        for source in owners.values():
            del source.problems[marks[source.name] :]


def _check_derivation(
    declared: Field, fields: Map[str, Field], source: Source, intervals: frozenset[str], children: Map[str, ChildFields]
) -> Derived | None:
    spec = declared.derivation
    assert spec is not None
    what = f"字段“{declared.name}”的 derive"
    want = BOOL
    if spec.how == "sum" or spec.how in ("min", "max") or (not spec.how and spec.cases[0][0] == ""):
        want = type_of(declared)
    if spec.how == "count" and declared.type != "integer":
        source.at(declared.line, 1, f"{what}：count 的结果是整数，字段却是 {declared.type}。")
        return None
    if spec.how in ("any", "all") and declared.type != "bool":
        source.at(declared.line, 1, f"{what}：{spec.how} 的结果是非，字段却是 {declared.type}。")
        return None
    if spec.same and spec.same not in fields:
        source.at(declared.line, 1, f"{what}：same 的字段“{spec.same}”没有声明。", nearest(spec.same, fields))
        return None
    if spec.child:
        if spec.child not in children:
            source.at(
                declared.line, 1, f"{what}：没有子表“{spec.child}”。", nearest(spec.child, children) or "子表在 fields.yaml 的 children 里声明。"
            )
            return None
        fields, intervals = children[spec.child].fields, children[spec.child].intervals
    cases: list[tuple[str, Expr]] = []
    for value, scalar in spec.cases:
        if value and value not in declared.values:
            source.problem(scalar, f"{what}：“{value}”不是它的取值。", nearest(value, declared.values))
            return None
        expr = check_text(source, scalar, fields, want, intervals, what)
        if expr is None:
            return None
        cases.append((value, expr))
    where = None
    if spec.where is not None:
        where = check_text(source, spec.where, fields, BOOL, intervals, what)
        if where is None:
            return None
    return Derived(declared, tuple(cases), spec.how, spec.same, spec.child, where, spec.least)


def order_of(sector: str, derived: Map[str, Derived], criteria: Map[str, Criterion], owners: dict[str, Source]) -> tuple[str, ...]:
    """Derived fields and criteria referred to, each after all that it needs. A cycle is a problem that names its members."""
    graph: dict[str, set[str]] = {}
    referred: set[str] = set()

    def needs(exprs: Iterable[Expr], source: Source, line: int) -> set[str]:
        found: set[str] = set()
        for expr in exprs:
            found |= {name for name in fields_of(expr) if name in derived}
            for criterion_id in criteria_of(expr):
                if criterion_id in criteria:
                    found.add(criterion_id)
                    referred.add(criterion_id)
                else:
                    source.at(line, 1, f"MET 指向的条款“{criterion_id}”不存在。", nearest(criterion_id, criteria))
        return found

    for name, made in derived.items():
        source = owners.get(made.field.file) or Source(made.field.file)
        graph[name] = needs([expr for _, expr in made.cases], source, made.field.line) | ({made.same} & set(derived))
    for criterion in criteria.values():
        exprs = [expr for expr in (criterion.applies, criterion.when) if expr is not None]
        graph[criterion.id] = needs(exprs, owners.get(criterion.file) or Source(criterion.file), criterion.line)
    try:
        whole = tuple(TopologicalSorter({name: sorted(before) for name, before in graph.items()}).static_order())
    except CycleError as error:
        members = list(dict.fromkeys(error.args[1]))
        first = derived.get(members[0])
        at = (first.field.file, first.field.line) if first else (criteria[members[0]].file, criteria[members[0]].line)
        source = owners.get(at[0]) or next(iter(owners.values()))
        source.at(at[1], 1, f"推导成环：{' → '.join(error.args[1])}。", "请断开其中一处。")
        return ()
    return tuple(name for name in whole if name in derived or name in referred)


def reached(criteria: Iterable[Criterion], derived: Map[str, Derived]) -> set[str]:
    """The names of all fields that the criteria need, through derivations."""
    found: set[str] = set()
    todo = [name for c in criteria for expr in (c.applies, c.when) if expr is not None for name in fields_of(expr)]
    todo += [c.once_per for c in criteria if c.once_per]
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += derived[name].reads if name in derived else ()
    return found
