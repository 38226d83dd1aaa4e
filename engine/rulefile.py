"""YAML text -> a tree of values that know where they stand, and a reader that checks shapes and collects every problem.

Rule files are untrusted: anchors, aliases and tags are refused (so an alias bomb never unfolds), size and depth are bounded, and
scalars follow the core schema of YAML 1.2 (`是`, `yes`, `on` are text). Nothing here knows what a rule is.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import yaml

from engine.problems import Problem, nearest

MAX_BYTES = 2_000_000
MAX_DEPTH = 20
MAX_SCALAR = 20_000

_INTEGER = re.compile(r"[-+]?[0-9]+$")
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$")
_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}$")


@dataclass(slots=True)
class Scalar:
    """A leaf. `text` as written after unquoting; `plain` is true when it had no quotes; `start`/`end` are offsets in the file."""

    text: str
    plain: bool
    line: int
    column: int
    start: int
    end: int

    def value(self) -> str | int | float | bool | None:
        """The value by the core schema of YAML 1.2; a quoted scalar is always text."""
        if not self.plain:
            return self.text
        if self.text in _NULL:
            return None
        if self.text in _BOOL:
            return _BOOL[self.text]
        if _INTEGER.match(self.text):
            return int(self.text)
        if _NUMBER.match(self.text):
            return float(self.text)
        return self.text


@dataclass(slots=True)
class Items:
    """A sequence."""

    items: list[Node]
    line: int
    column: int


@dataclass(slots=True)
class Mapping:
    """A mapping; keys are text in the order of the file."""

    entries: dict[str, tuple[Scalar, Node]]
    line: int
    column: int

    def get(self, key: str) -> Node | None:
        """The value under `key`, or None."""
        entry = self.entries.get(key)
        return entry[1] if entry else None


Node: TypeAlias = "Scalar | Items | Mapping"


@dataclass
class Source:
    """One rule file while it is being read: its name for messages, its text, and the problems found so far."""

    name: str
    text: str = ""
    problems: list[Problem] = field(default_factory=list)

    def problem(self, node: Node | None, message: str, hint: str = "", length: int = 0, severity: str = "error") -> None:
        """Note that something is wrong at `node` (None: the file as a whole)."""
        line, column = (node.line, node.column) if node is not None else (0, 0)
        if isinstance(node, Scalar) and not length:
            length = min(node.end - node.start, 80)
        self.at(line, column, message, hint, length, severity)

    def at(self, line: int, column: int, message: str, hint: str = "", length: int = 0, severity: str = "error") -> None:
        """Note that something is wrong at a 1-based line and column."""
        excerpt = ""
        if line:
            lines = self.text.split("\n", line)
            excerpt = lines[line - 1].rstrip("\r") if len(lines) >= line else ""
        self.problems.append(Problem(self.name, line, column, message, hint, length, excerpt, severity))

    def within(self, scalar: Scalar, text: str, start: int, end: int) -> tuple[int, int]:
        """Line and column (1-based) in the file of `text[start:end]`, where `text` is what the scalar `scalar` says.

        Quoting and folding move characters, so the snippet is looked up as its n-th occurrence in the scalar's source."""
        snippet = text[start:end] or text[start : start + 1]
        raw = self.text[scalar.start : scalar.end]
        at, skip = -1, text.count(snippet, 0, start)
        for _ in range(skip + 1):
            found = raw.find(snippet, at + 1)
            if found < 0:
                break
            at = found
        if at < 0:
            return scalar.line, scalar.column
        before = raw[:at]
        if "\n" in before:
            return scalar.line + before.count("\n"), len(before) - before.rfind("\n")
        return scalar.line, scalar.column + at


def read_rule_file(path: Path, name: str | None = None) -> tuple[Mapping | None, Source]:
    """Read one YAML file. Returns its top mapping, or None when it is unusable (the source then holds the problem)."""
    source = Source(name or str(path))
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            source.problem(None, f"文件有 {size:,} 字节，超过 {MAX_BYTES:,} 的上限。", "请拆成几个文件。")
            return None, source
        source.text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        source.problem(None, f"不是 UTF-8 文本（第 {error.start} 字节处）。", "请另存为 UTF-8。")
        return None, source
    except OSError as error:
        source.problem(None, f"读不了：{error.strerror or error}。", "请检查路径和权限。")
        return None, source
    return parse_rule_text(source), source


def parse_rule_text(source: Source) -> Mapping | None:
    """Parse `source.text`; problems go to `source`. Returns the top mapping or None."""
    try:
        node = _build(source)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        source.at(line, column, f"不是合法的 YAML：{_yaml_cause(error)}。", "请检查缩进、冒号后的空格和引号是否成对。")
        return None
    except yaml.reader.ReaderError as error:
        character = error.character if isinstance(error.character, str) else chr(error.character)
        before = source.text[: source.text.find(character)]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        source.at(line, column, f"不是合法的 YAML：有控制字符 U+{ord(character):04X}。", "请删去这个看不见的字符。")
        return None
    except yaml.YAMLError as error:
        source.problem(None, f"不是合法的 YAML：{str(error).splitlines()[0]}。", "请删去不可见的控制字符。")
        return None
    except _Refused:
        return None
    if node is None:
        source.problem(None, "文件是空的。", "至少要有一个顶层的键，格式见 docs/rules.md。")
    elif not isinstance(node, Mapping):
        source.problem(node, "顶层应当是“键: 值”，格式见 docs/rules.md。")
    else:
        return node
    return None


def _yaml_cause(error: yaml.MarkedYAMLError) -> str:
    cause = error.problem or error.context or "无法解析"
    known = {
        "mapping values are not allowed": "这里不能再出现“键: 值”",
        "could not find expected ':'": "缺少冒号",
        "found character '\\t'": "用了制表符，缩进只能用空格",
        "found unexpected end of stream": "引号或括号没有结束",
        "did not find expected": "括号、逗号或缩进不对",
        "found a tab character": "缩进用了制表符，只能用空格",
        "exceeded maximum nesting depth": f"嵌套太深，超过 {MAX_DEPTH} 层",
        "found duplicate": "内容重复",
        "did not find": "缺少应有的符号",
        "block ": "缩进不对",
        "found unknown escape": "引号里有不认识的反斜杠写法",
        "control characters": "有不可见的控制字符",
        "found character that cannot start any token": "出现了不能作开头的字符（如制表符、@、`），文字请加引号",
    }
    return next((chinese for english, chinese in known.items() if cause.startswith(english)), "写法不对")


class _Refused(Exception):
    pass


def _build(source: Source) -> Node | None:
    """Events -> tree, without recursion, so that no depth of nesting can exhaust the stack."""
    root: Node | None = None
    stack: list[tuple[Items | Mapping, Scalar | None]] = []

    def place(event: yaml.Event) -> tuple[int, int]:
        mark = event.start_mark
        return (mark.line + 1, mark.column + 1) if mark is not None else (0, 0)

    def refuse(event: yaml.Event, message: str, hint: str) -> _Refused:
        source.at(*place(event), message, hint)
        return _Refused()

    def add(node: Node) -> None:
        nonlocal root
        if not stack:
            if root is None:
                root = node
            return
        parent, key = stack[-1]
        if isinstance(parent, Items):
            parent.items.append(node)
        elif key is None:
            if not isinstance(node, Scalar):
                source.problem(node, "键必须是文字。")
                raise _Refused
            if node.text in parent.entries:
                source.problem(node, f"键“{node.text}”重复了。", "同一层的键只能出现一次。")
            stack[-1] = (parent, node)
        else:
            parent.entries[key.text] = (key, node)
            stack[-1] = (parent, None)

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    documents = 0
    for event in yaml.parse(source.text, Loader=loader):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise refuse(event, "不许用锚点和别名（& 和 *）。", "请把内容直接写出来。")
        if isinstance(event, yaml.ScalarEvent):
            if event.tag:
                raise refuse(event, f"不许用标签（{event.tag}）。", "请删去以 ! 开头的标记。")
            if len(event.value) > MAX_SCALAR:
                raise refuse(event, f"一个值超过 {MAX_SCALAR:,} 字。", "请缩短。")
            line, column = place(event)
            plain = event.implicit[0] and event.style in (None, "")
            start, end = event.start_mark, event.end_mark
            add(Scalar(event.value, plain, line, column, start.index if start else 0, end.index if end else 0))
        elif isinstance(event, yaml.SequenceStartEvent | yaml.MappingStartEvent):
            if event.tag:
                raise refuse(event, f"不许用标签（{event.tag}）。", "请删去以 ! 开头的标记。")
            if len(stack) >= MAX_DEPTH:
                raise refuse(event, f"嵌套超过 {MAX_DEPTH} 层。", "规则文件用不到这么深，请检查缩进和括号。")
            line, column = place(event)
            node: Items | Mapping
            node = Items([], line, column) if isinstance(event, yaml.SequenceStartEvent) else Mapping({}, line, column)
            add(node)
            stack.append((node, None))
        elif isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
            stack.pop()
        elif isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise refuse(event, "一个文件里有多份 YAML（---）。", "请拆成几个文件。")
    return root


class Shape:
    """Reads a mapping key by key, noting unknown keys, missing keys and wrong shapes in the source; never raises."""

    def __init__(self, source: Source, node: Node | None, what: str, keys: Iterable[str], required: Iterable[str] = ()):
        self.source, self.what = source, what
        self.node: Mapping = node if isinstance(node, Mapping) else Mapping({}, getattr(node, "line", 0), getattr(node, "column", 0))
        if not isinstance(node, Mapping):
            source.problem(node, f"{what}应当是“键: 值”。")
            return
        allowed = list(keys)
        for key, (scalar, _) in node.entries.items():
            if key not in allowed:
                source.problem(scalar, f"{what}里没有“{key}”这个键。", nearest(key, allowed) or f"可用的键：{'、'.join(allowed)}。")
        for key in required:
            if node.get(key) is None:
                source.problem(node, f"{what}缺少“{key}”。")

    def text(self, key: str, default: str = "") -> str:
        """The text under `key`; numbers are taken as written. `default` when absent or null."""
        node = self.node.get(key)
        if node is None or (isinstance(node, Scalar) and node.value() is None):
            return default
        if not isinstance(node, Scalar):
            self.source.problem(node, f"“{key}”应当是文字。")
            return default
        return node.text.strip()

    def scalar(self, key: str) -> Scalar | None:
        """The scalar under `key`, None when absent, null or of another shape (noted)."""
        node = self.node.get(key)
        if node is None:
            return None
        if not isinstance(node, Scalar):
            self.source.problem(node, f"“{key}”应当是一行文字。")
            return None
        return node if node.value() is not None else None

    def texts(self, key: str) -> tuple[str, ...]:
        """The list of texts under `key`; a single text counts as a list of one."""
        node = self.node.get(key)
        if node is None or (isinstance(node, Scalar) and node.value() is None):
            return ()
        if isinstance(node, Scalar):
            return (node.text.strip(),)
        if isinstance(node, Mapping) or any(not isinstance(item, Scalar) for item in node.items):
            self.source.problem(node, f"“{key}”应当是文字的列表。")
            return ()
        return tuple(item.text.strip() for item in node.items if isinstance(item, Scalar))

    def choice(self, key: str, options: Sequence[str], default: str = "") -> str:
        """One of `options`."""
        text = self.text(key, default)
        if text and text not in options:
            hint = nearest(text, options) or f"可用的值：{'、'.join(options)}。"
            self.source.problem(self.node.get(key), f"“{key}”的值“{text}”不认识。", hint)
            return default
        return text

    def flag(self, key: str, default: bool = False) -> bool:
        """A `true` or `false`."""
        scalar = self.scalar(key)
        if scalar is None:
            return default
        value = scalar.value()
        if not isinstance(value, bool):
            self.source.problem(scalar, f"“{key}”应当是 true 或 false。")
            return default
        return value

    def date(self, key: str) -> dt.date | None:
        """A date written 2024-01-31."""
        scalar = self.scalar(key)
        if scalar is None:
            return None
        try:
            if not _DATE.match(scalar.text):
                raise ValueError
            return dt.date.fromisoformat(scalar.text)
        except ValueError:
            self.source.problem(scalar, f"“{key}”的值“{scalar.text}”不是日期。", "请写成 2024-01-31 的样子。")
            return None

    def each(self, key: str, build: Callable[[Node], None]) -> None:
        """Call `build` on every item of the list under `key`."""
        node = self.node.get(key)
        if node is None:
            return
        if not isinstance(node, Items):
            self.source.problem(node, f"“{key}”应当是列表（每项以 - 开头）。")
            return
        for item in node.items:
            build(item)
