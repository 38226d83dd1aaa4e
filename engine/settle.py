"""What would have to be known, or to change, for a condition to turn out so: the smallest sets of facts.

One question, asked on two levels. Of a table: which lacking columns would make it possible for a criterion to be met on some row
(docs/semantics.md, point 4)? Of a row: which blank facts would settle it (point 8)? `Knowledge` answers for the leaves; the rest is
the logic of the condition. Pure; knows nothing of frames.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from engine.pack import Sector
from engine.tree import And, Compare, CountMet, Expr, IsNull, Literal, Met, Not, Or, Ref, Unknown, children

Ways = tuple[frozenset[str], ...]
"""Alternatives, each a set of facts to be known; none contains another; shortest first. `()`: impossible. `SURE`: nothing is lacking."""

SURE: Ways = (frozenset(),)
LIMIT = 8
_CANDIDATES = 6


def least(sets: Iterable[frozenset[str]]) -> Ways:
    """The minimal ones among `sets`, shortest first, at most LIMIT."""
    kept: list[frozenset[str]] = []
    for one in sorted(set(sets), key=lambda s: (len(s), sorted(s))):
        if not any(other <= one for other in kept):
            kept.append(one)
            if len(kept) == LIMIT:
                break
    return tuple(kept)


def either(ways: Iterable[Ways]) -> Ways:
    """Any one of several."""
    return least(one for some in ways for one in some)


def together(ways: Iterable[Ways]) -> Ways:
    """All of several."""
    made: Ways = SURE
    for some in ways:
        if not some:
            return ()
        if some != SURE:
            made = least(a | b for a in made for b in some)
    return made


@dataclass
class Knowledge:
    """What is known of the leaves. `truth(leaf)`: True or False where settled, None where open (a leaf is a Boolean field, a comparison,
    IS NULL or CONTAINS). `free`: names of fields that have a value, though none in particular (a column of the table);
    `known`: names of fields whose value is known here. `askable`: whether a field may be asked for."""

    sector: Sector
    truth: Callable[[Expr], bool | None]
    known: frozenset[str]
    free: frozenset[str] = frozenset()
    askable: Callable[[str], bool] = lambda name: True
    _ways: dict[tuple[int, bool], Ways] = field(default_factory=dict)
    _know: dict[str, Ways] = field(default_factory=dict)
    _keep: list[Expr] = field(default_factory=list)

    def ways(self, expr: Expr, want: bool) -> Ways:
        """How `expr` can become certainly `want`."""
        key = (id(expr), want)
        if key not in self._ways:
            self._keep.append(expr)  # an id stays true only as long as its object lives
            self._ways[key] = self._find(expr, want)
        return self._ways[key]

    def _find(self, expr: Expr, want: bool) -> Ways:
        match expr:
            case Not(operand):
                return self.ways(operand, not want)
            case And(operands) | Or(operands):
                some = [self.ways(operand, want) for operand in operands]
                return together(some) if isinstance(expr, And) is want else either(some)
            case Literal(value):
                return SURE if value is want else ()
            case Unknown():
                return ()
            case Met(criterion):
                return self._met(criterion, want)
            case IsNull(Ref(name)):
                settled = self.truth(expr)
                return SURE if settled is want or name in self.free else ()
        settled = self.truth(expr)
        if settled is not None:
            return SURE if settled is want else ()
        if isinstance(expr, Ref):
            return self._of_field(expr.name, "", want)
        if isinstance(expr, Compare):
            return self._compared(expr, want)
        return self.know(expr)

    def _met(self, criterion_id: str, want: bool) -> Ways:
        found = [c for c in self.sector.criteria if c.id == criterion_id]
        parts = [part for c in found for part in (c.applies, c.when) if part is not None]
        some = [self.ways(part, want) for part in parts]
        return together(some) if want else either(some)

    def _of_field(self, name: str, value: str, want: bool) -> Ways:
        """How a Boolean field, or an enum's being `value`, can become `want`."""
        if name in self.free or name in self.known:
            return SURE
        some: list[Ways] = [(frozenset((name,)),)] if self.askable(name) else []
        derived = self.sector.derived.get(name)
        if derived is not None and derived.how:
            ((_, expr),) = derived.cases
            some.append(together([self._known(derived.same), self.know(expr)]))
        elif derived is not None and derived.cases[0][0] == "":
            some.append(self.ways(derived.cases[0][1], want) if not value else self.know(derived.cases[0][1]))
        elif derived is not None:
            some += [self.ways(expr, True) for case, expr in derived.cases if (case == value) is want]
        return either(some)

    def _compared(self, expr: Compare, want: bool) -> Ways:
        for side, other, mirrored in ((expr.left, expr.right, False), (expr.right, expr.left, True)):
            if isinstance(side, CountMet) and isinstance(other, Literal):
                return self._counted(side, _MIRROR[expr.op] if mirrored else expr.op, float(other.value), want)  # type: ignore[arg-type]
            if isinstance(side, Ref) and side.type.kind == "enum" and isinstance(other, Literal) and expr.op in ("=", "<>"):
                return self._of_field(side.name, str(other.value), want is (expr.op == "="))
        return self.know(expr)

    def _counted(self, count: CountMet, op: str, limit: float, want: bool) -> Ways:
        if not want:
            op = _NEGATED[op]
        size = len(count.operands)
        if op == "=":
            return together([self._counted(count, ">=", limit, True), self._counted(count, "<=", limit, True)])
        if op == "<>":
            return either([self._counted(count, ">", limit, True), self._counted(count, "<", limit, True)])
        at_least = op in (">", ">=")
        need = _ceiling(limit, strict=op == ">") if at_least else size - _floor(limit, strict=op == "<")
        return self._some(count.operands, need, at_least)

    def _some(self, operands: tuple[Expr, ...], need: int, want: bool) -> Ways:
        """How at least `need` of the operands can become `want`."""
        if need > len(operands):
            return ()
        found = [self.ways(operand, want) for operand in operands]
        need -= sum(1 for one in found if one == SURE)
        if need <= 0:
            return SURE
        open_ones = sorted((one for one in found if one and one != SURE), key=lambda one: (len(one[0]), sorted(one[0])))
        if len(open_ones) < need:
            return ()
        pool = open_ones[: max(need, min(len(open_ones), _CANDIDATES))]
        return either(together(some) for some in itertools.islice(itertools.combinations(pool, need), 60))

    def know(self, expr: Expr) -> Ways:
        """How all that the expression reads can become known."""
        match expr:
            case Ref(name):
                return self._known(name)
            case Literal():
                return SURE
            case Unknown():
                return ()
            case CountMet(operands):
                return together([self.know(operand) for operand in operands])
        return together([self.know(child) for child in children(expr)])

    def _known(self, name: str) -> Ways:
        if name in self.free or name in self.known:
            return SURE
        if name not in self._know:
            some: list[Ways] = [(frozenset((name,)),)] if self.askable(name) else []
            derived = self.sector.derived.get(name)
            if derived is not None and derived.cases[0][0] == "":
                some.append(together([self.know(derived.cases[0][1]), self._known(derived.same) if derived.same else SURE]))
            elif derived is not None:
                some += [self.ways(expr, True) for _, expr in derived.cases]
            self._know[name] = either(some)
        return self._know[name]


_MIRROR: Mapping[str, str] = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_NEGATED: Mapping[str, str] = {"=": "<>", "<>": "=", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}


def _ceiling(limit: float, strict: bool) -> int:
    whole = int(limit // 1)
    return whole + 1 if strict or whole != limit else whole


def _floor(limit: float, strict: bool) -> int:
    whole = int(limit // 1)
    return whole - 1 if strict and whole == limit else whole


def leaves(expr: Expr) -> tuple[Expr, ...]:
    """The parts of a condition that have a truth of their own: Boolean fields, comparisons, IS NULL, CONTAINS. Counts in a comparison
    count as their operands too."""
    found: list[Expr] = []
    todo = [expr]
    while todo:
        node = todo.pop()
        if isinstance(node, And | Or | Not | CountMet):
            todo += reversed(children(node))
        elif isinstance(node, Compare):
            found.append(node)
            todo += [side for side in (node.right, node.left) if isinstance(side, CountMet)]
        elif not isinstance(node, Literal | Unknown | Met) and node.type.kind == "bool":
            found.append(node)
    return tuple(dict.fromkeys(found))


def table_knowledge(sector: Sector, columns: Iterable[str]) -> Knowledge:
    """What a table with these columns can tell: every column free, every other field unknown unless derived."""
    return Knowledge(sector, lambda leaf: None, frozenset(), frozenset(columns))
