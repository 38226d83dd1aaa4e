"""Condition text -> a small typed tree. sqlglot parses; every node that is not ours is refused by name.

The language and its meaning are in docs/rules.md and docs/semantics.md. Nothing outside this module knows about sqlglot, and the
tree knows nothing about columns of data: `columnar.py` turns it into Polars, `tests/` has an independent interpreter.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from engine.fields import Field
from engine.problems import nearest
from engine.tree import (
    BOOL,
    DATE,
    TEXT,
    AddDays,
    AddMonths,
    And,
    Arith,
    Compare,
    Contains,
    CountMet,
    DaysBetween,
    Expr,
    IsNull,
    Literal,
    Met,
    Not,
    Or,
    Ref,
    Scale,
    Type,
    Unknown,
    children,
    type_of,
)
from engine.units import ONE, UNITS, Unit

MAX_LENGTH = 4_000
MAX_BRACKETS = 32
MAX_CHAIN = 200
MAX_DEPTH = 150
MAX_EXPONENT = 100
MAX_NESTED = 5
FUNCTIONS = ("ADD_MONTHS", "ADD_DAYS", "CONTAINS", "COUNT_MET", "MET")


@dataclass(frozen=True)
class ConditionError:
    """One thing wrong in a condition: message, hint, and the half-open span in its text."""

    message: str
    hint: str
    start: int
    end: int


def parse(
    text: str, fields: Mapping[str, Field], want: Type = BOOL, intervals: frozenset[str] = frozenset()
) -> tuple[Expr | None, list[ConditionError]]:
    """Parse and type-check `text`. Returns the tree (None when unusable) and all errors found.

    `want` is the type that the whole must have (a number in another unit is converted). `intervals` names the fields that are
    only known as intervals (counts)."""
    tree = _read(text)
    if isinstance(tree, ConditionError):
        return None, [tree]
    checker = _Checker(text, fields, intervals)
    made = checker.convert(tree)
    if made is not None:
        made = checker.fit(made, want, tree)
    if made is not None and _nested(made) > MAX_NESTED:
        message = f"COUNT_MET、ADD_MONTHS、ADD_DAYS 和除数互相套了 {_nested(made)} 层，超过 {MAX_NESTED} 层。"
        return None, [ConditionError(message, "请用推导字段拆开。", 0, len(text))]
    return (None if checker.errors else made), checker.errors


@lru_cache(maxsize=4_096)
def _read(text: str) -> exp.Expr | ConditionError:
    """The parser's own tree, which hangs on no fields: the same scope stands before many criteria."""
    refused = _precheck(text)
    if refused:
        return refused
    try:
        tree = sqlglot.parse_one(text)
    except (SqlglotError, RecursionError, ValueError) as error:
        return _syntax_error(text, error)
    if _depth(tree) > MAX_DEPTH:
        return ConditionError(f"条件嵌套超过 {MAX_DEPTH} 层（连着的 + - * / 和比较每个算一层）。", "请用推导字段拆开。", 0, len(text))
    return tree


def forget() -> None:
    """Let go of the texts that were read."""
    _read.cache_clear()


_OUTSIDE = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"")
_FULLWIDTH = str.maketrans("（）＞＜＝，；‘’“”＋－＊／", "()><=,;''\"\"+-*/")


def _precheck(text: str) -> ConditionError | None:
    """Refuse, before any parser sees it, what could be deep, long or misleading."""
    if not text.strip():
        return ConditionError("条件是空的。", "", 0, 0)
    if len(text) > MAX_LENGTH:
        return ConditionError(f"条件有 {len(text):,} 字，超过 {MAX_LENGTH:,}。", "请拆成几条，或用推导字段。", 0, 1)
    bare = _OUTSIDE.sub(lambda m: " " * len(m.group()), text)
    depth = 0
    for at, char in enumerate(bare):
        if char == "(":
            depth += 1
            if depth > MAX_BRACKETS:
                return ConditionError(f"括号超过 {MAX_BRACKETS} 层。", "请用推导字段拆开。", at, at + 1)
        elif char == ")":
            depth -= 1
        elif char in "（）＞＜＝，；＋－＊／‘’“”":
            return ConditionError(f"出现了全角符号“{char}”。", f"请改用半角的 {char.translate(_FULLWIDTH)} 。", at, at + 1)
        elif char in ";[]{}?@:#$\\`~^&|%!":
            return ConditionError(f"不支持的符号“{char}”。", "不等于写 <>，或写 OR，其余写法见 docs/rules.md。", at, at + 1)
        elif char in "'\"":
            return ConditionError("引号没有成对。", "请在文字的末尾补上同样的引号。", at, at + 1)
    if "==" in bare:
        at = bare.index("==")
        return ConditionError("不支持的符号“==”。", "等于写一个 = 。", at, at + 2)
    for mark in ("--", "/*"):
        if mark in bare:
            at = bare.index(mark)
            return ConditionError("条件里不许有注释。", "说明请写在 note 里。", at, at + 2)
    chain = re.search(rf"(?:\bNOT\b[\s(]*|-\s*){{{MAX_BRACKETS},}}", bare, re.IGNORECASE)
    if chain:
        return ConditionError("连续的 NOT 或负号太多。", "请化简。", chain.start(), chain.start() + 3)
    joins = list(re.finditer(r"\b(AND|OR)\b", bare, re.IGNORECASE))
    if len(joins) > MAX_CHAIN:
        return ConditionError(f"AND、OR 超过 {MAX_CHAIN} 个。", "请拆成几条，或用推导字段。", joins[MAX_CHAIN].start(), joins[MAX_CHAIN].end())
    return None


def _depth(tree: exp.Expr) -> int:
    """How many nodes stand above the deepest one; a chain of AND or of OR counts as one node, for it becomes one."""
    deepest, todo = 0, [(tree, 1)]
    while todo:
        node, depth = todo.pop()
        deepest = max(deepest, depth)
        for child in node.iter_expressions():
            chained = isinstance(node, exp.And | exp.Or) and type(child) is type(node)
            todo.append((child, depth if chained else depth + 1))
    return deepest


def _nested(expr: Expr) -> int:
    """How deep those nodes stand in each other whose operand the compiled expression repeats: it grows as a power of this."""
    match expr:
        case Arith("/", left, right):
            return max(_nested(left) + expr.type.interval, _nested(right) + 1)
    below = max((_nested(child) for child in children(expr)), default=0)
    repeats = isinstance(expr, CountMet | AddMonths | AddDays) or (isinstance(expr, Arith) and expr.op == "*" and expr.type.interval)
    return below + repeats


def _syntax_error(text: str, error: Exception) -> ConditionError:
    details = getattr(error, "errors", None)
    if details:
        at = details[0]
        context = at.get("start_context") or ""
        start = text.find(at.get("highlight") or "", len(context) if text.startswith(context) else 0)
        start = max(0, start)
        return ConditionError("条件读不懂。", "请检查括号、引号和运算符是否成对、齐全。", start, start + max(1, len(at.get("highlight") or "")))
    return ConditionError("条件读不懂：引号没有成对，或嵌套太深。", "请检查引号和括号。", 0, min(len(text), 40))


_COMPARE: dict[type[exp.Expr], str] = {exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">="}
_ARITH: dict[type[exp.Expr], str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/"}
_INSTEAD = {"Alias": "两部分之间少了 AND、OR 或比较符号。", "Like": "文字里找词请用 CONTAINS(字段, '词')。"}
_CHINESE = {"bool": "是非", "enum": "枚举", "number": "数", "integer": "整数", "date": "日期", "text": "文字"}


class _Checker:
    """Converts one sqlglot tree; `errors` collects all that is wrong."""

    def __init__(self, text: str, fields: Mapping[str, Field], intervals: frozenset[str]):
        self.text, self.fields, self.intervals = text, fields, intervals
        self.errors: list[ConditionError] = []

    def error(self, node: exp.Expr, message: str, hint: str = "") -> None:
        spans = [(n.meta["start"], n.meta["end"] + 1) for n in node.walk() if "start" in n.meta]
        start, end = (min(s for s, _ in spans), max(e for _, e in spans)) if spans else (0, len(self.text))
        self.errors.append(ConditionError(message, hint, start, end))

    def convert(self, node: exp.Expr) -> Expr | None:
        if isinstance(node, exp.Paren):
            return self.convert(node.this)
        if isinstance(node, exp.And | exp.Or):
            return self._chain(node)
        if isinstance(node, exp.Not):
            operand = self._boolean(node.this)
            return Not(operand) if operand else None
        if type(node) in _COMPARE:
            return self._compare(node, _COMPARE[type(node)], node.this, node.expression)
        if type(node) in _ARITH:
            return self._arithmetic(node, _ARITH[type(node)])
        handler = getattr(self, f"_on_{type(node).__name__.lower()}", None)
        if handler is None:
            hint = _INSTEAD.get(type(node).__name__, "能用的写法见 docs/rules.md“条件怎么写”。")
            self.error(node, f"不支持的写法：{type(node).__name__}。", hint)
            return None
        made: Expr | None = handler(node)
        return made

    def _chain(self, node: exp.Expr) -> Expr | None:
        kind = type(node)
        parts: list[exp.Expr] = []
        todo = [node]
        while todo:
            at = todo.pop()
            if type(at) is kind:
                todo += [at.expression, at.this]
            elif isinstance(at, exp.Paren) and type(at.this) is kind:
                todo.append(at.this)
            else:
                parts.append(at)
        made = [self._boolean(part) for part in parts]
        whole = tuple(x for x in made if x is not None)
        if len(whole) < len(made):
            return None
        return And(whole) if kind is exp.And else Or(whole)

    def _boolean(self, node: exp.Expr) -> Expr | None:
        made = self.convert(node)
        if made is not None and made.type.kind != "bool":
            hint = "枚举和文字要写成 字段 = '取值'，数要与界限比较。"
            self.error(node, f"这里要是非，却是{_CHINESE[made.type.kind]}。", hint)
            return None
        return made

    def _on_column(self, node: exp.Column) -> Expr | None:
        name = node.name
        if node.args.get("table") is not None:
            self.error(node, "字段名里不能有点号。", "请用双引号把字段名括起来。")
            return None
        field = self.fields.get(name)
        if field is None:
            self.error(node, f"没有“{name}”这个字段。", nearest(name, self.fields) or "请先在 fields.yaml 里声明。")
            return None
        made = type_of(field)
        return Ref(name, replace(made, interval=name in self.intervals))

    def _on_literal(self, node: exp.Literal) -> Expr | None:
        if node.is_string:
            return Literal(node.name, TEXT)
        try:
            value = Decimal(node.name)
        except ArithmeticError:
            self.error(node, f"数“{node.name}”读不懂。")
            return None
        if value and abs(value.adjusted()) > MAX_EXPONENT:
            self.error(node, f"数“{node.name}”太大或太小。")
            return None
        return Literal(value, Type("integer" if value == value.to_integral_value() else "number"))

    def _on_boolean(self, node: exp.Boolean) -> Expr:
        return Literal(bool(node.this), BOOL)

    def _on_neg(self, node: exp.Neg) -> Expr | None:
        operand = self._number(node.this)
        if isinstance(operand, Literal) and isinstance(operand.value, Decimal):
            return Literal(-operand.value, operand.type)
        return Scale(operand, Fraction(-1), operand.type) if operand else None

    def _on_cast(self, node: exp.Cast) -> Expr | None:
        literal = node.this
        start = literal.meta.get("start", 0) if isinstance(literal, exp.Literal) and literal.is_string else 0
        if not re.search(r"\bDATE\s*$", self.text[:start], re.IGNORECASE) or node.to.this != exp.DataType.Type.DATE:
            self.error(node, "不支持类型转换。", "日期常量写 DATE '2024-01-31'。")
            return None
        try:
            return Literal(dt.date.fromisoformat(literal.name), DATE)
        except ValueError:
            self.error(node, f"“{literal.name}”不是日期。", "请写成 DATE '2024-01-31' 的样子。")
            return None

    def _on_between(self, node: exp.Between) -> Expr | None:
        low = self._compare(node, ">=", node.this, node.args["low"])
        high = self._compare(node, "<=", node.this, node.args["high"])
        return And((low, high)) if low and high else None

    def _on_in(self, node: exp.In) -> Expr | None:
        if not node.expressions:
            self.error(node, "IN 后面要是一列常量。", "如 IN ('甲','乙')。")
            return None
        parts = [self._compare(node, "=", node.this, item) for item in node.expressions]
        whole = tuple(part for part in parts if part is not None)
        if len(whole) < len(parts):
            return None
        return whole[0] if len(whole) == 1 else Or(whole)

    def _on_is(self, node: exp.Is) -> Expr | None:
        operand = self.convert(node.this)
        if operand is None:
            return None
        if not isinstance(node.expression, exp.Null) or not isinstance(operand, Ref):
            self.error(node, "IS 只能写成 字段 IS NULL 或 字段 IS NOT NULL。")
            return None
        return IsNull(operand)

    def _on_addmonths(self, node: exp.AddMonths) -> Expr | None:
        return self._shift(node, node.this, node.expression, "ADD_MONTHS", ("月",))

    def _on_contains(self, node: exp.Contains) -> Expr | None:
        return self._contains(node, [node.this, node.expression])

    def _on_anonymous(self, node: exp.Anonymous) -> Expr | None:
        name, arguments = str(node.this).upper(), node.expressions
        if name == "ADD_DAYS" and len(arguments) == 2:
            return self._shift(node, arguments[0], arguments[1], "ADD_DAYS", ("日",))
        if name == "CONTAINS":
            return self._contains(node, arguments)
        if name == "COUNT_MET":
            if not arguments:
                self.error(node, "COUNT_MET 里要有条件。")
                return None
            parts = [self._boolean(argument) for argument in arguments]
            whole = tuple(part for part in parts if part is not None)
            return CountMet(whole) if len(whole) == len(parts) else None
        if name == "MET":
            if len(arguments) != 1 or not isinstance(arguments[0], exp.Literal) or not arguments[0].is_string:
                self.error(node, "MET 里要是一个条款 id。", "如 MET('gas/mohurd-gas-4-2023/5-1')。")
                return None
            return Met(arguments[0].name)
        if name in FUNCTIONS:
            self.error(node, f"{name} 的参数个数不对。", "写法见 docs/rules.md“条件怎么写”。")
            return None
        self.error(node, f"没有“{node.this}”这个函数。", nearest(name, FUNCTIONS) or f"可用的函数：{'、'.join(FUNCTIONS)}。")
        return None

    def _contains(self, node: exp.Expr, arguments: list[exp.Expr]) -> Expr | None:
        text = self.convert(arguments[0]) if arguments else None
        word = arguments[1] if len(arguments) == 2 else None
        if not isinstance(word, exp.Literal) or not word.is_string or not word.name:
            self.error(node, "CONTAINS 要写成 CONTAINS(字段, '词')。")
            return None
        if text is None:
            return None
        if text.type.kind != "text":
            self.error(node, f"CONTAINS 只能用于文字，这里是{_CHINESE[text.type.kind]}。")
            return None
        return Contains(text, word.name)

    def _shift(self, node: exp.Expr, date: exp.Expr, count: exp.Expr, name: str, units: tuple[str, ...]) -> Expr | None:
        left, right = self.convert(date), self._number(count)
        if left is None or right is None:
            return None
        if left.type.kind != "date":
            self.error(date, f"{name} 的第一个参数要是日期，却是{_CHINESE[left.type.kind]}。")
            return None
        if isinstance(right, Literal) and isinstance(right.value, Decimal) and right.value != right.value.to_integral_value():
            self.error(count, f"{name} 的第二个参数要是整数。", "半个月、半天没有确定的日期。")
            return None
        wanted = UNITS[units[0]]
        if right.type.unit not in (None, ONE):
            converted = self._convert_unit(right, wanted, count)
            if converted is None:
                return None
            right = converted
        return AddMonths(left, right) if name == "ADD_MONTHS" else AddDays(left, right)

    def _number(self, node: exp.Expr) -> Expr | None:
        made = self.convert(node)
        if made is not None and made.type.kind not in ("number", "integer"):
            self.error(node, f"这里要是数，却是{_CHINESE[made.type.kind]}。")
            return None
        return made

    def _arithmetic(self, node: exp.Expr, op: str) -> Expr | None:
        left, right = self.convert(node.this), self.convert(node.expression)
        if left is None or right is None:
            return None
        kinds = (left.type.kind, right.type.kind)
        if op == "-" and kinds == ("date", "date"):
            return DaysBetween(left, right)
        for side, kind in ((node.this, kinds[0]), (node.expression, kinds[1])):
            if kind not in ("number", "integer"):
                hint = "日期加减请用 ADD_DAYS、ADD_MONTHS，两个日期只能相减。" if kind == "date" else ""
                self.error(side, f"算术要数，这里是{_CHINESE[kind]}。", hint)
                return None
        interval = left.type.interval or right.type.interval
        if op in "+-":
            aligned = self._align(node, left, right)
            if aligned is None:
                return None
            left, right = aligned
            unit = left.type.unit or right.type.unit
        else:
            if interval and not (isinstance(left, Literal) or (isinstance(right, Literal) and op == "*") or isinstance(right, Literal)):
                self.error(node, "区间计数只能乘以或除以常数。")
                return None
            a, b = left.type.unit or ONE, right.type.unit or ONE
            unit = a.times(b) if op == "*" else a.per(b)
            if left.type.unit is None and right.type.unit is None:
                unit = None
        kind = "integer" if op != "/" and kinds == ("integer", "integer") else "number"
        made = Arith(op, left, right, Type(kind, unit, (), interval))
        if unit is not None and not unit.dimensions and unit.scale != 1 and op == "/":
            # kg / t: bring the ratio to 1, or a bare literal beside it would be read in thousandths.
            return Scale(made, unit.scale, Type("number", ONE, (), interval))
        return made

    def _align(self, node: exp.Expr, left: Expr, right: Expr) -> tuple[Expr, Expr] | None:
        """Bring two numbers to one unit: a bare literal takes the other side's."""
        if left.type.unit is None or right.type.unit is None:
            return left, right
        converted = self._convert_unit(right, left.type.unit, node)
        return None if converted is None else (left, converted)

    def _convert_unit(self, expr: Expr, wanted: Unit, node: exp.Expr) -> Expr | None:
        have = expr.type.unit or ONE
        if have.dimensions != wanted.dimensions:
            calendar = {str(have), str(wanted)} & {"月", "年"}
            hint = "跨日历的比较请用 ADD_MONTHS。" if calendar else "请检查字段的单位。"
            self.error(node, f"单位不合：{have} 与 {wanted} 不能互相比较或换算。", hint)
            return None
        factor = have.factor_to(wanted)
        return expr if factor == 1 else Scale(expr, factor, replace(expr.type, kind="number", unit=wanted))

    def _compare(self, node: exp.Expr, op: str, left_node: exp.Expr, right_node: exp.Expr) -> Expr | None:
        if isinstance(left_node, exp.Null) or isinstance(right_node, exp.Null):
            if isinstance(node, exp.In):
                other = self.convert(left_node)
                return None if other is None else Unknown()
            self.error(node, "不能与 NULL 比较。", "问是否空着请写 字段 IS NULL。")
            return None
        left, right = self.convert(left_node), self.convert(right_node)
        if left is None or right is None:
            return None
        kinds = {left.type.kind, right.type.kind}
        if kinds <= {"number", "integer"}:
            aligned = self._align(node, left, right)
            return None if aligned is None else Compare(op, *aligned)
        if kinds == {"date"}:
            return Compare(op, left, right)
        if kinds == {"bool"} or (kinds <= {"enum", "text"} and not (kinds == {"enum", "text"} and not _has_literal(left, right))):
            if op not in ("=", "<>"):
                self.error(node, f"{_CHINESE[left.type.kind]}不能比大小。", "只能用 =、<> 或 IN。")
                return None
            return self._enum_compare(node, op, left, right)
        self.error(node, f"两边类型不同：{_CHINESE[left.type.kind]}与{_CHINESE[right.type.kind]}。", _mixed_hint(left, right))
        return None

    def _enum_compare(self, node: exp.Expr, op: str, left: Expr, right: Expr) -> Expr | None:
        for side, other in ((left, right), (right, left)):
            if side.type.kind == "enum" and isinstance(other, Literal) and other.value not in side.type.values:
                name = side.name if isinstance(side, Ref) else "该枚举"
                hint = nearest(str(other.value), side.type.values) or f"可用的取值：{'、'.join(side.type.values)}。"
                self.error(node, f"“{name}”没有“{other.value}”这个取值。", hint)
                return None
        if left.type.kind == right.type.kind == "enum" and not set(left.type.values) & set(right.type.values):
            self.error(node, "两个枚举没有共同的取值，比较不会成立。")
            return None
        return Compare(op, left, right)

    def fit(self, made: Expr, want: Type, node: exp.Expr) -> Expr | None:
        """Check that the whole has the wanted type, converting its unit."""
        numbers = ("number", "integer")
        if want.kind in numbers and made.type.kind in numbers:
            if want.kind == "integer" and made.type.kind == "number":
                self.error(node, "这里要整数，表达式却可能有小数。")
                return None
            if made.type.unit is None or want.unit is None:
                return made
            return self._convert_unit(made, want.unit, node)
        if want.kind == made.type.kind or (want.kind == "enum" and isinstance(made, Literal) and made.value in want.values):
            return made
        hint = "条件要能成立或不成立，如 字段 = '取值'。" if want.kind == "bool" else ""
        self.error(node, f"这里要{_CHINESE[want.kind]}，却是{_CHINESE[made.type.kind]}。", hint)
        return None


def _has_literal(left: Expr, right: Expr) -> bool:
    return isinstance(left, Literal) or isinstance(right, Literal)


def _mixed_hint(left: Expr, right: Expr) -> str:
    for side, other in ((left, right), (right, left)):
        if isinstance(other, Literal) and isinstance(other.value, str):
            if side.type.kind == "date":
                return f"日期常量写 DATE '{other.value}'。"
            if side.type.kind == "bool":
                return "是非字段直接写字段名，或 NOT 字段。"
            if side.type.kind in ("number", "integer"):
                return "数不要加引号。"
    return "请检查字段的类型。"
