"""The judgement as a user asks for it: one call on a file, then the tables of the result.

As a program it judges one file in a process of its own and prints how long it took and how much memory it held:
`python -m benchmarks.engine_run SECTOR FILE`.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import polars as pl

from benchmarks.generate import DAY
from benchmarks.measure import peak_megabytes
from engine import Result, judge, load_pack
from engine.pack import Pack


def staged(path: Path, pack: Pack, undetermined: bool = False) -> dict[str, float]:
    """Judge a file and build its tables; seconds from the start to the end of each stage: `judge` the verdicts, `enterprises` the
    enterprises on the ladder too, `whole` all findings with their evidence too, `everything` all undetermined ones too."""
    start = time.perf_counter()
    result = judge(path, pack, as_of=DAY)
    times = {"judge": time.perf_counter() - start}
    _ = result.enterprises
    times["enterprises"] = time.perf_counter() - start
    _ = result.findings
    times["whole"] = time.perf_counter() - start
    if undetermined:
        _ = result.undetermined
        times["everything"] = time.perf_counter() - start
    return times


def whole(path: Path, pack: Pack) -> Result:
    """Verdicts, enterprises on the ladder, and all findings with their evidence written out."""
    result = judge(path, pack, as_of=DAY)
    _ = result.enterprises, result.findings
    return result


def floor(path: Path, columns: tuple[str, ...]) -> pl.DataFrame:
    """The least that any judgement must do: read the columns that the criteria use."""
    if path.suffix == ".csv":
        return pl.read_csv(path, columns=list(columns), infer_schema=False)
    return pl.read_parquet(path, columns=list(columns))


def main() -> None:
    """Judge one file and print the figures as JSON."""
    sector, name = sys.argv[1:]
    pack = load_pack(sector=sector)
    before = peak_megabytes()
    start = time.perf_counter()
    result = whole(Path(name), pack)
    seconds = time.perf_counter() - start
    print(json.dumps({
        "seconds": seconds, "peak_mb": peak_megabytes(), "before_mb": before, "rows": result.manifest["rows"],
        "findings": result.findings.num_rows, "enterprises": result.enterprises.num_rows,
    }))  # fmt: skip


if __name__ == "__main__":
    main()
