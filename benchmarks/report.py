"""The figures -> docs/performance.md, and the list of targets that are not reached.

python -m benchmarks.report [JSON] [MARKDOWN]
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SHARE = "0.03"


@dataclass(frozen=True)
class Target:
    """One aim: what, how much is wanted, how much was found (None: not measured), and whether it is reached."""

    what: str
    wanted: str
    found: str
    reached: bool | None


def _at_most(what: str, limit: float, found: float | None) -> Target:
    text = "没有量" if found is None else f"{found:.2f} 倍"
    return Target(what, f"至多 {limit:g} 倍", text, None if found is None else found <= limit)


def _times(found: float) -> str:
    return f"{found:,.0f} 倍" if found >= 10 else f"{found:.1f} 倍"


def _at_least(what: str, limit: float, found: float | None) -> Target:
    text = "没有量" if found is None else _times(found)
    return Target(what, f"至少 {limit:,.0f} 倍", text, None if found is None else found >= limit)


def targets(found: Mapping[str, Any]) -> list[Target]:
    """All aims, with what was measured."""
    made: list[Target] = []
    for sector in found["sectors"].values():
        made += _of_sector(sector["title"], sector)
    return made


def _of_sector(title: str, sector: Mapping[str, Any]) -> Iterator[Target]:
    stages = sector.get("stages", {})
    at = stages.get(SHARE)
    yield _at_most(f"{title}：整个判定（含隐患清单和单位处置级别）比只读所用的列，命中 3%", 1.3, at and at["whole"] / at["floor"])
    spread = [one["whole"] for one in stages.values()]
    yield _at_most(f"{title}：命中 0.1%、3%、30% 之间的耗时之比", 1.5, max(spread) / min(spread) if len(spread) > 1 else None)
    seconds = sector.get("columns", {}).get("seconds", {})
    for name in ("Polars", "DuckDB", "pandas"):
        yield _at_most(f"{title}：整个判定比手写 {name}", 1.0, seconds["whole"] / seconds[name] if name in seconds else None)
    engines = sector.get("row_engines", {})
    for name, limit in (("durable_rules", 500), ("ZEN", 1000), ("rule-engine", 1000)):
        yield _at_least(f"{title}：每行每条比 {name} 快", limit, engines.get(name, {}).get("times_slower"))
    growth = sector.get("growth")
    yield _at_most(f"{title}：行数十倍，耗时", 11.0, growth and _ratio(growth["rows"], "whole"))
    yield _at_most(f"{title}：条款十倍（列不变），耗时", 3.0, growth and _ratio(growth["criteria"], "whole"))
    if "memory" in sector:
        peaks = [one.get("peak_mb") for one in sector["memory"].values()]
        yield _at_most(f"{title}：行数十倍，内存峰值", 1.3, peaks[-1] / peaks[0] if all(peaks) else None)
        rows = sector.get("large", {}).get("rows")
        yield Target(f"{title}：一亿行实测", "有", f"{rows:,} 行" if rows else "没有量", None if not rows else rows >= 100_000_000)


def _ratio(sizes: Mapping[str, Mapping[str, float]], stage: str) -> float:
    small, large = sorted(sizes, key=int)
    return sizes[large][stage] / sizes[small][stage]


def shortfalls(found: Mapping[str, Any]) -> list[str]:
    """What was measured and is short of its target, and what was not measured, a line each."""
    return [f"{one.what}：{one.found}（目标{one.wanted}）" for one in targets(found) if not one.reached]


def page(found: Mapping[str, Any]) -> str:
    """The whole page in Markdown."""
    machine = found["machine"]
    versions = "、".join(f"{name} {number}" for name, number in machine["versions"].items())
    lines = [
        "# 性能", "",
        "由 `make bench` 生成，不要手改；数字在 `benchmarks/results.json`。只宜比同一张表里的比值：绝对的秒数随机器和当时的忙闲而变。", "",
        f"机器：{machine['processor']}，{machine['cores']} 核，内存 {(machine['memory_mb'] or 0) / 1024:.0f} GB，{machine['system']}，"
        f"Python {machine['python']}。版本：{versions}。开始时的平均负载 {machine['load']}"
        f"{'：别的工作同时在跑，秒数偏大' if machine['load'] > 0.5 else ''}。每个数是 {found['runs']} 次的中位数，各方轮流跑。"
        f"这一次的命令：`{found['command']}`。行数少时，装入和编译的固定开销占得多，对本引擎不利；增长一节的倍数也因此偏小。", "",
        *([found["note"], ""] if found.get("note") else []), "## 目标", "", "| 目标 | 要求 | 量到 | 达到 |", "|---|---|---|---|",
    ]  # fmt: skip
    mark = {True: "是", False: "**否**", None: "没有量"}
    lines += [f"| {one.what} | {one.wanted} | {one.found} | {mark[one.reached]} |" for one in targets(found)]
    for sector in found["sectors"].values():
        lines += ["", f"## {sector['title']}", "", *_sector(sector, found["rows"])]
    lines += ["", "## 怎样量的", "", *_METHOD, ""]
    return "\n".join(lines)


def _sector(sector: Mapping[str, Any], rows: int) -> Iterator[str]:
    table = sector["table"]
    yield f"{table['criteria']} 条条款；生成的表 {table['columns']} 列，其中条款用到 {table['used_columns']} 列。"
    if sector.get("stages"):
        yield from (
            "",
            f"### 判定，{rows:,} 行 Parquet",
            "",
            "| 命中 | 只读所用的列 | 得出结论 | 加处置级别 | 加隐患清单 | 加待核实清单 | 加隐患清单是只读的 |",
            "|---|---|---|---|---|---|---|",
        )
        for share, one in sector["stages"].items():
            last = f"{one['everything']:.2f} 秒" if "everything" in one else "—"
            yield f"| {float(share):.1%} | {one['floor']:.2f} 秒 | {one['judge']:.2f} 秒 | {one['enterprises']:.2f} 秒 | {one['whole']:.2f} 秒 | {last} | {one['whole'] / one['floor']:.1f} 倍 |"
    if "csv" in sector:
        one = sector["csv"]
        yield from (
            "",
            f"csv {rows // 5:,} 行：按文字读所用的列 {one['floor']:.2f} 秒，整个判定 {one['whole']:.2f} 秒，{one['whole'] / one['floor']:.1f} 倍。",
        )
    if "columns" in sector:
        yield from _columns(sector["columns"], rows)
    if "row_engines" in sector:
        yield from _row_engines(sector["row_engines"])
    if "growth" in sector:
        yield from ("", "### 增长", "", "| | 小 | 大 | 整个判定之比 | 得出结论之比 |", "|---|---|---|---|---|")
        for what, name in (("rows", "行数"), ("criteria", "条款数")):
            small, large = sorted(sector["growth"][what], key=int)
            whole, bare = _ratio(sector["growth"][what], "whole"), _ratio(sector["growth"][what], "judge")
            yield f"| {name} | {int(small):,} | {int(large):,} | {whole:.1f} 倍 | {bare:.1f} 倍 |"
    if "memory" in sector:
        yield from ("", "### 内存峰值（单独的进程）", "", "| 行数 | 内存峰值 | 耗时 |", "|---|---|---|")
        for size, one in sector["memory"].items():
            peak = f"{one['peak_mb']:,.0f} MB" if "peak_mb" in one else one.get("not_begun", "没有跑完")
            spent = f"{one['seconds']:.0f} 秒" if "seconds" in one else "—"
            yield f"| {int(size):,} | {peak} | {spent} |"
    if "large" in sector:
        one = sector["large"]
        yield from ("", f"{one['rows']:,} 行实测：{one['engine']}；流式读所用的列 {one['floor']:.0f} 秒。")


def _columns(columns: Mapping[str, Any], rows: int) -> Iterator[str]:
    seconds, said = columns["seconds"], columns["said"]
    yield from (
        "",
        f"### 同样的条件手写，{rows:,} 行 Parquet，命中 3%",
        "",
        "| | 能写的条款 | 耗时 | 本引擎整个判定是它的 | 本引擎只得结论是它的 | 结果不同的条款 |",
        "|---|---|---|---|---|---|",
    )
    for name, one in said.items():
        spent = seconds[name]
        differ = "、".join(one["differ"]) or "无"
        yield f"| {name} | {one['criteria']} | {spent:.2f} 秒 | {seconds['whole'] / spent:.2f} 倍 | {seconds['judge'] / spent:.2f} 倍 | {differ} |"
    yield from (
        "",
        f"本引擎同时轮流跑：得出结论 {seconds['judge']:.2f} 秒，整个判定 {seconds['whole']:.2f} 秒。手写的只数各条款构成和待核实的行数，没有证据、清单和单位。",
    )


def _row_engines(engines: Mapping[str, Any]) -> Iterator[str]:
    ours = engines["engine"]
    yield from (
        "",
        "### 逐行判定的引擎，取同一张表的前若干行",
        "",
        "| | 行 | 条款 | 行·条/秒 | 本引擎快 | 结果不同的条款 |",
        "|---|---|---|---|---|---|",
    )
    yield f"| 本引擎，整个判定 | {ours['rows']:,} | {ours['criteria']} | {ours['per_second']:,.0f} | 1 倍 | — |"
    for name, one in engines.items():
        if name == "engine":
            continue
        if "refused" in one:
            yield f"| {name} | — | — | — | — | 装不下这些规则：{one['refused']} |"
        else:
            differ = "、".join(one["differ"]) or "无"
            yield f"| {name} | {one['rows']:,} | {one['criteria']} | {one['per_second']:,.0f} | {_times(one['times_slower'])} | {differ} |"


_METHOD = (
    "- 表是生成的：每一行从规则旁的检验用例取来（要命中的取 `met` 的，不命中的取 `not_met` 的），其余的格填无害的事实，再随机空去 5% 的格；",
    "  每行先判一遍，分成有隐患和没有隐患两堆，按要的命中比例抽。每个单位平均十行，有检查日期和区县。",
    "- “只读所用的列”是 Polars 读 Parquet 里条款用到的列，读成数据框，什么也不算。",
    "- 手写条件由程序从条件树逐个译成各自的表达式或 SQL，三值逻辑照样，一次查询，数出每条款构成和待核实的行数，再与本引擎逐条核对。",
    "  差别只在恰好等于界限的小数上：`x >= y * 1.1` 这样的条件，手写的用二进制浮点数，本引擎按十二位有效数字比（见 semantics.md）。",
    "- 逐行的引擎只拿由事实和比较组成的条款（推算日期和算术的除外），推导出的事实事先替它们填好，日期换成数；结果逐条核对。",
    "  每行每条的速度：行数乘以条款数除以秒数；本引擎用的是整个判定的秒数。",
    "- “条款十倍”：每条加九个变体，条件相同而只在某一天成立。",
)


def main() -> None:
    """Write the page."""
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "benchmarks" / "results.json"
    target = Path(sys.argv[2]) if len(sys.argv) > 2 else ROOT / "docs" / "performance.md"
    target.write_text(page(json.loads(source.read_text("utf-8"))), "utf-8")


if __name__ == "__main__":
    main()
