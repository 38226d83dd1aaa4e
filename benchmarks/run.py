"""How long the judgement takes beside the mere reading of the columns that it uses.

    python benchmarks/run.py [--rows N] [--runs K] [--json FILE]

The table is generated from the fields of special equipment: every column that some criterion reads, 5 % blanks, and values such that few rows
meet a criterion (`--bad` is the share of cells that are not as they should be). Medians of K runs. Nothing here is asserted.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from engine import judge, load_pack
from engine.chain import conditions_of, needed
from engine.pack import Sector
from engine.tree import Not, Ref, walk

SECTOR = "special-equipment"


def harmless(sector: Sector) -> dict[str, bool]:
    """For each Boolean field the value that no criterion minds: true where most conditions negate it."""
    votes: dict[str, int] = {}
    for criterion in sector.criteria:
        for node in walk(criterion.when):
            if isinstance(node, Not) and isinstance(node.operand, Ref):
                votes[node.operand.name] = votes.get(node.operand.name, 0) + 2
            elif isinstance(node, Ref) and node.type.kind == "bool":
                votes[node.name] = votes.get(node.name, 0) - 1
    return {name: vote > 0 for name, vote in votes.items()}


def table(sector: Sector, rows: int, bad: float) -> pl.DataFrame:
    """A table of every column that the criteria read."""
    rng = np.random.default_rng(20231)
    used = needed(sector, [expr for criterion in sector.criteria for expr in conditions_of(criterion)])
    good = harmless(sector)
    columns = [pl.Series("单位名称", rng.integers(0, rows // 20 + 1, rows)).cast(pl.String)]
    for name, field in sector.fields.items():
        if name not in used or (name in sector.derived and name != "检查日期"):
            continue
        off = rng.random(rows) < bad
        if field.type == "bool":
            made = pl.Series(np.where(off, not good.get(name, False), good.get(name, False)))
        elif field.type == "enum":
            made = pl.Series(list(field.values)).gather(np.where(off, rng.integers(0, len(field.values), rows), 0))
        elif field.type == "date":
            base = 19_700 if name == "检查日期" else 20_500
            made = (pl.Series(rng.integers(0, 300, rows)) + base).cast(pl.Int32).cast(pl.Date)
        elif field.numeric:
            made = pl.Series(rng.integers(1, 30, rows))
        else:
            made = pl.Series(["甲"]).new_from_index(0, rows)
        columns.append(made.rename(name).set(pl.Series(rng.random(rows) < 0.05), None))
    return pl.DataFrame(columns)


def median(task: Callable[[], object], runs: int) -> float:
    """Seconds, the median of `runs`."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        task()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    """Measure, print a table, write JSON if asked."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=300_000)
    options.add_argument("--runs", type=int, default=3)
    options.add_argument("--bad", type=float, default=0.03)
    options.add_argument("--json", type=Path)
    given = options.parse_args()
    pack = load_pack(sector=SECTOR)
    sector = pack.sectors[SECTOR]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.parquet"
        table(sector, given.rows, given.bad).write_parquet(path)
        day = dt.date(2025, 1, 1)
        floor = median(lambda: pl.read_parquet(path), given.runs)
        bare = median(lambda: judge(path, pack, as_of=day), given.runs)
        rolled = median(lambda: judge(path, pack, as_of=day).enterprises, given.runs)
        whole = median(lambda: (r := judge(path, pack, as_of=day), r.findings, r.enterprises), given.runs)
        counts = judge(path, pack, as_of=day).manifest["counts"]
    figures = {
        "rows": given.rows, "criteria": len(sector.criteria), "counts": counts, "seconds": {
            "reading the columns": floor, "judging": bare, "with enterprises on the ladder": rolled, "with all findings written out": whole,
        },
    }  # fmt: skip
    print(f"{given.rows:,} rows, {len(sector.criteria)} criteria, {counts}")
    for name, seconds in figures["seconds"].items():  # type: ignore[attr-defined]
        print(f"  {name:32} {seconds:8.2f} s   {seconds / floor:6.1f} x")
    if given.json:
        given.json.write_text(json.dumps(figures, ensure_ascii=False, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
