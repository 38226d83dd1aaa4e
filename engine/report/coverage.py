"""What the rule library covers: a page of one document, a list of all, the same as data, and docs/coverage.md. Returns text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.coverage import Coverage
from engine.documents import GAP_KINDS, GAP_NAMES, KIND_NAMES, STATUS_NAMES, STATUSES, Criterion
from engine.report.text import clean, wrapped

STATES = {"encoded": "已编入", **GAP_NAMES}
_COUNTED = {"verified": "已核", "recalled": "待核", "uncertain": "存疑"}
_HANG = " " * 6


def document_page(one: Coverage, titles: Mapping[str, str], width: int = 0) -> str:
    """One document clause by clause, for a terminal of `width` columns (0: no terminal). `titles`: sector id -> title."""
    document = one.document
    lines = [
        clean(document.title),
        "=" * 40,
        f"文件    {one.id}",
        f"文号    {clean(document.number)}，{clean(document.issuer)}",
        f"施行    {_period(one)}（首末两日都算）",
        f"行业    {_served(one, titles)}",
        f"条款    {_counts(one)}",
    ]
    for label, names in (("前一版", document.replaces), ("后一版", (document.replaced_by,) if document.replaced_by else ())):
        lines += [f"{label}  {'、'.join(f'{document.sector}/{name}' for name in names)}"] if names else []
    if one.off:
        lines.append("注意    全部条款存疑，默认不用；加 --include-unverified 才判。")
    if document.note:
        lines.append(f"说明    {clean(document.note)}")
    lines.append("")
    for part in one.parts():
        lines.append(f"{clean(part.clause)}  {STATES[part.state]}{'：' + clean(part.reason) if part.reason else ''}")
        lines += [f"  {_criterion(criterion)}" for criterion in part.criteria]
    return "".join(f"{wrapped(line.lstrip(), width, line[: len(line) - len(line.lstrip())], _HANG)}\n" for line in lines)


def documents_list(documents: Sequence[Coverage], titles: Mapping[str, str], width: int = 0) -> str:
    """One line a document below the head of its sector, then the totals and the documents that are off by default."""
    lines: list[str] = []
    sector = ""
    for one in documents:
        if one.document.sector != sector:
            sector = one.document.sector
            lines += ["", f"{titles[sector]}（{sector}）"]
        others = f"；也用于{'、'.join(titles[name] for name in one.sectors[1:])}" if one.sectors[1:] else ""
        gaps = f"；{_gaps(one)}" if one.document.gaps else ""
        lines.append(f"  {one.id}  《{clean(one.document.title)}》（{clean(one.document.number)}）{_period(one)}；{_counts(one)}{gaps}{others}")
    off = [one.id for one in documents if one.off]
    lines += ["", _total(documents)]
    if off:
        lines.append(f"默认不用（全部条款存疑）的文件 {len(off)} 份：{'、'.join(off)}。")
    lines.append("用 hazard rules coverage 文件 看一份文件逐条的情形。")
    return "".join(f"{wrapped(line.lstrip(), width, line[: len(line) - len(line.lstrip())], _HANG)}\n" for line in lines[1:])


def documents_records(documents: Sequence[Coverage]) -> list[dict[str, object]]:
    """The list as data, one object a document; dates as 2024-01-31, null where there is nothing."""
    return [_record(one) for one in documents]


def document_record(one: Coverage) -> dict[str, object]:
    """One document as data, with its clauses."""
    parts = [
        {
            "clause": part.clause,
            "state": part.state,
            "reason": part.reason or None,
            "criteria": [{"criterion": c.id, "name": c.name, "grade": c.grade, "kind": c.kind, "status": c.status} for c in part.criteria],
        }
        for part in one.parts()
    ]
    return {**_record(one), "clauses": parts}


def markdown(documents: Sequence[Coverage], titles: Mapping[str, str]) -> str:
    """docs/coverage.md: the table of all documents, those that are off, and by document what is off, missing or not computable."""
    off = [one for one in documents if one.off]
    lines = [
        "# 规则库覆盖到哪里",
        "",
        "由规则文件生成（`python -m tests.test_docs` 重写本页）；一份文件逐条的情形用 `hazard rules coverage 文件` 查看。",
        "条件与研究资料不同的地方见 [rules/CHANGES.md](../rules/CHANGES.md)。",
        "",
        _total(documents),
        "“已核”对照过公布的文本或转录，“待核”凭记忆或转述，“存疑”默认不用（`--include-unverified` 才用）；"
        "“缺”是原文没有见到或没有收，“不可计算”是要人判断或要检查表里没有的事实。",
        "",
        "## 默认不用的文件",
        "",
        *[f"- `{one.id}`《{one.document.title}》：{len(one.criteria)} 条全部存疑" for one in off],
        "",
        "## 全部文件",
        "",
    ]
    for sector in dict.fromkeys(one.document.sector for one in documents):
        own = [one for one in documents if one.document.sector == sector]
        lines += [
            f"### {titles[sector]}（{sector}）",
            "",
            "| 文件 | 名称 | 文号 | 首日 | 末日 | 条款 | 已核 | 待核 | 存疑 | 缺 | 不可计算 | 也用于 |",
            "|---|---|---|---|---|---|---|---|---|---|---|---|",
        ]
        for one in own:
            status, gaps, d = one.by_status, one.by_gap, one.document
            cells = [f"`{d.id}`", d.title, d.number, d.start, d.end or "现行", len(one.criteria), *(status[s] for s in STATUSES)]
            cells += [*(gaps[kind] for kind in GAP_KINDS), "、".join(titles[name] for name in one.sectors[1:])]
            lines.append("| " + " | ".join(_cell(cell) for cell in cells) + " |")
        lines.append("")
    lines += ["## 没有编入、不可计算和默认不用的条款", "", "没有列出的文件，条款全部编入，也没有存疑的条款。", ""]
    for one in documents:
        doubtful = [part for part in one.parts() if any(c.status == "uncertain" for c in part.criteria)]
        if not one.document.gaps and (not doubtful or one.off):
            continue
        lines += [f"### {one.id}", "", f"《{one.document.title}》（{one.document.number}）", ""]
        lines += [f"- {GAP_NAMES[gap.kind]}：{gap.clause}。{gap.reason}。" for gap in one.document.gaps]
        if one.off:
            lines.append("- 存疑，默认不用：全部条款。")
        elif doubtful:
            lines.append(f"- 存疑，默认不用：{'、'.join(part.clause for part in doubtful)}。")
        lines.append("")
    return "\n".join(lines).rstrip("\n") + "\n"


def _record(one: Coverage) -> dict[str, object]:
    d, status = one.document, one.by_status
    return {
        "document": one.id, "title": d.title, "number": d.number, "issuer": d.issuer, "sector": d.sector, "sectors": list(one.sectors),
        "in_force_from": d.start.isoformat(), "in_force_to": d.end.isoformat() if d.end else None,
        "replaces": [f"{d.sector}/{name}" for name in d.replaces], "replaced_by": f"{d.sector}/{d.replaced_by}" if d.replaced_by else None,
        "criteria": len(one.criteria), **{name: status[name] for name in STATUSES}, "off_by_default": one.off,
        "gaps": [{"clause": gap.clause, "kind": gap.kind, "reason": gap.reason} for gap in d.gaps],
    }  # fmt: skip


def _criterion(criterion: Criterion) -> str:
    marks = [STATUS_NAMES[criterion.status] + ("，默认不用" if criterion.status == "uncertain" else "")]
    marks += [KIND_NAMES[criterion.kind]] if criterion.kind != "direct" else []
    marks += [f"停用：{clean(criterion.suspended)}"] if criterion.suspended else []
    return f"{criterion.id}  {criterion.grade_name}  {clean(criterion.name)}{''.join(f'〔{mark}〕' for mark in marks)}"


def _period(one: Coverage) -> str:
    return f"{one.document.start} {f'至 {one.document.end}' if one.document.end else '起'}"


def _served(one: Coverage, titles: Mapping[str, str]) -> str:
    return "、".join(f"{titles[name]}（{name}）" for name in one.sectors)


def _counts(one: Coverage) -> str:
    status = one.by_status
    return f"{len(one.criteria)} 条（{'、'.join(f'{name} {status[key]}' for key, name in _COUNTED.items() if status[key])}）"


def _gaps(one: Coverage) -> str:
    return "、".join(f"{GAP_NAMES[kind]} {one.by_gap[kind]} 处" for kind in GAP_KINDS if one.by_gap[kind])


def _total(documents: Sequence[Coverage]) -> str:
    criteria = [criterion for one in documents for criterion in one.criteria]
    counts = "、".join(f"{name} {sum(c.status == key for c in criteria):,}" for key, name in _COUNTED.items())
    return f"共 {len({one.document.sector for one in documents})} 个行业、{len(documents)} 份文件、{len(criteria):,} 条判定条款（{counts}）。"


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|")
