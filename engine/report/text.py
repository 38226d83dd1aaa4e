"""Results for a terminal: the flagged enterprises, worst first, then what the table can and cannot tell. Returns text; `cli.py` prints it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from engine.documents import GRADE_NAMES, STATUS_NAMES

if TYPE_CHECKING:
    import pyarrow as pa

    from engine.explain import Explanation
    from engine.run import Result

MAX_LISTED = 100
VERDICTS = {"met": "构成", "not_met": "不构成", "undetermined": "待核实", "not_applicable": "不适用", "not_in_force": "不在施行期"}
_GRADES = ("major", "serious", "general", "violation")


def clean(text: object) -> str:
    """A text from a table or a rule file, without control characters that a terminal would obey."""
    return "".join(ch if ch >= " " and not "\x7f" <= ch <= "\x9f" else " " for ch in str(text))


def summary(result: Result, tables: dict[str, pa.Table]) -> list[str]:
    """What stands below the list: totals, verdicts, what the table can decide, what to add, where to look next."""
    manifest: dict[str, Any] = result.manifest
    counts, criteria = manifest["counts"], manifest["criteria"]
    judged = criteria["covered"] + criteria["not_covered"]
    how = "由列名识别" if manifest["sector_recognised"] else "指定"
    lines = [
        f"行业：{clean(manifest['sector_title'])}（{manifest['sector']}，{how}）；共 {manifest['rows']:,} 行、{manifest['enterprises']:,} 个单位，"
        f"其中 {manifest['flagged']:,} 个单位有隐患。"
    ]
    if manifest["rows_without_date"]:
        lines.append(f"有 {manifest['rows_without_date']:,} 行没有检查日期，按 {manifest['as_of']} 有效的判定依据判定（--as-of 可改）。")
    lines.append(
        f"判定结论：构成 {counts['met']:,}，不构成 {counts['not_met']:,}，待核实 {counts['undetermined']:,}，不适用 {counts['not_applicable']:,}"
        f"（另有疑似 {counts['suspected']:,}：构成条件已成立，只差确认是否适用）。"
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
    if defects:
        lines.append(f"有 {defects:,} 格读不出或互相矛盾，按空白处理或列出备查，见 JSON 或工作簿的“数据毛病”。")
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


def render(result: Result, tables: dict[str, pa.Table], width: int, color: bool, table_name: str) -> str:
    """The whole text. `tables` are the (filtered) result tables; `table_name` is how to name the table in the hint to `hazard explain`."""
    flagged = [row for row in tables["enterprises"].to_pylist() if sum(row[grade] for grade in _GRADES)]
    parts = []
    if flagged:
        parts.append(_listing(flagged[:MAX_LISTED], width, color))
        if len(flagged) > MAX_LISTED:
            parts.append(f"（只列了前 {MAX_LISTED} 个，共 {len(flagged):,} 个；用 -o 结果.xlsx 或 --format csv 取全部）\n")
        if any(row["leading_grade"] == "major" and row["leading_status"] != "verified" for row in flagged[:MAX_LISTED]):
            parts.append("＊ 依据待核：该重大隐患所依条款的原文没有核到，采取措施前请先核对原文。\n")
    else:
        parts.append("没有单位构成隐患。\n")
    grades = [f"{GRADE_NAMES[grade]} {sum(row[grade] for row in flagged):,}" for grade in _GRADES]
    parts.append("\n" + f"合计：{'，'.join(grades)}（同一义务只算一次）。\n")
    parts += [line + "\n" for line in summary(result, tables)]
    name = clean((flagged or [{"enterprise": "单位名称"}])[0]["enterprise"])
    parts.append(f"想知道为什么、还差什么：hazard explain {table_name} --unit '{name}'\n")
    return "".join(parts)


def _listing(flagged: Sequence[dict[str, Any]], width: int, color: bool) -> str:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    out = io.StringIO()
    console = Console(file=out, width=max(60, width), force_terminal=color, color_system="standard" if color else None, highlight=False, emoji=False)
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold", expand=False)
    levels = any(row["level"] for row in flagged)
    regions = any(row["region"] for row in flagged) and width >= 110
    narrow = width < 110
    if narrow:
        table.add_column("单位", overflow="fold", ratio=1)
    else:
        table.add_column("单位", overflow="fold", min_width=12, max_width=32)
    if regions:
        table.add_column("区县", overflow="fold", max_width=14)
    if levels:
        table.add_column("处置级别", no_wrap=True)
    for title in ("重大", "严重", "一般", "违法", "待核"):
        table.add_column(title, justify="right", no_wrap=True)
    if not narrow:
        table.add_column("首要条款", overflow="fold", ratio=1)
    for row in flagged:
        doubt = "＊依据待核 " if row["leading_grade"] == "major" and row["leading_status"] != "verified" else ""
        leading = f"{doubt}{clean(row['leading_name'])}（{_short(row['leading_basis'])}）"
        name = clean(row["enterprise"])
        cells: list[Text] = [Text(f"{name}\n  {leading}" if narrow else name)]
        if regions:
            cells.append(Text(clean(row["region"] or "")))
        if levels:
            cells.append(Text(row["level"] or "", style="red" if (row["level_rank"] or 0) >= 4 else ""))
        cells += [Text(str(row[grade]) if row[grade] else "·", style="bold red" if grade == "major" and row[grade] else "") for grade in _GRADES]
        cells.append(Text(str(row["undetermined"]) if row["undetermined"] else "·"))
        if not narrow:
            cells.append(Text(leading))
        table.add_row(*cells)
    console.print(table)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _short(basis: str) -> str:
    """`《…》（文号）条` without the title: the list has no room for it."""
    return clean(basis.split("》（", 1)[1].replace("）", " ", 1)) if "》（" in basis else clean(basis)


def render_explanations(found: Sequence[Explanation], width: int) -> str:
    """Why, why not and what to ask next, one block a verdict."""
    if not found:
        return "没有可解释的条款：这张表的列不能判定任何条款，或都不适用。\n"
    lines: list[str] = []
    place = ""
    for one in sorted(found, key=_order):
        where = f"{clean(one.enterprise)}{'／' + clean(one.subject) if one.subject and one.subject != one.enterprise else ''}"
        spot = f"{where}（{clean(one.file) or '数据表'}{'，工作表“' + clean(one.sheet) + '”' if one.sheet else ''}，第 {one.row} 行，检查日期 {one.date}）"
        if spot != place:
            lines += ["", spot]
            place = spot
        criterion = one.criterion
        word = "疑似" if one.suspected else VERDICTS[one.verdict]
        doubt = "" if criterion.status == "verified" else f"，{STATUS_NAMES[criterion.status]}"
        lines.append(f"  【{word}】{clean(criterion.name)}（{GRADE_NAMES[criterion.grade]}{doubt}）")
        document = criterion.document
        end = f"至 {criterion.end}" if criterion.end else "起施行"
        lines.append(
            f"    依据：《{clean(document.title)}》（{clean(document.number)}）{clean(criterion.clause)}，{criterion.start} {end}；条款 {criterion.id}"
        )
        if one.values:
            lines.append(
                "    事实："
                + "；".join(
                    f"{name}={clean(text)}" + (f"（列“{clean(header)}”）" if header and header != name else "") for name, header, text in one.values
                )
            )
        if one.failed:
            lines.append("    不成立之处：" + "；".join(map(clean, one.failed)))
        if one.clears:
            lines.append("    怎样才不构成：" + "；或 ".join(" 且 ".join(map(clean, way)) for way in one.clears))
        if one.missing:
            lines.append("    还要问清（任一组）：" + "；或 ".join("、".join(way) for way in one.missing))
        if one.verdict == "met" and criterion.remedy:
            lines.append(f"    整改：{clean(criterion.remedy)}")
    return "\n".join(lines).lstrip("\n") + "\n"


def _order(one: Explanation) -> tuple[object, ...]:
    verdict = {"met": 0, "undetermined": 2, "not_met": 3, "not_applicable": 4, "not_in_force": 5}[one.verdict]
    grade = {"major": 0, "serious": 1, "violation": 2, "general": 3}[one.criterion.grade]
    return (one.row, one.file, one.sheet, 1 if one.suspected else verdict, min(map(len, one.missing), default=0), grade, one.criterion.id)
