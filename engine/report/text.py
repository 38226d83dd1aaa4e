"""Results for a terminal: the flagged enterprises, worst first, then what the table can and cannot tell. Returns text; `cli.py` prints it."""

from __future__ import annotations

import io
import re
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from engine.documents import GRADE_NAMES, STATUS_NAMES
from engine.problems import width as columns

if TYPE_CHECKING:
    import pyarrow as pa

    from engine.explain import Explanation
    from engine.run import Result

MAX_SECTORS = 6
MAX_LISTED = 100
MAX_COMPARED = 20_000
"""Above so many enterprises the text does not look for probable duplicates, which takes seconds; JSON and the workbook do."""

VERDICTS = {"met": "构成", "not_met": "不构成", "undetermined": "待核实", "not_applicable": "不适用", "not_in_force": "不在施行期"}
_GRADES = ("major", "serious", "general", "violation")
_COUNTED = {"major": "重大", "serious": "严重", "general": "一般", "violation": "违法", "undetermined": "待核"}


_WORD = re.compile(r"[（《“‘【〔]*(?:[!-~]+|.)[，。；：、）》”’】〕！？…]*|\n", re.DOTALL)
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def clean(text: object) -> str:
    """A text from a table or a rule file, without the control characters that a terminal would obey or that turn the reading direction."""
    return _UNSEEN.sub(" ", str(text))


def wrapped(text: str, width: int, indent: str = "", more: str | None = None) -> str:
    """`text` in lines of at most `width` terminal columns (0: in one line), the first after `indent`, the others after `more` (default: as deep as
    `indent`). Closing marks stay with what they close; only a Latin word longer than a line is cut."""
    more = " " * columns(indent) if more is None else more
    lines, line = [], indent
    room = max(10, width) if width else len(indent + text) * 2
    for word in _WORD.findall(text):
        if columns(line) + columns(word) > room and line.strip():
            lines.append(line.rstrip())
            line = more
        while columns(line) + columns(word) > room:
            cut = max(1, room - columns(line))
            lines.append(line + word[:cut])
            line, word = more, word[cut:]
        line += word if word.strip() or line.strip() else ""
    return "\n".join([*lines, line.rstrip()])


def summary(result: Result, tables: Mapping[str, pa.Table]) -> list[str]:
    """What stands below the list: totals, verdicts, what the table can decide, what to add, where to look next."""
    manifest: dict[str, Any] = result.manifest
    counts, criteria = manifest["counts"], manifest["criteria"]
    judged = criteria["covered"] + criteria["not_covered"]
    sectors = manifest["sectors"]
    how = "指定" if not manifest["sector_recognised"] else "由列名识别" if len(sectors) == 1 else "按“行业”一列"
    if len(sectors) == 1:
        named = f"{clean(sectors[0]['title'])}（{sectors[0]['id']}，{how}）"
    else:
        parts = [f"{clean(one['title'])} {one['rows']:,} 行" for one in sectors[:MAX_SECTORS]]
        named = f"{'、'.join(parts)}{f' 等 {len(sectors)} 个' if len(sectors) > MAX_SECTORS else ''}（{how}）"
    lines = [f"行业：{named}；共 {manifest['rows']:,} 行、{manifest['enterprises']:,} 个单位，其中 {manifest['flagged']:,} 个单位有隐患。"]
    if manifest["better_sector"]:
        lines.append(better_sector(manifest["better_sector"]))
    if manifest["rows_left_out"]:
        lines.append(f"有 {manifest['rows_left_out']:,} 行的行业认不出或不在所选之内，没有判定。")
    if manifest["rows_without_date"]:
        lines.append(f"有 {manifest['rows_without_date']:,} 行没有检查日期，按 {manifest['as_of']} 有效的判定依据判定（--as-of 可改）。")
    lines.append(
        f"判定结论：构成 {counts['met']:,}，不构成 {counts['not_met']:,}，待核实 {counts['undetermined']:,}，不适用 {counts['not_applicable']:,}"
        f"（疑似 {counts['suspected']:,}：构成条件已成立，只差确认是否适用）。"
    )
    lines.append(f"这张表能判定 {criteria['covered']} / {judged} 条{_unlock(result)}")
    if criteria["not_in_force"]:
        lines.append(f"另有 {criteria['not_in_force']} 条在各行的检查日期都不在施行期内。")
    if criteria["off"]:
        lines.append(f"有 {criteria['off']} 条依据存疑，没有使用（--include-unverified 才用）。")
    for kind, word in (("suspended", "停用"), ("replaced", "替换")):
        for one in manifest[kind][:10]:
            lines.append(f"条款 {one['criterion']} 已{word}：{clean(one['reason'])}")
    defects = tables["defects"].num_rows
    counts_of = _counts(result.enterprises)
    open_only = counts_of.filter((pl.sum_horizontal(_GRADES) == 0) & (pl.col("undetermined") + pl.col("suspected") > 0))
    waiting, doubtful = open_only.height, open_only.filter(pl.col("suspected") > 0).height
    if waiting:
        lines.insert(1, f"另有 {waiting:,} 个单位还没有定为隐患，但有待核实的条款{f'，其中 {doubtful:,} 个有疑似' if doubtful else ''}。")
    if defects:
        lines.append(f"有 {defects:,} 格读不出或互相矛盾，按空白处理或列出备查，见 JSON 或工作簿的“数据毛病”。")
    lines += _differences(tables["grade_differences"])
    if manifest["enterprises"] <= MAX_COMPARED and (alike := tables["duplicates"]).num_rows:
        pairs = [f"{clean(row['enterprise'])} / {clean(row['other'])}" for row in alike.slice(0, 3).to_pylist()]
        lines.append(f"疑似同一单位的名称 {alike.num_rows:,} 对，没有合并：{'；'.join(pairs)}{'…' if alike.num_rows > 3 else ''}")
    unused = [column.header for column in result.columns if column.how == "unused" and column.header.strip()]
    if unused:
        lines.append(f"没有用到的列 {len(unused)} 个：{'、'.join(map(clean, unused[:8]))}{'…' if len(unused) > 8 else ''}")
    guessed = [f"{clean(column.header)}→{column.field}" for column in result.columns if column.how == "guess"]
    if guessed:
        lines.append(f"按近似认的列（请核对）：{'、'.join(guessed)}")
    skipped = sum(len(origin.skipped) for origin in result.origins)
    if skipped:
        lines.append(f"跳过了 {skipped} 行（标题、合计、说明等）。")
    return lines


def _differences(table: pa.Table) -> list[str]:
    """What to say of the table's own grades."""
    if not table.num_rows:
        return []
    counts = Counter(table["difference"].to_pylist())
    words = {"higher": "判定更重", "lower": "表中更重", "unclear": "表中等级说不清"}
    parts = [f"{word} {counts[name]:,} 行" for name, word in words.items() if name in counts]
    return [f"表中自带的隐患等级与判定不一致 {table.num_rows:,} 行：{'，'.join(parts)}；见 JSON 或工作簿的“等级不一致”。"]


def better_sector(better: Mapping[str, Any]) -> str:
    """The hint that another sector fits the columns far better than the one that was named."""
    return (
        f"提醒：这些列名更像“{clean(better['title'])}”（{better['id']}）的表：有 {better['fields']} 个它的字段，所选行业的只有 {better['named']} 个。"
        f"选错了行业的话，请改 --sector {better['id']}，或去掉 --sector 自行识别。"
    )


def _unlock(result: Result) -> str:
    steps = result.unlock
    if not steps:
        return "。"
    columns = [name for more, _ in steps[:9] for name in more][:9]
    gain, taken = 0, 0
    for more, won in steps:
        if taken + len(more) > len(columns):
            break
        gain, taken = gain + won, taken + len(more)
    named = columns[: taken or len(columns)]
    return f"；再补这 {len(named)} 列可多判 {gain or steps[0][1]} 条：{'、'.join(named)}。"


def render(result: Result, tables: Mapping[str, pa.Table], width: int, color: bool, table_name: str, selection: str = "") -> str:
    """The whole text, for a terminal of `width` columns (0: no terminal). `tables` are the (restricted) result tables and `selection` says the restriction in words; `table_name` is how the
    hint to `hazard explain` names the table, quoted for a shell."""
    counted = _counts(tables["enterprises"]).with_row_index().filter(pl.sum_horizontal(_GRADES) > 0)
    flagged = tables["enterprises"].take(counted["index"].head(MAX_LISTED).to_arrow()).to_pylist()
    parts = []
    if flagged:
        parts.append(_listing(flagged, width, color))
        if counted.height > MAX_LISTED:
            parts.append(f"（只列了前 {MAX_LISTED} 个，共 {counted.height:,} 个；用 -o 结果.xlsx 或 --format csv 取全部）\n")
        if any(_doubtful(row) for row in flagged):
            parts.append(wrapped("＊ 依据待核：该重大隐患所依条款的原文没有核到，采取措施前请先核对原文。", width) + "\n")
    else:
        parts.append("没有符合筛选条件而有隐患的单位。\n" if selection else "没有单位构成隐患。\n")
    grades = [f"{GRADE_NAMES[grade]} {counted[grade].sum():,}" for grade in _GRADES]
    parts.append("\n" + wrapped(f"合计：{'，'.join(grades)}（{counted.height:,} 个单位；同一义务只算一次）。", width) + "\n")
    if selection:
        parts.append(wrapped(f"以上只列{selection}的单位；以下说的是整张表。", width) + "\n")
    parts += [wrapped(line, width, more="  ") + "\n" for line in summary(result, tables)]
    named = flagged or tables["enterprises"].slice(0, 1).to_pylist() or result.enterprises.slice(0, 1).to_pylist()
    if named:
        parts.append(f"想知道为什么、还差什么：hazard explain {table_name} --unit {shlex.quote(clean(named[0]['enterprise']))}\n")
    return "".join(parts)


def _counts(enterprises: pa.Table) -> pl.DataFrame:
    """The counts of the enterprises alone: a table may hold a million of them."""
    return pl.DataFrame(pl.from_arrow(enterprises.select([*_GRADES, "undetermined", "suspected"])))


def _doubtful(row: Mapping[str, Any]) -> bool:
    """Whether a major leads that rests on a clause not checked against a published text."""
    return bool(row["leading_grade"] == "major" and row["leading_status"] != "verified")


def _listing(flagged: Sequence[Mapping[str, Any]], width: int, color: bool) -> str:
    """The table of enterprises. On a narrow terminal the leading clause stands below the name instead of in a column of its own."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    width = max(60, width) if width else 160
    narrow = width < 110
    levels = any(row["level"] for row in flagged)
    regions = any(row["region"] for row in flagged) and not narrow
    region = min(14, max(4, *(columns(clean(row["region"] or "")) for row in flagged))) if regions else 0
    taken = 6 * len(_COUNTED) + (2 + max(columns(row["level"] or "处置级别") for row in flagged) if levels else 0) + (region + 2 if regions else 0)
    room = width - taken if narrow else min(34, max(columns(clean(row["enterprise"])) for row in flagged))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", expand=False)
    table.add_column("单位", width=room, overflow="fold")
    if regions:
        table.add_column("区县", overflow="fold", width=region)
    if levels:
        table.add_column("处置级别", no_wrap=True)
    for title in _COUNTED.values():
        table.add_column(title, justify="right", no_wrap=True)
    if not narrow:
        table.add_column("首要条款", overflow="fold")
    for row in flagged:
        leading = f"{'＊依据待核 ' if _doubtful(row) else ''}{clean(row['leading_name'])}（{_short(row['leading_basis'])}）"
        name = wrapped(clean(row["enterprise"]), room)
        cells = [Text(f"{name}\n{wrapped(leading, room, '  ')}" if narrow else name)]
        if regions:
            cells.append(Text(wrapped(clean(row["region"] or ""), region)))
        if levels:
            cells.append(Text(row["level"] or "", style="red" if (row["level_rank"] or 0) >= 4 else ""))
        cells += [Text(str(row[name] or "·"), style="bold red" if name == "major" and row[name] else "") for name in _COUNTED]
        if not narrow:
            cells.append(Text(wrapped(leading, width - taken - room - 2)))
        table.add_row(*cells)
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=color, color_system="standard" if color else None, highlight=False, emoji=False).print(table)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _short(basis: str) -> str:
    """`《…》（文号）条` without the title: the list has no room for it."""
    return clean(basis.split("》（", 1)[1].replace("）", " ", 1)) if "》（" in basis else clean(basis)


def render_explanations(found: Sequence[Explanation], width: int, units: Sequence[Mapping[str, Any]] = ()) -> str:
    """Why, why not and what to ask next, one block a verdict. `units` are the rows of `result.enterprises` to show with their measures."""
    if not found:
        return wrapped("没有可解释的条款：这张表的列能判定的条款，对它都不适用。要看某一条为什么不适用，请加 --criterion 条款id。", width) + "\n"
    lines = [line for unit in units for line in _unit(unit, width)]
    place = ""
    for one in sorted(found, key=_order):
        where = f"{clean(one.enterprise)}{'／' + clean(one.subject) if one.subject and one.subject != one.enterprise else ''}"
        spot = f"{where}（{clean(one.file) or '数据表'}{'，工作表“' + clean(one.sheet) + '”' if one.sheet else ''}，第 {one.row} 行，检查日期 {one.date}）"
        if spot != place:
            lines += ["", wrapped(spot, width)]
            place = spot
        lines += [wrapped(text, width, "  " if head else "    ", "      ") for head, text in _said(one)]
    return "\n".join(lines).lstrip("\n") + "\n"


def _unit(unit: Mapping[str, Any], width: int) -> list[str]:
    """An enterprise's level, the reasons for it, and what is to be done: who decides, by when, on which basis."""
    counts = "，".join(f"{GRADE_NAMES[grade]} {unit[grade]}" for grade in _GRADES if unit[grade]) or "没有构成的隐患"
    level = unit["level"] or ("尚无" if unit["level_possible"] else "")
    higher = f"（待核实成立时可达 {unit['level_possible']}）" if unit["level_possible"] not in (None, unit["level"]) else ""
    lines = [
        "",
        wrapped(f"{clean(unit['enterprise'])}：{counts}；{f'处置级别 {level}{higher}；' if level else ''}待核实 {unit['undetermined']}", width),
    ]
    acting = _acting(unit)
    lines += [wrapped(f"谁办：{acting}", width, "  ", "    ")] if acting else []
    lines += [wrapped(f"理由：{clean(reason)}", width, "  ", "    ") for reason in unit["reasons"]]
    for measure in (one for one in unit["measures"] if one["certain"]):
        doubt = {"verified": "", "partly": "，依据部分待核"}.get(measure["status"], "，依据待核")
        lines.append(
            wrapped(
                f"措施：{clean(measure['name'])}：{clean(measure['order'])}。决定：{clean(measure['decided_by'])}；"
                f"期限：{clean(measure['time_limit'])}；依据：{'；'.join(map(clean, measure['basis']))}{doubt}",
                width,
                "  ",
                "    ",
            )
        )
    possible = [clean(measure["name"]) for measure in unit["measures"] if not measure["certain"]]
    return [*lines, wrapped(f"待核实成立时还有：{'；'.join(possible)}", width, "  ", "    ")] if possible else lines


def _acting(unit: Mapping[str, Any]) -> str:
    """Who must act on an enterprise: who leads in its sectors, and the government of its place; empty where the rules name nobody."""
    parts = [
        f"牵头 {'、'.join(map(clean, unit['committees']))}" if unit["committees"] else "",
        f"负责 {'、'.join(map(clean, unit['departments']))}" if unit["departments"] else "",
    ]
    led = "；".join(part for part in parts if part)
    if led and unit["assignment"] == "inferred":
        led += "（推断，用前须确认）"
    home = f"属地 {clean(unit['government'])}" if unit["government"] else ""
    return "；".join(part for part in (led, home) if part)


def _said(one: Explanation) -> list[tuple[bool, str]]:
    """The lines of one verdict; true for its heading."""
    criterion, document = one.criterion, one.criterion.document
    word = "疑似" if one.suspected else VERDICTS[one.verdict]
    doubt = "" if criterion.status == "verified" else f"，{STATUS_NAMES[criterion.status]}"
    end = f"至 {criterion.end}" if criterion.end else "起施行"
    lines = [
        (True, f"【{word}】{clean(criterion.name)}（{criterion.grade_name}{doubt}）"),
        (
            False,
            f"依据：《{clean(document.title)}》（{clean(document.number)}）{clean(criterion.clause)}，{criterion.start} {end}；条款 {criterion.id}",
        ),
    ]
    if one.values:
        facts = [f"{name}={clean(text)}{f'（列“{clean(header)}”）' if header and header != name else ''}" for name, header, text in one.values]
        lines.append((False, "事实：" + "；".join(facts)))
    if one.failed:
        lines.append((False, "不成立之处：" + "；".join(map(clean, one.failed))))
    if one.clears:
        lines.append((False, "怎样才不构成：" + "；或 ".join(" 且 ".join(map(clean, way)) for way in one.clears)))
    if one.missing:
        asked = "；或 ".join("、".join(way) for way in one.missing if way)
        lines.append((False, f"还要问清（任一组）：{asked}" if asked else "事实都有了仍算不出（如除数为零），请核对数值"))
    if one.verdict == "met" and criterion.remedy:
        lines.append((False, f"整改：{clean(criterion.remedy)}"))
    return lines


def _order(one: Explanation) -> tuple[object, ...]:
    verdict = {"met": 0, "undetermined": 2, "not_met": 3, "not_applicable": 4, "not_in_force": 5}[one.verdict]
    grade = {"major": 0, "serious": 1, "violation": 2, "general": 3}[one.criterion.grade]
    return (one.row, one.file, one.sheet, 1 if one.suspected else verdict, min(map(len, one.missing), default=0), grade, one.criterion.id)
