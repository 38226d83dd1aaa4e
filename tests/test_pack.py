"""A pack that is wrong is refused with every mistake at its place; packs stack; and a rule file can do nothing but state rules."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from engine import InputError, RuleFileError, judge, load_pack
from engine.pack import open_library
from engine.problems import Problem

FIELDS = """\
sector: shops
title: 店铺
fields:
  检查日期: {type: date, role: date, meaning: 日}
  检查编号: {type: text, meaning: 号}
  有证: {type: bool, meaning: 证}
  存药量: {type: number, unit: kg, meaning: 药}
  高度: {type: number, unit: m, meaning: 高}
  类别: {type: enum, values: [锅炉, 电梯], meaning: 类}
"""
DOCUMENT = """\
document:
  id: d
  title: 规定
  number: 1号
  issuer: 某局
  in_force: {from: 2020-01-01}
criteria:
  - id: shops/d/1
    clause: 第一条
    name: 无证
    when: NOT 有证
    grade: major
    status: verified
"""
CRITERION = DOCUMENT[DOCUMENT.index("  - id") :]


def write(root: Path, fields: str = FIELDS, document: str = DOCUMENT, **more: str) -> Path:
    folder = root / "shops"
    folder.mkdir(exist_ok=True)
    for name, text in {"fields": fields, "d": document, **more}.items():
        (folder / f"{name}.yaml").write_text(text, "utf-8")
    return folder


def problems(folder: Path, *above: Path) -> list[Problem]:
    return open_library([folder, *above], shipped=False).load()[1]


def shown(problem: Problem) -> tuple[str, int, str, str, str]:
    """File, line, what is underlined, message and hint."""
    span = problem.excerpt[problem.column - 1 : problem.column - 1 + problem.length]
    return problem.file.removeprefix("shops/"), problem.line, span, problem.message, problem.hint


def with_field(text: str) -> str:
    return f"{FIELDS}  {text}\n"


def with_when(text: str) -> str:
    return DOCUMENT.replace("NOT 有证", text)


def with_criterion(text: str) -> str:
    return f"{DOCUMENT}    {text}\n"


def test_a_pack_without_mistakes_has_no_problems(tmp_path: Path) -> None:
    assert problems(write(tmp_path)) == []


WHEN = "条款“shops/d/1”的 when："
IN_DOCUMENT = [
    # the document, (line, what is underlined, message, hint)
    (with_criterion("grde: x"), (14, "grde", "条款“shops/d/1”里没有“grde”这个键。", "是不是“grade”？")),
    (with_when("NOT 有证书"), (11, "有证书", f"{WHEN}没有“有证书”这个字段。", "是不是“有证”？")),
    (with_when("有证 > 1"), (11, "有证 > 1", f"{WHEN}两边类型不同：是非与整数。", "请检查字段的类型。")),
    (with_when("高度 > 存药量"), (11, "高度 > 存药量", f"{WHEN}单位不合：kg 与 m 不能互相比较或换算。", "请检查字段的单位。")),
    (with_when("类别 = '钢炉'"), (11, "类别 = '钢炉'", f"{WHEN}“类别”没有“钢炉”这个取值。", "是不是“锅炉”？")),
    (with_when('"类别 = \'锅炉\' OR 有照"'), (11, "有照", f"{WHEN}没有“有照”这个字段。", "是不是“有证”？")),
    (with_when(">-\n      NOT 有证\n      OR 存药 > 3"), (13, "存药", f"{WHEN}没有“存药”这个字段。", "是不是“存药量”？")),
    (with_when("[有证]"), (11, "", "条款“shops/d/1”的 when 应当是一行条件。", "")),
    (with_when("MET('shops/d/9')"), (8, "", "MET 指向的条款“shops/d/9”不存在。", "是不是“shops/d/1”？")),
    (with_when("(" * 10_000), (11, "(", f"{WHEN}条件有 10,000 字，超过 4,000。", "请拆成几条，或用推导字段。")),
    (DOCUMENT + CRITERION, (14, "shops/d/1", "条款 id“shops/d/1”重复，已在 shops/d.yaml 第8行。", "要替换别的规则包的条款，请用 changes.yaml。")),
    (DOCUMENT.replace("{from: 2020-01-01}", "{from: 2020-01-01, to: 2019-12-31}"),
     (6, "2019-12-31", "末日 2019-12-31 早于首日 2020-01-01。", "in_force 的 from、to 都算在施行期内，to 不能早于 from。")),
    (DOCUMENT.replace("2020-01-01", "2020-02-30"), (6, "2020-02-30", "“from”的值“2020-02-30”不是日期。", "请写成 2024-01-31 的样子。")),
    (with_criterion("in_force: {from: 2019-12-31}"), (14, "", "条款的施行期超出了文件的施行期。", "")),
    (DOCUMENT.replace("    clause: 第一条\n", ""), (8, "", "条款“shops/d/1”缺少“clause”。", "")),
    (DOCUMENT.replace("  number: 1号\n", ""), (2, "", "document缺少“number”。", "")),
    (DOCUMENT[DOCUMENT.index("criteria") :], (1, "", "规则文件缺少“document”。", "")),
    (DOCUMENT.replace("id: d\n", "id: other\n"), (2, "other", "document 的 id 是“other”，文件名却是“d”。", "两者应当相同。")),
    (DOCUMENT.replace("major", "重大"), (12, "重大", "“grade”的值“重大”不认识。", "可用的值：major、serious、general、violation。")),
    (DOCUMENT.replace("verified", "verifed"), (13, "verifed", "“status”的值“verifed”不认识。", "是不是“verified”？")),
    (DOCUMENT.replace("shops/d/1", "Shops/条"), (8, "Shops/条", "id“Shops/条”不合写法。", "只用小写字母、数字和 . _ - /，以字母或数字开头。")),
    (with_criterion("grade: general"), (14, "grade", "键“grade”重复了。", "同一层的键只能出现一次。")),
    (with_criterion("once_per: 检查编号"), (14, "检查编号", "once_per 的条件只能用对“检查编号”汇总的推导字段，却用了“有证”。", "")),
    (DOCUMENT + "fields:\n  有证: {type: number, meaning: 数}\n",
     (15, "有证", "字段“有证”已在 shops/fields.yaml 第6行声明为另一类型或单位。", "请改用别的名字，或删去 type 只添别名。")),
]  # fmt: skip


@pytest.mark.parametrize(("document", "expected"), IN_DOCUMENT)
def test_a_mistake_in_a_document_is_named_at_its_place(tmp_path: Path, document: str, expected: tuple[int, str, str, str]) -> None:
    assert [shown(one) for one in problems(write(tmp_path, document=document))] == [("d.yaml", *expected)]


IN_FIELDS = [
    (with_field("长: {type: numbre, meaning: 长}"), ("numbre", "“type”的值“numbre”不认识。", "是不是“number”？")),
    (with_field("长: {type: number, unit: 米尺, meaning: 长}"), ("米尺", "单位“米尺”不认识。", "是不是“米”？")),
    (with_field("长: {type: bool, unit: m, meaning: 长}"), ("m", "字段“长”不是数，不能有单位。", "")),
    (with_field("长: {type: number}"), ("长", "字段“长”没有写 meaning。", "请用一句话说明这一列记的是什么。")),
    (with_field("长: {type: enum, meaning: 长}"), ("长", "枚举字段“长”没有写 values。", "")),
    (with_field("长: {type: bool, meaning: 长, alias: [x]}"), ("alias", "字段“长”里没有“alias”这个键。", "是不是“aliases”？")),
    (with_field("长: {type: enum, values: {甲: [子], 乙: [子]}, meaning: 长}"), ("子", "“子”既是“甲”又是别的取值。", "一个写法只能归到一个取值。")),
    (with_field("长: {type: date, meaning: 长, formats: [ddmm]}"),
     ("", "日期写法“ddmm”不认识。", "可用的：yyyymmdd、yyyy-mm-dd、yyyy/mm/dd、mm/dd/yyyy、dd/mm/yyyy。")),
    (with_field("长: {type: bool, meaning: 长, derive: 存药 > 3}"), ("存药", "字段“长”的 derive：没有“存药”这个字段。", "是不是“存药量”？")),
    (with_field("长: {type: date, meaning: 长, derive: 存药量}"), ("存药量", "字段“长”的 derive：这里要日期，却是数。", "")),
    (with_field("长: {type: number, unit: m, meaning: 长, derive: 存药量}"),
     ("存药量", "字段“长”的 derive：单位不合：kg 与 m 不能互相比较或换算。", "请检查字段的单位。")),
    (with_field("长: {type: enum, values: [子], meaning: 长, derive: {丑: 有证}}"), ("有证", "字段“长”的 derive：“丑”不是它的取值。", "")),
    (with_field("长: {type: bool, meaning: 长, derive: {same: 检查编号, any: 有证, all: 有证}}"),
     ("", "字段“长”的 derive 应当恰有一种汇总：count、any、all、sum、min、max。", "")),
    (with_field("长: {type: bool, meaning: 长, derive: {same: 检查编号, count: 有证}}"),
     ("", "字段“长”的 derive：count 的结果是整数，字段却是 bool。", "")),
    (with_field("长: {type: bool, meaning: 长, derive: {same: 检查号, any: 有证}}"),
     ("", "字段“长”的 derive：same 的字段“检查号”没有声明。", "是不是“检查编号”？")),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "expected"), IN_FIELDS)
def test_a_mistake_in_the_fields_is_named_at_its_place(tmp_path: Path, fields: str, expected: tuple[str, str, str]) -> None:
    line = len(fields.splitlines())
    assert [shown(one) for one in problems(write(tmp_path, fields))] == [("fields.yaml", line, *expected)]


def test_a_cycle_of_derived_fields_names_its_members(tmp_path: Path) -> None:
    fields = FIELDS + "".join(f"  {name}: {{type: bool, meaning: 环, derive: NOT {of}}}\n" for name, of in ("甲乙", "乙丙", "丙甲"))
    (found,) = problems(write(tmp_path, fields))
    assert (found.file, found.message.split("：")[0]) == ("shops/fields.yaml", "推导成环")
    members = found.message.removeprefix("推导成环：").removesuffix("。").split(" → ")
    assert sorted(members[1:]) == sorted("甲乙丙") and members[0] == members[-1]
    assert found.line == FIELDS.count("\n") + "甲乙丙".index(members[0]) + 1


def test_a_cycle_through_met_and_a_derived_field_names_its_members(tmp_path: Path) -> None:
    fields = with_field("甲: {type: bool, meaning: 环, derive: \"MET('shops/d/1')\"}")
    (found,) = problems(write(tmp_path, fields, with_when("NOT 甲")))
    assert found.message in ("推导成环：甲 → shops/d/1 → 甲。", "推导成环：shops/d/1 → 甲 → shops/d/1。")


def test_a_field_that_needs_itself_is_a_cycle(tmp_path: Path) -> None:
    (found,) = problems(write(tmp_path, with_field("甲: {type: bool, meaning: 环, derive: NOT 甲}")))
    assert found.message == "推导成环：甲 → 甲。"


def test_all_mistakes_are_told_at_once_in_the_order_of_the_files(tmp_path: Path) -> None:
    wrong = with_when("NOT 有照 OR 存药量 > 类别").replace("major", "大").replace("clause", "clouse")
    folder = write(tmp_path, FIELDS.replace("unit: kg", "unit: kq"), wrong)
    found = problems(folder)
    assert [(one.file, one.line, one.column) for one in found] == [
        ("shops/d.yaml", 8, 5), ("shops/d.yaml", 9, 5), ("shops/d.yaml", 11, 15), ("shops/d.yaml", 11, 21), ("shops/d.yaml", 12, 12),
        ("shops/fields.yaml", 7, 29),
    ]  # fmt: skip
    with pytest.raises(RuleFileError) as caught:
        load_pack([folder], shipped=False)
    assert caught.value.problems == found
    assert str(caught.value) == "\n".join(one.text() for one in found)


def test_a_problem_shows_the_line_with_the_span_underlined_whatever_the_width_of_its_letters(tmp_path: Path) -> None:
    (found,) = problems(write(tmp_path, document=with_when("存药量 > 3 AND 有证书")))
    assert found.text().splitlines() == [
        f"shops/d.yaml 第11行第23列：{WHEN}没有“有证书”这个字段。 是不是“有证”？",
        "      when: 存药量 > 3 AND 有证书",
        "                           ^^^^^^",
    ]


@pytest.mark.parametrize("rules", ["nowhere", "empty"])
def test_a_folder_that_is_no_pack_is_refused(tmp_path: Path, rules: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=rules):
        open_library([tmp_path / rules], shipped=False)


# Stacking


def city(root: Path, changes: str = "", **files: str) -> Path:
    folder = root / "city"
    for name, text in {**({"changes.yaml": changes} if changes else {}), **files}.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return folder


def findings(folders: list[Path], **cells: object) -> list[str]:
    row = {"检查日期": "2024-01-01", **cells}
    result = judge(pl.DataFrame([row]), load_pack(folders, shipped=False))
    return [str(name) for name in result.findings["criterion"].to_pylist()]


def test_a_later_pack_adds_fields_and_documents(tmp_path: Path) -> None:
    fields = "sector: shops\nfields:\n  有锁: {type: bool, meaning: 锁}\n  有证: {aliases: [证件]}\n"
    document = DOCUMENT.replace("id: d\n", "id: c\n").replace("shops/d/1", "shops/c/1").replace("有证", "有锁")
    above = city(tmp_path, **{"shops__fields.yaml": fields, "shops__c.yaml": document})
    below = write(tmp_path)
    assert findings([below, above], 证件="否", 有锁="否") == ["shops/d/1", "shops/c/1"]
    assert findings([below, above], 有证="是", 有锁="否") == ["shops/c/1"]


def test_a_later_pack_replaces_single_keys_with_a_reason(tmp_path: Path) -> None:
    above = city(tmp_path, "changes:\n  - replace: shops/d/1\n    reason: 本市从严\n    with: {when: NOT 有证 OR 存药量 > 100, grade: serious}\n")
    below = write(tmp_path)
    (criterion,) = load_pack([below, above], shipped=False).sectors["shops"].criteria
    assert (criterion.replaced, criterion.grade, criterion.name, criterion.status) == ("本市从严", "serious", "无证", "verified")
    assert findings([below, above], 有证="是", 存药量="101") == ["shops/d/1"]
    assert findings([below], 有证="是", 存药量="101") == []


def test_a_later_pack_suspends_with_a_reason(tmp_path: Path) -> None:
    above = city(tmp_path, "changes:\n  - {suspend: shops/d/1, reason: 另行认定}\n")
    below = write(tmp_path)
    (criterion,) = load_pack([below, above], shipped=False).sectors["shops"].criteria
    assert criterion.suspended == "另行认定"
    assert findings([below, above], 有证="否") == []
    assert findings([below], 有证="否") == ["shops/d/1"]


CHANGES = [
    ("- {suspend: shops/d/9, reason: 因}", "shops/d/9", "没有条款“shops/d/9”。", "是不是“shops/d/1”？"),
    ("- {suspend: shops/d/1}", "", "changes 的一项缺少“reason”。", ""),
    ("- {reason: 因}", "", "changes 的一项要写 suspend 或 replace。", ""),
    ("- {replace: shops/d/1, reason: 因}", "", "replace 要有 with，写明改了什么。", ""),
    ("- {replace: shops/d/1, reason: 因, with: {whn: 有证}}", "whn", "with里没有“whn”这个键。", "是不是“when”？"),
    ("- {replace: shops/d/1, reason: 因, with: {grade: 大}}", "大", "“grade”的值“大”不认识。", "可用的值：major、serious、general、violation。"),
    ("- {replace: shops/d/1, reason: 因, with: {when: NOT 有照}}", "有照", f"{WHEN}没有“有照”这个字段。", "是不是“有证”？"),
]


@pytest.mark.parametrize(("line", "span", "message", "hint"), CHANGES)
def test_a_change_that_cannot_be_made_is_named_at_its_place(tmp_path: Path, line: str, span: str, message: str, hint: str) -> None:
    above = city(tmp_path, f"changes:\n  {line}\n")
    assert [shown(one) for one in problems(write(tmp_path), above)] == [("city/changes.yaml", 2, span, message, hint)]


def test_the_same_id_in_a_later_pack_is_refused_with_the_way_to_replace_it(tmp_path: Path) -> None:
    above = city(tmp_path, **{"shops__c.yaml": DOCUMENT.replace("id: d\n", "id: c\n"), "shops__fields.yaml": "sector: shops\nfields: {}\n"})
    (found,) = problems(write(tmp_path), above)
    assert (found.file, found.line, found.hint) == ("city/shops/c.yaml", 8, "要替换别的规则包的条款，请用 changes.yaml。")


def test_rules_are_only_stated_never_run(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    for tag in ("!!python/object/apply:os.system", "!!python/object/new:os.system", "!!python/name:os.system", "!include"):
        folder = write(tmp_path, document=with_criterion(f"note: {tag} ['touch {mark}']"))
        (found,) = problems(folder)
        assert (found.line, found.message.startswith("不许用标签")) == (14, True)
    for condition in (f"__import__('os').system('touch {mark}')", "EXEC('rm')", "READ_CSV('x') = 1"):
        assert all(one.line == 11 for one in problems(write(tmp_path, document=with_when(condition)))) is True
        assert problems(write(tmp_path, document=with_when(condition))) != []
    (tmp_path / "shops" / "conftest.py").write_text(f"open({str(mark)!r}, 'w')", "utf-8")
    assert problems(write(tmp_path)) == []
    assert not mark.exists()
