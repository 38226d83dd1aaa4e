"""Measure, write the figures as JSON, and print what falls short of its target. Nothing here is asserted.

    python -m benchmarks.run [--quick] [--rows N] [--sector ID]... [--hits SHARE]... [--runs K] [--only SECTION]... [--json FILE]

Sections: `stages` the judgement beside the floor, `columns` the conditions by hand in whole columns, `rows` engines that take one row at a
time, `growth` more rows and more criteria, `memory` the most memory held, `large` one run of a size of its own (`--large N`). `--quick` does
the first three once, on a smaller table of one sector at one share of hits.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
import importlib
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType

import polars as pl

from benchmarks.conditions import DAY as DATE_REF, questions, steps
from benchmarks.engine_run import floor, staged
from benchmarks.generate import DAY, Tables, rules_of
from benchmarks.measure import in_child, machine, once, turns
from benchmarks.peers import Slice, Task, Work, slice_of
from benchmarks.report import shortfalls
from engine import judge
from engine.documents import Criterion
from engine.pack import Pack, with_criteria
from engine.tree import DATE, And, Compare, Literal

SECTORS = ("special-equipment", "mines")
HITS = (0.001, 0.03, 0.3)
SHARE = 0.03
"""The share of hits at which everything but the cost of hits is measured."""
SECTIONS = ("stages", "columns", "rows", "growth", "memory", "large")
QUICK = ("stages", "columns", "rows")
COLUMNS = ("polars_query", "duckdb_query", "pandas_columns")
ROWS = {
    "plain_python": 20_000, "clips_rules": 2_000, "durable_facts": 1_000, "pandera_checks": 5_000, "zen_decision": 500, "rule_engine_rows": 300,
}  # fmt: skip
"""Engines that take one row at a time, each with the rows that it gets."""
MEMORY = (3_000_000, 30_000_000)
MOST_MEMORY = 16_000
"""Megabytes; what would need more is not begun, for other work may run on the machine."""
MORE_CRITERIA = 10
ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "out" / "bench"

Figures = dict[str, object]


def stages(tables: Tables, rows: int, runs: int, hits: tuple[float, ...]) -> Figures:
    """The floor and the stages of the judgement at each share of hits, in seconds; the listing of undetermined ones at one share only."""
    tasks: dict[str, Callable[[], object]] = {}
    for share in hits:
        path = tables.path(rows, share)
        tasks[f"{share:g} floor"] = lambda path=path: floor(path, tables.rules.used)
        tasks[f"{share:g} engine"] = lambda path=path, share=share: {
            f"{share:g} {stage}": spent for stage, spent in staged(path, tables.rules.pack, undetermined=share == SHARE).items()
        }
    made: dict[str, dict[str, float]] = {}
    for name, spent in turns(tasks, runs).items():  # all shares take turns, for their costs are compared
        share_text, stage = name.split()
        made.setdefault(share_text, {})[stage] = spent
    for share_text, seconds in made.items():
        _say(f"{tables.rules.sector.id} {rows:,} 行，命中 {float(share_text):.1%}", seconds)
    return dict(made)


def csv_stages(tables: Tables, rows: int, runs: int) -> dict[str, float]:
    """The same from a csv file, beside a plain reader's time for all columns as text."""
    path = tables.path(rows, SHARE, csv=True)
    made = turns({"floor": lambda: floor(path, tables.rules.used), "engine": lambda: staged(path, tables.rules.pack)}, runs)
    _say(f"{tables.rules.sector.id} csv {rows:,} 行", made)
    return made


def columns(tables: Tables, rows: int, runs: int) -> Figures:
    """The conditions by hand, in whole columns, taking turns with the judgement on the same file; and where their counts differ from ours."""
    path, rules = tables.path(rows, SHARE), tables.rules
    work = Work(path, rules.used, tuple(steps(rules.sector, rules.columns)), tuple(questions(rules.sector, rules.columns)))
    ours = _counts(path, rules.pack)
    tasks, said = {"engine": lambda: staged(path, rules.pack)}, {}
    for module in _present(COLUMNS):
        task: Task = module.prepare(work)
        counts = task.run()
        wrong = sorted(name for name, found in counts.items() if tuple(map(int, found)) != ours[name])
        said[module.NAME] = {"criteria": len(task.said), "left_out": len(task.left_out), "differ": wrong}
        tasks[module.NAME] = lambda run=task.run: (run(), None)[1]
    seconds = turns(tasks, runs)
    _say(f"{rules.sector.id} {rows:,} 行，手写条件", seconds)
    return {"seconds": seconds, "said": said}


def rows_one_at_a_time(tables: Tables, rows: int, runs: int, engine_seconds: float, part_of: int = 1) -> Figures:
    """Engines that take one row at a time, each on the first rows of the same table: row times criterion a second, and whether they find what
    we find. `engine_seconds` is the whole judgement of `rows` rows; `part_of` makes the slices smaller by that factor."""
    rules = tables.rules
    asked = tuple(questions(rules.sector, rules.columns))
    ours = rows * len(asked) / engine_seconds
    made: Figures = {"engine": {"per_second": ours, "criteria": len(asked), "rows": rows}}
    whole = pl.scan_parquet(tables.path(rows, SHARE))
    for module in _present(tuple(ROWS)):
        count = min(ROWS[module.__name__.rsplit(".", 1)[1]] // part_of, rows)
        (part,) = (part.judged for part in judge(whole.head(count).collect(), rules.pack, sector=rules.sector.id, as_of=DAY)._parts)
        truth = {criterion.id: tally.met for criterion, tally in zip(rules.sector.criteria, part.tallies, strict=True)}
        portion: Slice = slice_of(part.chained.frame, asked)
        try:
            task: Task = module.prepare(portion)
            found = task.run()
        except Exception as error:  # an engine that refuses the rules is a finding of its own
            made[module.NAME] = {"refused": f"{type(error).__name__}: {error}"[:200]}
            continue
        wrong = sorted(name for name, (met, *_) in found.items() if met != truth[name])
        seconds = turns({"run": lambda run=task.run: (run(), None)[1]}, runs)["run"]
        speed = count * len(task.said) / seconds
        made[module.NAME] = {
            "rows": count, "criteria": len(task.said), "seconds": seconds, "per_second": speed, "times_slower": ours / speed,
            "met": sum(met for met, *_ in found.values()), "differ": wrong,
        }  # fmt: skip
        print(f"  {rules.sector.id} {module.NAME}: {speed:,.0f} 行·条/秒，本引擎是它的 {ours / speed:,.0f} 倍", flush=True)
    return made


def growth(tables: Tables, rows: int, runs: int) -> Figures:
    """Ten times the rows; ten times the criteria on the same columns."""
    rules = tables.rules
    small, large = tables.path(rows // 10, SHARE), tables.path(rows, SHARE)
    more = _with_more(rules.pack, rules.sector.id)
    made: Figures = {
        "rows": {
            f"{rows // 10}": turns({"floor": lambda: floor(small, rules.used), "engine": lambda: staged(small, rules.pack)}, runs),
            f"{rows}": turns({"floor": lambda: floor(large, rules.used), "engine": lambda: staged(large, rules.pack)}, runs),
        },
        "criteria": {
            f"{len(rules.sector.criteria)}": turns({"engine": lambda: staged(large, rules.pack)}, runs),
            f"{len(more.sectors[rules.sector.id].criteria)}": turns({"engine": lambda: staged(large, more)}, 1),
        },
    }
    for what, found in made.items():
        for size, seconds in found.items():  # type: ignore[attr-defined]
            _say(f"{rules.sector.id} {what} {int(size):,}", seconds)
    return made


def _with_more(pack: Pack, sector: str) -> Pack:
    """The pack with nine variants of each criterion: the same condition, but on one day only, so that they cost what a criterion costs
    and add few findings."""
    criteria: list[Criterion] = list(pack.sectors[sector].criteria)
    made = list(criteria)
    for number in range(1, MORE_CRITERIA):
        only = Compare("=", DATE_REF, Literal(DAY - dt.timedelta(20 * number), DATE))
        made += [dataclasses.replace(one, id=f"{one.id}-v{number}", when=And((one.when, only)), duty="") for one in criteria]
    return dataclasses.replace(pack, sectors={**pack.sectors, sector: with_criteria(pack.sectors[sector], made)})


def memory(tables: Tables, sizes: tuple[int, ...]) -> Figures:
    """The most memory that a process held that judged the table, for each size."""
    made: Figures = {}
    for size in sizes:
        if made:
            before = max(float(one["peak_mb"]) * size / int(at) for at, one in made.items() if "peak_mb" in one)  # type: ignore[operator, index, call-overload]
            smaller = [float(one["peak_mb"]) for one in made.values() if "peak_mb" in one]  # type: ignore[operator, index]
            bounded = len(smaller) > 1 and smaller[-1] < 2 * smaller[0]
            if before > MOST_MEMORY and not bounded:
                made[str(size)] = {"not_begun": f"按 {next(iter(made))} 行推算要 {before / 1000:.0f} GB，超出本机可用"}
                continue
        made[str(size)] = in_child("benchmarks.engine_run", tables.rules.sector.id, str(tables.path(size, SHARE)))
        print(f"  {tables.rules.sector.id} 内存 {size:,} 行: {made[str(size)]}", flush=True)
    return made


def large(tables: Tables, size: int) -> Figures:
    """One run of one size in a process of its own, beside one reading of its columns."""
    path = tables.path(size, SHARE)
    made = in_child("benchmarks.engine_run", tables.rules.sector.id, str(path))
    wide = pl.scan_parquet(path).select(tables.rules.used)
    return {"rows": size, "engine": made, "floor": once(lambda: wide.select(pl.all().null_count()).collect(engine="streaming"))}


def _counts(path: Path, pack: Pack) -> dict[str, tuple[int, int]]:
    """Rows met and open by criterion, as we find them."""
    parts = [part.judged for part in judge(path, pack, as_of=DAY)._parts]
    return {c.id: (t.met, t.undetermined) for part in parts for c, t in zip(part.sector.criteria, part.tallies, strict=True)}


def _present(names: tuple[str, ...]) -> list[ModuleType]:
    """The peers whose packages are installed."""
    found = []
    for name in names:
        try:
            found.append(importlib.import_module(f"benchmarks.peers.{name}"))
        except ModuleNotFoundError as error:
            print(f"  没有装 {error.name}，{name} 从略（make bench 会装）", flush=True)
    return found


def _say(what: str, seconds: Mapping[str, float] | object) -> None:
    assert isinstance(seconds, Mapping)
    print(f"  {what}: " + "  ".join(f"{name} {spent:.2f}s" for name, spent in seconds.items()), flush=True)


def main() -> None:
    """Measure what was asked for."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", type=int)
    options.add_argument("--runs", type=int)
    options.add_argument("--sector", action="append", choices=SECTORS)
    options.add_argument("--hits", type=float, action="append")
    options.add_argument("--only", action="append", choices=SECTIONS)
    options.add_argument("--quick", action="store_true")
    options.add_argument("--large", type=int, default=0, help="rows of the section large, e.g. 100000000")
    options.add_argument("--memory", type=int, action="append", help="sizes of the section memory")
    options.add_argument("--json", type=Path, default=OUT / "results.json")
    options.add_argument("--folder", type=Path, default=OUT, help="where the generated tables are kept")
    given = options.parse_args()
    rows = given.rows or (100_000 if given.quick else 1_000_000)
    runs = given.runs or (1 if given.quick else 3)
    hits = tuple(given.hits) if given.hits else (SHARE,) if given.quick else HITS
    wanted = given.only or (QUICK if given.quick else SECTIONS)
    found: Figures = {
        "machine": machine(),
        "rows": rows,
        "runs": runs,
        "command": " ".join(["python -m benchmarks.run", *sys.argv[1:]]),
        "sectors": {},
    }
    for name in given.sector or (SECTORS[:1] if given.quick else SECTORS):
        tables = Tables(rules_of(name), given.folder)
        made: Figures = {"title": tables.rules.sector.title, "table": tables.facts()}
        found["sectors"][name] = made  # type: ignore[index]
        if "stages" in wanted or "rows" in wanted:
            made["stages"] = stages(tables, rows, runs, hits)
        if "stages" in wanted and not given.quick:
            made["csv"] = csv_stages(tables, rows // 5, runs)
        if "columns" in wanted:
            made["columns"] = columns(tables, rows, runs)
        if "rows" in wanted:
            share = f"{SHARE:g}" if SHARE in hits else f"{hits[0]:g}"
            made["row_engines"] = rows_one_at_a_time(tables, rows, runs, made["stages"][share]["whole"], 4 if given.quick else 1)  # type: ignore[index]
        if "growth" in wanted:
            made["growth"] = growth(tables, rows, runs)
        if "memory" in wanted and name == SECTORS[0]:
            made["memory"] = memory(tables, tuple(given.memory or MEMORY))
        if "large" in wanted and given.large and name == SECTORS[0]:
            made["large"] = large(tables, given.large)
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", "utf-8")
    short = shortfalls(found)
    print("没有达到目标的：" if short else "量到的都达到了目标。")
    for line in short:
        print(f"  {line}")


if __name__ == "__main__":
    main()
