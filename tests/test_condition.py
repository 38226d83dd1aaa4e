"""What a condition may not say: the exact message, hint and place of every mistake, and no input that exhausts the parser.

The mistakes are put to the dictionary of docs/semantics.md. A place is written as the part of the text that is underlined.
"""

from __future__ import annotations

import time

import polars as pl
import pytest

from engine.columnar import evaluate
from engine.condition import MAX_BRACKETS, MAX_CHAIN, MAX_LENGTH, ConditionError, parse
from engine.tree import DATE, Compare, Literal, Ref, Type
from engine.units import UNITS

from .semantics.conditions import dictionary

SEE_PAGE = "能用的写法见 docs/rules.md“条件怎么写”。"
PAIRS = "请检查括号、引号和运算符是否成对、齐全。"
TO_BOOL = "枚举和文字要写成 字段 = '取值'，数要与界限比较。"
WHOLE_BOOL = "条件要能成立或不成立，如 字段 = '取值'。"
NO_ORDER = "只能用 =、<> 或 IN。"
SYMBOL = "不等于写 <>，或写 OR，其余写法见 docs/rules.md。"
FUNCTIONS = "可用的函数：ADD_MONTHS、ADD_DAYS、CONTAINS、COUNT_MET、MET。"
BY_MONTHS = "跨日历的比较请用 ADD_MONTHS。"
SHORTER = "请拆成几条，或用推导字段。"


def errors_of(text: str, want: Type | None = None) -> list[ConditionError]:
    expr, errors = parse(text, dictionary()) if want is None else parse(text, dictionary(), want)
    assert (expr is None) == bool(errors), "a tree, or a reason why there is none"
    return errors


def shown(text: str) -> list[tuple[str, str, str]]:
    """Message, hint and underlined text of every mistake."""
    return [(error.message, error.hint, text[error.start : error.end]) for error in errors_of(text)]


UNKNOWN_FIELDS = [
    ("数里 > 3", "没有“数里”这个字段。", "是不是“数量”？", "数里"),
    ("甲 AND 检验日其 > 检查日期", "没有“检验日其”这个字段。", "是不是“检验日期”？", "检验日其"),
    ("数量 > 3 AND 全然不同", "没有“全然不同”这个字段。", "请先在 fields.yaml 里声明。", "全然不同"),
    ("甲\nAND\n数里 > 1", "没有“数里”这个字段。", "是不是“数量”？", "数里"),
    ('"数 量" > 1', "没有“数 量”这个字段。", "是不是“数量”？", '"数 量"'),
    ("表.甲", "字段名里不能有点号。", "请用双引号把字段名括起来。", "表.甲"),
]
TYPES = [
    ("数量 = '3'", "两边类型不同：数与文字。", "数不要加引号。", "数量 = '3'"),
    ("数量 BETWEEN '1' AND 3", "两边类型不同：数与文字。", "数不要加引号。", "数量 BETWEEN '1' AND 3"),
    ("甲 = '是'", "两边类型不同：是非与文字。", "是非字段直接写字段名，或 NOT 字段。", "甲 = '是'"),
    ("甲 = 1", "两边类型不同：是非与整数。", "请检查字段的类型。", "甲 = 1"),
    ("乙 OR 检查日期 = '2024-01-01'", "两边类型不同：日期与文字。", "日期常量写 DATE '2024-01-01'。", "检查日期 = '2024-01-01'"),
    ("检查日期 > 3", "两边类型不同：日期与整数。", "请检查字段的类型。", "检查日期 > 3"),
    ("类别 = 品种", "两边类型不同：枚举与文字。", "请检查字段的类型。", "类别 = 品种"),
    ("1 < 数量 < 3", "两边类型不同：是非与整数。", "请检查字段的类型。", "1 < 数量 < 3"),
    ("类别 > '锅炉'", "枚举不能比大小。", NO_ORDER, "类别 > '锅炉'"),
    ("品种 <= '甲'", "文字不能比大小。", NO_ORDER, "品种 <= '甲'"),
    ("甲 >= 乙", "是非不能比大小。", NO_ORDER, "甲 >= 乙"),
    ("数量", "这里要是非，却是数。", WHOLE_BOOL, "数量"),
    ("COUNT_MET(甲)", "这里要是非，却是整数。", WHOLE_BOOL, "COUNT_MET(甲"),
    ("甲 AND 数量", "这里要是非，却是数。", TO_BOOL, "数量"),
    ("NOT 类别", "这里要是非，却是枚举。", TO_BOOL, "类别"),
    ("COUNT_MET(甲, 备注) >= 1", "这里要是非，却是文字。", TO_BOOL, "备注"),
    ("类别 + 1 > 2", "算术要数，这里是枚举。", "", "类别"),
    ("检验日期 + 1 > 检查日期", "算术要数，这里是日期。", "日期加减请用 ADD_DAYS、ADD_MONTHS，两个日期只能相减。", "检验日期"),
    ("-甲 > 1", "这里要是数，却是是非。", "", "甲"),
    ("ADD_MONTHS(数量, 1) > 检查日期", "ADD_MONTHS 的第一个参数要是日期，却是数。", "", "数量"),
    ("ADD_DAYS(检验日期, 甲) > 检查日期", "这里要是数，却是是非。", "", "甲"),
    ("CONTAINS(数量, '超')", "CONTAINS 只能用于文字，这里是数。", "", "CONTAINS(数量, '超'"),
    ("CONTAINS(备注, 品种)", "CONTAINS 要写成 CONTAINS(字段, '词')。", "", "CONTAINS(备注, 品种"),
    ("CONTAINS(备注, '')", "CONTAINS 要写成 CONTAINS(字段, '词')。", "", "CONTAINS(备注, ''"),
    ("数量 = NULL", "不能与 NULL 比较。", "问是否空着请写 字段 IS NULL。", "数量"),
    ("甲 IS TRUE", "IS 只能写成 字段 IS NULL 或 字段 IS NOT NULL。", "", "甲"),
    ("(数量 + 1) IS NULL", "IS 只能写成 字段 IS NULL 或 字段 IS NOT NULL。", "", "数量 + 1"),
    ("MET(甲)", "MET 里要是一个条款 id。", "如 MET('gas/mohurd-gas-4-2023/5-1')。", "MET(甲"),
    ("COUNT_MET(甲) * COUNT_MET(乙) > 1", "区间计数只能乘以或除以常数。", "", "COUNT_MET(甲) * COUNT_MET(乙"),
]
UNITS_WRONG = [
    ("高度_m > 药量_kg", "单位不合：kg 与 m 不能互相比较或换算。", "请检查字段的单位。", "高度_m > 药量_kg"),
    ("甲 AND 高度_m + 药量_kg > 3", "单位不合：kg 与 m 不能互相比较或换算。", "请检查字段的单位。", "高度_m + 药量_kg"),
    ("罚款_元 > 件数", "单位不合：件 与 元 不能互相比较或换算。", "请检查字段的单位。", "罚款_元 > 件数"),
    ("周期_月 = 天数", "单位不合：日 与 月 不能互相比较或换算。", BY_MONTHS, "周期_月 = 天数"),
    ("检查日期 - 检验日期 > 周期_月", "单位不合：月 与 日 不能互相比较或换算。", BY_MONTHS, "检查日期 - 检验日期 > 周期_月"),
    ("ADD_MONTHS(检验日期, 天数) > 检查日期", "单位不合：日 与 月 不能互相比较或换算。", BY_MONTHS, "天数"),
    ("ADD_DAYS(检验日期, 周期_年) > 检查日期", "单位不合：年 与 日 不能互相比较或换算。", BY_MONTHS, "周期_年"),
]
VALUES = [
    ("类别 = '电剃'", "“类别”没有“电剃”这个取值。", "是不是“电梯”？", "类别 = '电剃'"),
    ("'摩天轮' <> 类别", "“类别”没有“摩天轮”这个取值。", "可用的取值：锅炉、电梯、叉车。", "'摩天轮' <> 类别"),
    ("类别 IN ('锅炉', '摩天轮')", "“类别”没有“摩天轮”这个取值。", "可用的取值：锅炉、电梯、叉车。", "类别 IN ('锅炉', '摩天轮'"),
    ("DATE '2024-02-30' = 检查日期", "“2024-02-30”不是日期。", "请写成 DATE '2024-01-31' 的样子。", "'2024-02-30'"),
    ("数量 > 1e400", "数“1e400”太大或太小。", "", "1e400"),
]
REFUSED = [
    ("CASE WHEN 甲 THEN 乙 ELSE 丙 END", "不支持的写法：Case。", SEE_PAGE, "甲 THEN 乙 ELSE 丙"),
    ("备注 LIKE '超期'", "不支持的写法：Like。", "文字里找词请用 CONTAINS(字段, '词')。", "备注 LIKE '超期'"),
    ("数量 IN (SELECT 1)", "IN 后面要是一列常量。", "如 IN ('甲','乙')。", "数量 IN (SELECT 1"),
    ("(SELECT 1) = 数量", "不支持的写法：Subquery。", SEE_PAGE, "1"),
    ("甲 AND EXISTS (SELECT 数量)", "不支持的写法：Exists。", SEE_PAGE, "数量"),
    ("SELECT 数量", "不支持的写法：Select。", SEE_PAGE, "数量"),
    ("COALESCE(数量, 0) > 1", "不支持的写法：Coalesce。", SEE_PAGE, "COALESCE(数量, 0"),
    ("CURRENT_DATE > 检查日期", "不支持的写法：CurrentDate。", SEE_PAGE, "CURRENT_DATE > 检查日期"),
    ("数量 IS DISTINCT FROM 3", "不支持的写法：NullSafeNEQ。", SEE_PAGE, "数量 IS DISTINCT FROM 3"),
    ("CAST(数量 AS DATE) = 检查日期", "不支持类型转换。", "日期常量写 DATE '2024-01-31'。", "数量"),
    ("CONTAIN(备注, '超')", "没有“CONTAIN”这个函数。", "是不是“CONTAINS”？", "CONTAIN(备注, '超'"),
    ("甲 AND foo(数量) > 1", "没有“foo”这个函数。", FUNCTIONS, "foo(数量"),
    ("ADD_DAYS(检验日期) > 检查日期", "ADD_DAYS 的参数个数不对。", "写法见 docs/rules.md“条件怎么写”。", "ADD_DAYS(检验日期"),
    ("COUNT_MET() >= 1", "COUNT_MET 里要有条件。", "", "COUNT_MET"),
    ("甲 乙", "不支持的写法：Alias。", "两部分之间少了 AND、OR 或比较符号。", "甲 乙"),
]
SYMBOLS = [
    ("数量 ＞ 3", "出现了全角符号“＞”。", "请改用半角的 > 。", "＞"),
    ("（甲 OR 乙） AND 丙", "出现了全角符号“（”。", "请改用半角的 ( 。", "（"),
    ("类别 IN ('锅炉'，'电梯')", "出现了全角符号“，”。", "请改用半角的 , 。", "，"),
    ("品种 = ‘乘客电梯’", "出现了全角符号“‘”。", "请改用半角的 ' 。", "‘"),
    ("品种 = “乘客电梯”", "出现了全角符号““”。", "请改用半角的 \" 。", "“"),
    ("甲; DROP TABLE t", "不支持的符号“;”。", SYMBOL, ";"),
    ("数量 != 1", "不支持的符号“!”。", SYMBOL, "!"),
    ("数量 % 2 = 0", "不支持的符号“%”。", SYMBOL, "%"),
    ("'2024-01-01'::DATE = 检查日期", "不支持的符号“:”。", SYMBOL, ":"),
    ("数量 == 1", "不支持的符号“==”。", "等于写一个 = 。", "=="),
    ("数量 > 10 -- 说明", "条件里不许有注释。", "说明请写在 note 里。", "--"),
    ("数量 /* 说明 */ > 1", "条件里不许有注释。", "说明请写在 note 里。", "/*"),
    ("备注 = '超期", "引号没有成对。", "请在文字的末尾补上同样的引号。", "'"),
    ("备注 = '甲' AND 品种 = '乙", "引号没有成对。", "请在文字的末尾补上同样的引号。", "'"),
    ('"备注 = 1', "引号没有成对。", "请在文字的末尾补上同样的引号。", '"'),
    ("数量 > 3 OR", "条件读不懂。", PAIRS, "OR"),
    ("甲 AND (乙", "条件读不懂。", PAIRS, "乙"),
    ("甲)", "条件读不懂。", PAIRS, ")"),
    ("甲 XOR 乙", "条件读不懂。", PAIRS, "XOR"),
    ("", "条件是空的。", "", ""),
    (" \n ", "条件是空的。", "", ""),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message", "hint", "place"), UNKNOWN_FIELDS + TYPES + UNITS_WRONG + VALUES + REFUSED + SYMBOLS)
def test_a_mistake_is_named_with_its_place_and_its_mend(text: str, message: str, hint: str, place: str) -> None:
    assert shown(text) == [(message, hint, place)]


def test_the_place_of_a_mistake_is_counted_in_characters() -> None:
    assert errors_of("甲 AND\n  数里 > 1") == [ConditionError("没有“数里”这个字段。", "是不是“数量”？", 8, 10)]
    assert errors_of("备注 = '甲' AND 品种 = '乙") == [ConditionError("引号没有成对。", "请在文字的末尾补上同样的引号。", 18, 19)]


def test_all_mistakes_are_listed_at_once() -> None:
    assert shown("数里 > 1 AND 类别 = '电剃' AND NOT (高度_m > 药量_kg OR 品种)") == [
        ("没有“数里”这个字段。", "是不是“数量”？", "数里"),
        ("“类别”没有“电剃”这个取值。", "是不是“电梯”？", "类别 = '电剃'"),
        ("单位不合：kg 与 m 不能互相比较或换算。", "请检查字段的单位。", "高度_m > 药量_kg"),
        ("这里要是非，却是文字。", TO_BOOL, "品种"),
    ]


@pytest.mark.parametrize(("text", "want", "message"), [
    ("检查日期", Type("number"), "这里要数，却是日期。"),
    ("甲", DATE, "这里要日期，却是是非。"),
    ("数量 / 2", Type("integer"), "这里要整数，表达式却可能有小数。"),
    ("药量_kg", Type("number", UNITS["m"]), "单位不合：kg 与 m 不能互相比较或换算。"),
])  # fmt: skip
def test_what_a_field_derives_to_must_have_its_type_and_unit(text: str, want: Type, message: str) -> None:
    assert [error.message for error in errors_of(text, want)] == [message]


@pytest.mark.parametrize("text", [
    "备注 = '（全角），；-- /* 10% !'", "CONTAINS(备注, 'it''s')", "品种 = '数里'", "甲 and not 乙 or 丙", '"甲" AND "数量" > 1',
])  # fmt: skip
def test_what_stands_in_quotes_and_the_case_of_words_are_free(text: str) -> None:
    assert shown(text) == []


def test_an_apostrophe_is_doubled() -> None:
    expr, _ = parse("备注 = 'it''s'", dictionary())
    assert isinstance(expr, Compare) and isinstance(expr.left, Ref) and isinstance(expr.right, Literal)
    assert expr.right.value == "it's"


DEEP = [
    ("(" * 10_000 + "甲" + ")" * 10_000, "条件有 20,001 字，超过 4,000。", SHORTER, (0, 1)),
    ("NOT " * 10_000 + "甲", "条件有 40,001 字，超过 4,000。", SHORTER, (0, 1)),
    ("(" * 1_000 + "甲" + ")" * 1_000, "括号超过 32 层。", "请用推导字段拆开。", (32, 33)),
    ("(" * 10_000, "条件有 10,000 字，超过 4,000。", SHORTER, (0, 1)),
    ("甲 AND " + "(" * 3_000, "括号超过 32 层。", "请用推导字段拆开。", (38, 39)),
    ("NOT " * 900 + "甲", "连续的 NOT 或负号太多。", "请化简。", (0, 3)),
    ("数量 > " + "- " * 900 + "1", "连续的 NOT 或负号太多。", "请化简。", (5, 8)),
    ("甲" + " AND 甲" * 300, "AND、OR 超过 200 个。", SHORTER, (1_202, 1_205)),
    ("数量" + " + 1" * 900 + " > 0", "条件嵌套超过 150 层（连着的 + - * / 和比较每个算一层）。", "请用推导字段拆开。", (0, 3_606)),
    ("甲" + " = 甲" * 900, "条件嵌套超过 150 层（连着的 + - * / 和比较每个算一层）。", "请用推导字段拆开。", (0, 3_601)),
    ("1 / (" * 30 + "数量" + ")" * 30 + " > 1", "COUNT_MET、ADD_MONTHS、ADD_DAYS 和除数互相套了 30 层，超过 5 层。", "请用推导字段拆开。", (0, 186)),
    ("COUNT_MET(甲)" + " * 2" * 8 + " > 3", "COUNT_MET、ADD_MONTHS、ADD_DAYS 和除数互相套了 9 层，超过 5 层。", "请用推导字段拆开。", (0, 48)),
    ("COUNT_MET(" * 20 + "甲" + ") = 1" * 20, "COUNT_MET、ADD_MONTHS、ADD_DAYS 和除数互相套了 20 层，超过 5 层。", "请用推导字段拆开。", (0, 301)),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message", "hint", "span"), DEEP, ids=[f"{text[:12]}…{len(text)}" for text, *_ in DEEP])
def test_what_is_deep_or_long_is_refused_at_once(text: str, message: str, hint: str, span: tuple[int, int]) -> None:
    started = time.perf_counter()
    assert errors_of(text) == [ConditionError(message, hint, *span)]
    assert time.perf_counter() - started < 2


AT_THE_LIMIT = [
    ("(" * MAX_BRACKETS + "甲" + ")" * MAX_BRACKETS, True),
    ("NOT " * (MAX_BRACKETS - 1) + "甲", False),
    ("甲" + " AND 甲" * MAX_CHAIN, True),
    ("甲" + " AND 乙 OR 甲" * (MAX_CHAIN // 2), True),
    ("数量" + " + 1" * 140 + " = 141", True),
    ("数量" + " - 1" * 140 + " = -139", True),
    ("COUNT_MET(" * 5 + "甲" + ") = 1" * 5, True),
    ("COUNT_MET(甲)" + " * 2" * 4 + " = 16", True),
    ("甲 OR 备注 = '" + "字" * (MAX_LENGTH - 12) + "'", True),
    ("ADD_DAYS(" * 5 + "检查日期" + ", 1)" * 5 + " = DATE '2024-01-06'", True),
]  # fmt: skip


@pytest.mark.parametrize(("text", "truth"), AT_THE_LIMIT, ids=[f"{text[:12]}…{len(text)}" for text, _ in AT_THE_LIMIT])
def test_what_is_just_within_the_limits_is_judged(text: str, truth: bool) -> None:
    expr, errors = parse(text, dictionary())
    assert expr is not None, errors
    row = pl.DataFrame({"甲": [True], "乙": [None], "备注": [""], "数量": [1.0], "检查日期": ["2024-01-01"]}, schema_overrides={"乙": pl.Boolean})
    assert evaluate(expr, row.with_columns(pl.col("检查日期").str.to_date()), dictionary()).to_list() == [truth]
