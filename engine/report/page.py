"""One criterion as a page: what it says, on what basis, which facts to record, how to mend, with examples from its own tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engine.documents import STATUS_NAMES, Criterion, Document
from engine.fields import Field
from engine.pack import Sector
from engine.report.text import VERDICTS, clean, wrapped
from engine.ruletests import RuleTest
from engine.tree import fields_of

KINDS = {"bool": "是非", "enum": "枚举", "number": "数", "integer": "整数", "date": "日期", "text": "文字"}
MAX_EXAMPLES = 4
_HANG = " " * 4


def criterion_page(criterion: Criterion, sector: Sector, tests: Sequence[RuleTest], width: int = 0) -> str:
    """The page as text, for a terminal of `width` columns (0: no terminal). `tests` are those of this criterion."""
    document = criterion.document
    lines = [
        clean(criterion.name),
        "=" * 40,
        f"条款 id    {criterion.id}",
        f"等级       {criterion.grade_name}{'（' + criterion.grade + '）' if criterion.grade else ''}",
        f"依据       《{clean(document.title)}》（{clean(document.number)}）{clean(criterion.clause)}，{clean(document.issuer)}",
        f"施行       {criterion.start} 起{f'，至 {criterion.end}' if criterion.end else ''}（首末两日都算）",
        f"依据状态   {STATUS_NAMES[criterion.status]}（{criterion.status}）",
    ]
    for title, text in (
        ("前一版", "、".join(document.replaces)), ("后一版", document.replaced_by), ("同一义务", criterion.duty),
        ("专项", criterion.campaign and criterion.campaign + ("（勉强归类）" if criterion.campaign_fit == "loose" else "")),
        ("已停用", criterion.suspended), ("已替换", criterion.replaced), ("说明", criterion.note),
    ):  # fmt: skip
        if text:
            lines.append(f"{title}{' ' * (11 - 2 * len(title))}{clean(text)}")
    lines += ["", "判定条件", f"  适用：{clean(criterion.applies_text) or '一律适用'}", f"  构成：{clean(criterion.when_text)}", "", "要记录的事实"]
    exprs = [expr for expr in (criterion.applies, criterion.when) if expr is not None]
    for name in dict.fromkeys(name for expr in exprs for name in fields_of(expr)):
        lines.append(f"  {_fact(sector.fields[name], sector)}")
    if criterion.remedy:
        lines += ["", "整改办法", f"  {clean(criterion.remedy)}"]
    if tests:
        lines += ["", "例子"]
        seen: set[str] = set()
        for test in tests:
            if test.verdict in seen or len(seen) >= MAX_EXAMPLES:
                continue
            seen.add(test.verdict)
            row = "，".join(f"{name} {clean(value)}" for name, value in test.row) or "都空着"
            lines.append(f"  {VERDICTS[test.verdict]}：{row}{'（' + clean(test.why) + '）' if test.why else ''}")
    if document.sources:
        lines += ["", "出处", *[f"  {clean(source)}" for source in document.sources]]
    return "".join(f"{wrapped(line.lstrip(), width, line[: len(line) - len(line.lstrip())], _HANG)}\n" for line in lines)


def criteria_list(criteria: Sequence[Criterion]) -> str:
    """One line a criterion below the head of its document: id, grade, name, and a mark where it is not verified, or suspended."""
    lines: list[str] = []
    document = None
    for criterion in criteria:
        if criterion.document != document:
            document = criterion.document
            end = f"至 {document.end}" if document.end else "起"
            lines += ["", f"《{clean(document.title)}》（{clean(document.number)}） {document.start} {end}"]
        marks = [] if criterion.status == "verified" else [STATUS_NAMES[criterion.status]]
        marks += ["停用"] if criterion.suspended else []
        lines.append(f"  {criterion.id}  {criterion.grade_name}  {clean(criterion.name)}{''.join(f'〔{mark}〕' for mark in marks)}")
    lines += ["", f"共 {len(criteria)} 条。用 hazard rules show 条款id 看一条的全文。"]
    return "\n".join(lines[1:]) + "\n"


def criteria_records(criteria: Sequence[Criterion], sectors_of: Callable[[Document], Sequence[str]]) -> list[dict[str, object]]:
    """The same as data, one object a criterion; dates as 2024-01-31, null where there is nothing. `sectors_of` a document: the ids of the
    sectors that it judges, its own first."""
    return [
        {
            "criterion": c.id, "name": c.name, "clause": c.clause, "document": c.document.number, "title": c.document.title, "sector": c.document.sector,
            "sectors": list(sectors_of(c.document)), "grade": c.grade, "status": c.status, "kind": c.kind, "duty": c.duty or None, "campaign": c.campaign or None,
            "in_force_from": c.start.isoformat(), "in_force_to": c.end.isoformat() if c.end else None, "suspended": c.suspended or None,
            "replaced": c.replaced or None,
        }
        for c in criteria
    ]  # fmt: skip


def _fact(field: Field, sector: Sector) -> str:
    unit = f"，单位 {field.unit}" if field.unit is not None and str(field.unit) != "1" else ""
    values = f"：{'、'.join(field.values)}" if field.values else ""
    derived = sector.derived.get(field.name)
    from_ = f"；没有填时由 {'、'.join(derived.reads)} 推出" if derived else ""
    return f"{field.name}（{KINDS[field.type]}{unit}{values}）{clean(field.meaning)}{from_}"
