"""A condition that is wrong is refused with what is wrong, where, and what was probably meant: fixtures of text and exact error.

What a right condition means is tested in tests/semantics/.
"""

from __future__ import annotations

import time

import pytest

from engine.condition import MAX_BRACKETS, MAX_CHAIN, MAX_LENGTH, ConditionError, parse
from engine.fields import Field, read_fields
from engine.rulefile import Source, parse_rule_text
from engine.tree import DATE, And, Compare, Literal, Not, Or, Ref, Type, type_of

FIELDS = """
检查日期: {type: date, meaning: 一}
检验日期: {type: date, meaning: 一}
有证: {type: bool, meaning: 一}
在用: {type: bool, meaning: 一}
类别: {type: enum, values: [锅炉, 电梯, 叉车], meaning: 一}
档次: {type: enum, values: [甲级, 乙级], meaning: 一}
品种: {type: text, meaning: 一}
备注: {type: text, meaning: 一}
存药量: {type: number, unit: kg, meaning: 一}
定量: {type: number, unit: t, meaning: 一}
高度: {type: number, unit: m, meaning: 一}
周期: {type: integer, unit: 月, meaning: 一}
年限: {type: integer, unit: 年, meaning: 一}
天数: {type: integer, unit: 日, meaning: 一}
件数: {type: integer, unit: 件, meaning: 一}
字段 名: {type: bool, meaning: 一}
"""
MEND = "能用的写法见 docs/rules.md“条件怎么写”。"
PAIRS = "请检查括号、引号和运算符是否成对、齐全。"
UNFIT = "条件要能成立或不成立，如 字段 = '取值'。"
BARE = "枚举和文字要写成 字段 = '取值'，数要与界限比较。"
CONSTANT = "请检查字段的类型。"


def dictionary() -> dict[str, Field]:
    source = Source("fields.yaml", FIELDS)
    fields = read_fields(source, parse_rule_text(source), {})
    assert not source.problems
    return fields


DICTIONARY = dictionary()


def errors_of(text: str, want: Type | None = None) -> list[ConditionError]:
    expr, errors = parse(text, DICTIONARY) if want is None else parse(text, DICTIONARY, want)
    assert (expr is None) == bool(errors)
    return errors


REFUSED = [
    # text, message, hint, what is underlined
    ("有证 AND 营业中", "没有“营业中”这个字段。", "请先在 fields.yaml 里声明。", "营业中"),
    ("有证 AND 在运", "没有“在运”这个字段。", "是不是“在用”？", "在运"),
    ("存药 > 3", "没有“存药”这个字段。", "是不是“存药量”？", "存药"),
    ("检查日 > 检验日期", "没有“检查日”这个字段。", "是不是“检查日期”？", "检查日"),
    ("有证\n  AND 存药 > 3", "没有“存药”这个字段。", "是不是“存药量”？", "存药"),
    ("t.有证", "字段名里不能有点号。", "请用双引号把字段名括起来。", "t.有证"),
    # types
    ("存药量", "这里要是非，却是数。", UNFIT, "存药量"),
    ("件数 AND 有证", "这里要是非，却是整数。", BARE, "件数"),
    ("NOT 品种", "这里要是非，却是文字。", BARE, "品种"),
    ("'锅炉'", "这里要是非，却是文字。", UNFIT, "'锅炉'"),
    ("有证 > 1", "两边类型不同：是非与整数。", CONSTANT, "有证 > 1"),
    ("有证 = '是'", "两边类型不同：是非与文字。", "是非字段直接写字段名，或 NOT 字段。", "有证 = '是'"),
    ("存药量 > '3'", "两边类型不同：数与文字。", "数不要加引号。", "存药量 > '3'"),
    ("检查日期 > '2024-01-01'", "两边类型不同：日期与文字。", "日期常量写 DATE '2024-01-01'。", "检查日期 > '2024-01-01'"),
    ("检查日期 > 20240101", "两边类型不同：日期与整数。", CONSTANT, "检查日期 > 20240101"),
    ("件数 = 类别", "两边类型不同：整数与枚举。", CONSTANT, "件数 = 类别"),
    ("类别 = 品种", "两边类型不同：枚举与文字。", CONSTANT, "类别 = 品种"),
    ("类别 > '锅炉'", "枚举不能比大小。", "只能用 =、<> 或 IN。", "类别 > '锅炉'"),
    ("品种 >= '锅炉'", "文字不能比大小。", "只能用 =、<> 或 IN。", "品种 >= '锅炉'"),
    ("有证 + 1 > 2", "算术要数，这里是是非。", "", "有证"),
    ("检查日期 + 1 > 检验日期", "算术要数，这里是日期。", "日期加减请用 ADD_DAYS、ADD_MONTHS，两个日期只能相减。", "检查日期"),
    ("ADD_MONTHS(存药量, 1) > 检查日期", "ADD_MONTHS 的第一个参数要是日期，却是数。", "", "存药量"),
    ("ADD_DAYS(检验日期, 有证) > 检查日期", "这里要是数，却是是非。", "", "有证"),
    ("CONTAINS(有证, '词')", "CONTAINS 只能用于文字，这里是是非。", "", "CONTAINS(有证, '词'"),
    # units
    ("高度 > 存药量", "单位不合：kg 与 m 不能互相比较或换算。", "请检查字段的单位。", "高度 > 存药量"),
    ("高度 + 存药量 > 1", "单位不合：kg 与 m 不能互相比较或换算。", "请检查字段的单位。", "高度 + 存药量"),
    ("高度 BETWEEN 1 AND 存药量", "单位不合：kg 与 m 不能互相比较或换算。", "请检查字段的单位。", "高度 BETWEEN 1 AND 存药量"),
    ("高度 * 高度 > 高度", "单位不合：m 与 长度^2 不能互相比较或换算。", "请检查字段的单位。", "高度 * 高度 > 高度"),
    ("周期 > 天数", "单位不合：日 与 月 不能互相比较或换算。", "跨日历的比较请用 ADD_MONTHS。", "周期 > 天数"),
    ("天数 > 年限", "单位不合：年 与 日 不能互相比较或换算。", "跨日历的比较请用 ADD_MONTHS。", "天数 > 年限"),
    ("检查日期 - 检验日期 > 周期", "单位不合：月 与 日 不能互相比较或换算。", "跨日历的比较请用 ADD_MONTHS。", "检查日期 - 检验日期 > 周期"),
    ("ADD_MONTHS(检验日期, 天数) > 检查日期", "单位不合：日 与 月 不能互相比较或换算。", "跨日历的比较请用 ADD_MONTHS。", "天数"),
    ("ADD_DAYS(检验日期, 高度) > 检查日期", "单位不合：m 与 日 不能互相比较或换算。", "请检查字段的单位。", "高度"),
    # enum values
    ("类别 = '钢炉'", "“类别”没有“钢炉”这个取值。", "是不是“锅炉”？", "类别 = '钢炉'"),
    ("有证 AND '飞机' <> 类别", "“类别”没有“飞机”这个取值。", "可用的取值：锅炉、电梯、叉车。", "'飞机' <> 类别"),
    ("类别 = 档次", "两个枚举没有共同的取值，比较不会成立。", "", "类别 = 档次"),
    # what the language lacks, by name
    ("EXISTS(SELECT 有证)", "不支持的写法：Exists。", MEND, "有证"),
    ("SELECT 有证", "不支持的写法：Select。", MEND, "有证"),
    ("(SELECT 有证)", "不支持的写法：Subquery。", MEND, "有证"),
    ("件数 IN (SELECT 1)", "IN 后面要是一列常量。", "如 IN ('甲','乙')。", "件数 IN (SELECT 1"),
    ("CASE WHEN 有证 THEN 在用 END", "不支持的写法：Case。", MEND, "有证 THEN 在用"),
    ("备注 LIKE '%超期%'", "不支持的写法：Like。", "文字里找词请用 CONTAINS(字段, '词')。", "备注 LIKE '%超期%'"),
    ("LENGTH(备注) > 3", "不支持的写法：Length。", MEND, "LENGTH(备注"),
    ("COALESCE(有证, 在用)", "不支持的写法：Coalesce。", MEND, "COALESCE(有证, 在用"),
    ("SUM(件数) OVER () > 1", "不支持的写法：Window。", MEND, "SUM(件数"),
    ("COUNT(*) > 1", "不支持的写法：Count。", MEND, "COUNT(*"),
    ("CURRENT_DATE > 检查日期", "不支持的写法：CurrentDate。", MEND, "CURRENT_DATE > 检查日期"),
    ("CAST(备注 AS DATE) > 检查日期", "不支持类型转换。", "日期常量写 DATE '2024-01-31'。", "备注"),
    ("NULL", "不支持的写法：Null。", MEND, "NULL"),
    ("有证 在用", "不支持的写法：Alias。", "两部分之间少了 AND、OR 或比较符号。", "有证 在用"),
    ("有证 = NULL", "不能与 NULL 比较。", "问是否空着请写 字段 IS NULL。", "有证"),
    ("件数 + 1 IS NULL", "IS 只能写成 字段 IS NULL 或 字段 IS NOT NULL。", "", "件数 + 1"),
    ("NOW() > 检查日期", "没有“NOW”这个函数。", "可用的函数：ADD_MONTHS、ADD_DAYS、CONTAINS、COUNT_MET、MET。", "NOW"),
    ("__import__('os')", "没有“__import__”这个函数。", "可用的函数：ADD_MONTHS、ADD_DAYS、CONTAINS、COUNT_MET、MET。", "__import__('os'"),
    ("COUNT_ME(有证, 在用) > 1", "没有“COUNT_ME”这个函数。", "是不是“COUNT_MET”？", "COUNT_ME(有证, 在用"),
    ("COUNT_MET() > 1", "COUNT_MET 里要有条件。", "", "COUNT_MET"),
    ("COUNT_MET(有证, 在用) * 件数 > 1", "区间计数只能乘以或除以常数。", "", "COUNT_MET(有证, 在用) * 件数"),
    ("ADD_DAYS(检验日期) > 检查日期", "ADD_DAYS 的参数个数不对。", "写法见 docs/rules.md“条件怎么写”。", "ADD_DAYS(检验日期"),
    ("CONTAINS(备注, 品种)", "CONTAINS 要写成 CONTAINS(字段, '词')。", "", "CONTAINS(备注, 品种"),
    ("CONTAINS(备注, '')", "CONTAINS 要写成 CONTAINS(字段, '词')。", "", "CONTAINS(备注, ''"),
    ("MET(有证)", "MET 里要是一个条款 id。", "如 MET('gas/mohurd-gas-4-2023/5-1')。", "MET(有证"),
    ("检查日期 > DATE '2024-02-30'", "“2024-02-30”不是日期。", "请写成 DATE '2024-01-31' 的样子。", "'2024-02-30'"),
    # symbols
    ("有证 AND （在用）", "出现了全角符号“（”。", "请改用半角的 ( 。", "（"),
    ("存药量 ＞ 3", "出现了全角符号“＞”。", "请改用半角的 > 。", "＞"),
    ("类别 IN ('锅炉'，'电梯')", "出现了全角符号“，”。", "请改用半角的 , 。", "，"),
    ("备注 = ‘超期’", "出现了全角符号“‘”。", "请改用半角的 ' 。", "‘"),
    ("有证 -- 注释", "条件里不许有注释。", "说明请写在 note 里。", "--"),
    ("有证 /* 注释 */ AND 在用", "条件里不许有注释。", "说明请写在 note 里。", "/*"),
    ("有证; DROP TABLE t", "不支持的符号“;”。", "不等于写 <>，或写 OR，其余写法见 docs/rules.md。", ";"),
    ("有证 && 在用", "不支持的符号“&”。", "不等于写 <>，或写 OR，其余写法见 docs/rules.md。", "&"),
    ("有证 != 在用", "不支持的符号“!”。", "不等于写 <>，或写 OR，其余写法见 docs/rules.md。", "!"),
    ("有证 == 在用", "不支持的符号“==”。", "等于写一个 = 。", "=="),
    # what is left open
    ("备注 = '未完", "引号没有成对。", "请在文字的末尾补上同样的引号。", "'"),
    ('"字段 名', "引号没有成对。", "请在文字的末尾补上同样的引号。", '"'),
    ("(有证 AND 在用", "条件读不懂。", PAIRS, "在用"),
    ("有证 AND 在用)", "条件读不懂。", PAIRS, ")"),
    ("有证 AND", "条件读不懂。", PAIRS, "AND"),
    ("存药量 BETWEEN 1", "条件读不懂。", PAIRS, "1"),
    ("", "条件是空的。", "", ""),
    ("  \n ", "条件是空的。", "", ""),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message", "hint", "span"), REFUSED, ids=[text or "(empty)" for text, *_ in REFUSED])
def test_a_wrong_condition_says_what_is_wrong_where_and_what_to_write(text: str, message: str, hint: str, span: str) -> None:
    (error,) = errors_of(text)
    assert (error.message, error.hint, text[error.start : error.end]) == (message, hint, span)


def test_all_errors_of_a_condition_are_told_at_once_in_order() -> None:
    text = "存药 > 3 AND 类别 IN ('锅炉', '钢炉', '飞机') OR 高度 > 存药量 AND 在运"
    errors = errors_of(text)
    assert [error.message for error in errors] == [
        "没有“存药”这个字段。", "“类别”没有“钢炉”这个取值。", "“类别”没有“飞机”这个取值。", "单位不合：kg 与 m 不能互相比较或换算。", "没有“在运”这个字段。",
    ]  # fmt: skip
    assert [error.start for error in errors] == sorted(error.start for error in errors)


@pytest.mark.parametrize(("text", "want"), [("高度", DATE), ("存药量", type_of(DICTIONARY["件数"])), ("'飞机'", type_of(DICTIONARY["类别"]))])
def test_a_derivation_must_have_the_type_of_its_field(text: str, want: Type) -> None:
    (error,) = errors_of(text, want)
    assert error.message in ("这里要日期，却是数。", "这里要整数，表达式却可能有小数。", "这里要枚举，却是文字。")
    assert (error.start, error.end) == (0, len(text))


HUGE = {
    "10,000 brackets": "(" * 10_000 + "有证" + ")" * 10_000,
    "10,000 open brackets": "(" * 10_000,
    "brackets within the length": "(" * 1_900 + "有证" + ")" * 1_900,
    "10,000 NOT": "NOT " * 10_000 + "有证",
    "NOT within the length": "NOT " * 900 + "有证",
    "NOT with brackets": "NOT (" * 500 + "有证" + ")" * 500,
    "10,000 AND": "有证" + " AND 有证" * 10_000,
    "AND within the length": "有证" + " AND 有证" * 400,
    "OR and AND in turn": "有证" + " OR 有证 AND 有证" * 200,
    "minus signs": "- " * 1_900 + "件数 > 1",
    "plus signs": "+" * 3_000 + "件数 > 1",
    "a chain of sums": "件数" + "+1" * 1_900 + " > 1",
    "a chain of products": "件数" + "*1" * 1_900 + " > 1",
    "a chain of quotients": "件数" + "/1" * 1_900 + " > 1",
    "a chain of comparisons": "有证" + "=有证" * 1_200,
    "comparisons of NOT": "有证" + " = NOT 有证" * 400,
    "a chain of IS NULL": "有证" + " IS NULL" * 480,
    "a chain of IN": "有证" + " IN (有证)" * 400,
    "CASE": "CASE " * 700,
    "CAST": "CAST(" * 33 + "有证",
    "functions in functions": "ADD_DAYS(" * 31 + "检验日期" + ",1)" * 31 + " > 检查日期",
    "counts in counts": "COUNT_MET(" * 30 + "有证" + ") >= 1" * 30,
    "dates": "DATE " * 700,
    "minus and NOT": "- NOT " * 600 + "有证",
    "a long text": "备注 = '" + "长" * 5_000 + "'",
    "a million letters": "有" * 1_000_000,
}


@pytest.mark.parametrize("text", HUGE.values(), ids=HUGE)
def test_what_is_too_deep_or_too_long_is_refused_at_once(text: str) -> None:
    start = time.perf_counter()
    (error,) = errors_of(text)
    assert time.perf_counter() - start < 2
    assert error.message and 0 <= error.start <= error.end <= len(text)


def test_the_limits_are_told() -> None:
    assert errors_of("(" * (MAX_BRACKETS + 1) + "有证" + ")" * (MAX_BRACKETS + 1)) == [
        ConditionError("括号超过 32 层。", "请用推导字段拆开。", MAX_BRACKETS, MAX_BRACKETS + 1)
    ]
    assert errors_of("有" * (MAX_LENGTH + 1))[0].message == "条件有 4,001 字，超过 4,000。"
    assert errors_of("有证" + " OR 有证" * (MAX_CHAIN + 1))[0].message == "AND、OR 超过 200 个。"


@pytest.mark.parametrize("text", [
    "(" * MAX_BRACKETS + "有证" + ")" * MAX_BRACKETS, "有证" + " OR 在用" * MAX_CHAIN, "NOT " * (MAX_BRACKETS - 1) + "有证",
])  # fmt: skip
def test_what_is_just_within_the_limits_is_read(text: str) -> None:
    assert errors_of(text) == []


HAVE, USED = Ref("有证", type_of(DICTIONARY["有证"])), Ref("在用", type_of(DICTIONARY["在用"]))


def test_a_condition_becomes_a_small_typed_tree() -> None:
    assert parse("有证 AND NOT (在用 OR 有证)", DICTIONARY)[0] == And((HAVE, Not(Or((USED, HAVE)))))
    assert parse("有证 and (在用 AND 有证)", DICTIONARY)[0] == And((HAVE, USED, HAVE)), "keywords in any case; a chain is one node"
    assert parse('"字段 名"', DICTIONARY)[0] == Ref("字段 名", type_of(DICTIONARY["字段 名"]))
    assert parse("类别 = '锅炉'", DICTIONARY)[0] == Compare("=", Ref("类别", type_of(DICTIONARY["类别"])), Literal("锅炉", Type("text")))


@pytest.mark.parametrize("text", ["备注 = '（全角）－－/* 不是注释 */；'", "CONTAINS(备注, '--')", "备注 = '它''s'", '"字段 名" = TRUE'])
def test_symbols_within_quotes_are_only_text(text: str) -> None:
    assert errors_of(text) == []
