"""Rule files are untrusted text: what is no plain, small, shallow YAML of UTF-8 is refused at its place, quickly and without a traceback."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from engine.rulefile import MAX_BYTES, MAX_DEPTH, MAX_SCALAR, Items, Mapping, Scalar, Shape, Source, parse_rule_text, read_rule_file

MEND = "请检查缩进、冒号后的空格和引号是否成对。"
ANCHOR = ("不许用锚点和别名（& 和 *）。", "请把内容直接写出来。")
DEEP = ("嵌套超过 20 层。", "规则文件用不到这么深，请检查缩进和括号。")
TAG = "请删去以 ! 开头的标记。"

REFUSED = {
    # text, line, column, message, hint
    "unclosed bracket": ("a: [1, 2\nb: x: y\n", 2, 2, "不是合法的 YAML：括号、逗号或缩进不对。", MEND),
    "colon in a value": ("a: b: c\n", 1, 5, "不是合法的 YAML：这里不能再出现“键: 值”。", MEND),
    "alias bomb": ("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", 1, 4, *ANCHOR),
    "alias": ("a: *x\n", 1, 4, *ANCHOR),
    "anchor": ("a:\n  b: &x 1\n", 2, 6, *ANCHOR),
    "tag": ("a: !!python/name:os.system x\n", 1, 4, "不许用标签（tag:yaml.org,2002:python/name:os.system）。", TAG),
    "tag on a list": ("a: !!python/object/apply:os.system [x]\n", 1, 4, "不许用标签（tag:yaml.org,2002:python/object/apply:os.system）。", TAG),
    "tag on a mapping": ("a: !x {b: c}\n", 1, 4, "不许用标签（!x）。", TAG),
    "two documents": ("a: 1\n---\nb: 2\n", 2, 1, "一个文件里有多份 YAML（---）。", "请拆成几个文件。"),
    "deep mappings": ("a: " + "{a: " * 10_000 + "}" * 10_000, 1, 4 + 4 * (MAX_DEPTH - 1), *DEEP),
    "deep lists of dashes": ("- " * 9_000 + "x", 1, 1 + 2 * MAX_DEPTH, *DEEP),
    "deep blocks": ("\n".join(" " * n + "a:" for n in range(300)), MAX_DEPTH + 1, MAX_DEPTH + 1, *DEEP),
    "long value": ("a: " + "长" * (MAX_SCALAR + 1), 1, 4, "一个值超过 20,000 字。", "请缩短。"),
    "a list as a key": ("? [a]\n: b\n", 1, 3, "键必须是文字。", ""),
    "a list at the top": ("- a\n", 1, 1, "顶层应当是“键: 值”，格式见 docs/rules.md。", ""),
    "empty": ("", 0, 0, "文件是空的。", "至少要有一个顶层的键，格式见 docs/rules.md。"),
    "only a comment": ("# 说明\n", 0, 0, "文件是空的。", "至少要有一个顶层的键，格式见 docs/rules.md。"),
}


@pytest.mark.parametrize(("text", "line", "column", "message", "hint"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_plain_yaml_is_refused_at_its_place(text: str, line: int, column: int, message: str, hint: str) -> None:
    source = Source("x.yaml", text)
    start = time.perf_counter()
    assert parse_rule_text(source) is None
    assert time.perf_counter() - start < 2
    (found,) = source.problems
    assert (found.line, found.column, found.message, found.hint) == (line, column, message, hint)


@pytest.mark.parametrize("text", [
    "a: " + "[" * 10_000 + "]" * 10_000, "a: 'x", 'a: "x', "a:\n\t- b\n", "a: @x\n", "a: `x`\n", "a: \0\n", "%YAML 9.9\n---\na: 1\n", "{", "[", "a: |3\n x\n",
    "a: \"\\ud800\"\n",
])  # fmt: skip
def test_other_broken_text_is_one_problem_in_chinese(text: str) -> None:
    source = Source("x.yaml", text)
    start = time.perf_counter()
    assert parse_rule_text(source) is None
    assert time.perf_counter() - start < 2
    (found,) = source.problems
    assert found.message.startswith("不是合法的 YAML：") and found.hint


def of_bytes(path: Path, data: bytes) -> tuple[Mapping | None, list[str]]:
    path.write_bytes(data)
    top, source = read_rule_file(path, "x.yaml")
    return top, [one.text() for one in source.problems]


def test_a_file_that_is_not_utf_8_or_too_big_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    assert of_bytes(path, "a: 店铺".encode("gb18030")) == (None, ["x.yaml：不是 UTF-8 文本（第 3 字节处）。 请另存为 UTF-8。"])
    assert of_bytes(path, b"#" * (MAX_BYTES + 1)) == (None, ["x.yaml：文件有 2,000,001 字节，超过 2,000,000 的上限。 请拆成几个文件。"])


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    top, source = read_rule_file(tmp_path / "nowhere.yaml", "x.yaml")
    assert top is None and source.problems[0].text() == f"x.yaml：读不了：{os.strerror(2)}。 请检查路径和权限。"
    folder = tmp_path / "folder.yaml"
    folder.mkdir()
    assert read_rule_file(folder)[0] is None


@pytest.mark.parametrize("data", ["a: 店铺\n".encode("utf-8-sig"), "a: 店铺\r\n".encode(), b"\n\n# x\na: \xe5\xba\x97\xe9\x93\xba"])
def test_a_byte_order_mark_windows_line_ends_and_comments_do_no_harm(tmp_path: Path, data: bytes) -> None:
    top, found = of_bytes(tmp_path / "x.yaml", data)
    assert found == [] and top is not None
    node = top.get("a")
    assert isinstance(node, Scalar) and node.text == "店铺"


@pytest.mark.parametrize(("text", "value"), [
    ("是", "是"), ("否", "否"), ("yes", "yes"), ("on", "on"), ("No", "No"), ("true", True), ("False", False), ("null", None), ("~", None), ("", None),
    ("12", 12), ("-3", -3), ("1.5", 1.5), ("1e3", 1000.0), ("'12'", "12"), ('"true"', "true"), ("2024-01-31", "2024-01-31"), ("1_000", "1_000"),
    ("0x1F", "0x1F"), ("12:30", "12:30"), ("012", 12),
])  # fmt: skip
def test_a_value_is_read_by_the_core_schema_of_yaml_1_2(text: str, value: object) -> None:
    top = parse_rule_text(Source("x.yaml", f"a: {text}\n"))
    assert top is not None
    node = top.get("a")
    assert isinstance(node, Scalar) and node.value() == value and type(node.value()) is type(value)


def test_a_tree_knows_where_its_parts_stand() -> None:
    top = parse_rule_text(Source("x.yaml", "a:\n  - 店\n  - {b: 铺}\n"))
    assert top is not None
    items = top.get("a")
    assert isinstance(items, Items)
    first, second = items.items
    assert isinstance(first, Scalar) and (first.text, first.line, first.column) == ("店", 2, 5)
    assert isinstance(second, Mapping) and (second.line, second.column, list(second.entries)) == (3, 5, ["b"])


def test_a_key_that_stands_twice_is_named_at_its_second_place() -> None:
    source = Source("x.yaml", "a: 1\nb: 2\na: 3\n")
    parse_rule_text(source)
    assert [(one.line, one.column, one.message) for one in source.problems] == [(3, 1, "键“a”重复了。")]


def test_a_shape_notes_every_wrong_key_and_value_and_never_raises() -> None:
    source = Source("x.yaml", "naem: x\nday: 2024-13-01\nflag: 是\nmany: {a: b}\nkind: tow\n")
    shape = Shape(source, parse_rule_text(source), "本节", ("name", "day", "flag", "many", "kind"), ("name",))
    assert (shape.text("name"), shape.date("day"), shape.flag("flag"), shape.texts("many"), shape.choice("kind", ("one", "two"))) == (
        "", None, False, (), "",
    )  # fmt: skip
    assert [(one.line, one.message, one.hint) for one in source.problems] == [
        (1, "本节里没有“naem”这个键。", "是不是“name”？"), (1, "本节缺少“name”。", ""), (2, "“day”的值“2024-13-01”不是日期。", "请写成 2024-01-31 的样子。"),
        (3, "“flag”应当是 true 或 false。", ""), (4, "“many”应当是文字的列表。", ""), (5, "“kind”的值“tow”不认识。", "是不是“two”？"),
    ]  # fmt: skip
