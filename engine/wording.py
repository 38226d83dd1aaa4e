"""A condition as a reader sees it: the text of a part, and a value as it stands on paper. Nothing here judges."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from fractions import Fraction

from engine.tree import AddDays, AddMonths, And, Arith, Compare, Contains, CountMet, DaysBetween, Expr, IsNull, Literal, Met, Not, Or, Ref, Scale

_TIGHT = {"Or": 0, "And": 1, "Not": 2, "Compare": 3, "Arith+": 4, "Arith-": 4, "DaysBetween": 4, "Arith*": 5, "Arith/": 5, "Scale": 5}
OPPOSITE = {"=": "<>", "<>": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}


def value_text(value: object) -> str:
    """A cell's value as text: 是/否, numbers without needless zeros, dates as 2024-01-31; a blank is 空白."""
    if value is None:
        return "空白"
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, float):
        return f"{value:.12g}" if abs(value) < 1e15 else repr(value)
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, Fraction):
        return str(value.numerator) if value.denominator == 1 else f"{float(value):.12g}"
    if isinstance(value, dt.date):
        return value.isoformat()
    return str(value)


def text_of(expr: Expr, within: int = -1) -> str:
    """The condition as it would be written in a rule file, with brackets only where they are needed. `within`: how tightly what stands
    around it binds."""
    kind = type(expr).__name__ + (expr.op if isinstance(expr, Arith) else "")
    tight = _TIGHT.get(kind, 9)
    text = _text(expr, tight)
    return f"({text})" if tight < within else text


def _text(expr: Expr, tight: int) -> str:
    match expr:
        case Ref(name):
            return name
        case Literal(value):
            if isinstance(value, bool):
                return "TRUE" if value else "FALSE"
            if isinstance(value, dt.date):
                return f"DATE '{value}'"
            return f"'{value}'" if isinstance(value, str) else value_text(value)
        case And(operands) | Or(operands):
            return (" AND " if isinstance(expr, And) else " OR ").join(text_of(operand, tight + 1) for operand in operands)
        case Not(operand):
            return f"NOT {text_of(operand, tight)}"
        case Compare(op, left, right):
            return f"{text_of(left, 4)} {op} {text_of(right, 4)}"
        case IsNull(operand):
            return f"{text_of(operand)} IS NULL"
        case Arith(op, left, right):
            return f"{text_of(left, tight)} {op} {text_of(right, tight + 1)}"
        case DaysBetween(left, right):
            return f"{text_of(left, tight)} - {text_of(right, tight + 1)}"
        case Scale(operand, factor):
            if factor == -1:
                return f"-{text_of(operand, 9)}"
            return text_of(operand, 9)  # a conversion of units: the reader knows the units by the fields
        case AddMonths(date, count):
            return f"ADD_MONTHS({text_of(date)}, {text_of(count)})"
        case AddDays(date, count):
            return f"ADD_DAYS({text_of(date)}, {text_of(count)})"
        case Contains(text, word):
            return f"CONTAINS({text_of(text)}, '{word}')"
        case CountMet(operands):
            return f"COUNT_MET({', '.join(text_of(operand) for operand in operands)})"
        case Met(criterion):
            return f"MET('{criterion}')"
    return "NULL"
