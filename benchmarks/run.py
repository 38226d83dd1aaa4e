"""Measure and write the figures as JSON; print what falls short of its target.

    python -m benchmarks.run [--quick] [--rows N] [--sector ID]... [--runs K] [--only SECTION]... [--json FILE] [--folder DIR]

`--quick` keeps to the judgement beside the floor and the conditions by hand. Nothing here is asserted.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from benchmarks.engine_run import floor, staged
from benchmarks.generate import Tables, rules_of
from benchmarks.measure import machine, turns

SECTORS = ("special-equipment", "mines")
HITS = (0.001, 0.03, 0.3)
OUT = Path(__file__).resolve().parent.parent / "out" / "bench"


def stages(tables: Tables, rows: int, runs: int, hits: tuple[float, ...] = HITS, undetermined: bool = True) -> dict[str, dict[str, float]]:
    """The floor and the stages of the judgement at each share of hits, in seconds."""
    rules, made = tables.rules, {}
    for share in hits:
        path = tables.path(rows, share)
        tasks = {
            "floor": lambda path=path: floor(path, rules.used),
            "engine": lambda path=path: staged(path, rules.pack, undetermined),
        }  # fmt: skip
        made[f"{share:g}"] = turns(tasks, runs)
        print(f"  {rules.sector.id} {rows:,} 行, 命中 {share:.1%}: " + "  ".join(f"{k} {v:.2f}s" for k, v in made[f"{share:g}"].items()), flush=True)
    return made


def main() -> None:
    """Measure what was asked for."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--runs", type=int, default=3)
    options.add_argument("--sector", action="append", choices=SECTORS)
    options.add_argument("--hits", type=float, action="append")
    options.add_argument("--quick", action="store_true")
    options.add_argument("--json", type=Path, default=OUT / "results.json")
    options.add_argument("--folder", type=Path, default=OUT)
    given = options.parse_args()
    found: dict[str, object] = {"machine": machine(), "rows": given.rows, "sectors": {}}
    for name in given.sector or SECTORS:
        tables = Tables(rules_of(name), given.folder)
        hits = tuple(given.hits) if given.hits else (0.03,) if given.quick else HITS
        found["sectors"][name] = {"table": tables.facts(), "stages": stages(tables, given.rows, given.runs, hits, not given.quick)}  # type: ignore[index]
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
