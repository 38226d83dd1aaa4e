"""Inspections one at a time: the same rules as in columns, run by durable_rules as each inspection comes (extra `events`).

The way of a line: `lines` reads it; `worker` keeps the process in which `judging` takes it through its sector's `program` (conditions as rules in
`network`, values in `scalar`, the library behind `native`); `sums` adds it to its enterprise's partial sums and `climbing` finds where that
stands; `state` keeps both in SQLite; `stream` goes round. `frames` puts a whole table through the same rules.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from engine.pack import Library
from engine.problems import RuleFileError


def run(
    source: BinaryIO,
    sink: BinaryIO,
    pack: Library,
    sector: Sequence[str] = (),
    as_of: dt.date | None = None,
    state: Path | None = None,
    include_unverified: bool = False,
    mapping: Path | None = None,
) -> None:
    """Judge inspections as they come: one JSON object a line on `source`, for each of them one on `sink` (docs/events.md).

    `sector`: ids or titles (none: as each line says); `as_of`: the day of inspections without a date (None: the day they come); `state`: the file
    that outlives the process (None: none); `mapping`: a mapping file. Raises InputError and RuleFileError before anything is written."""
    from engine.events.state import State
    from engine.events.stream import Stream
    from engine.events.worker import Worker
    from engine.run import named, naming_of
    from engine.tables import TableMapping, read_mapping

    naming = replace(naming_of(pack), mapping=read_mapping(mapping) if mapping is not None else TableMapping())
    wanted = named(list(sector), naming)
    loaded, problems = pack.load(wanted or None)
    wrong = [problem for problem in problems if problem.severity == "error"]
    if wrong:
        raise RuleFileError(wrong)
    with Worker() as worker:
        kept = State(state)
        try:
            Stream(loaded, naming, wanted, kept, worker, as_of, include_unverified).run(source, sink)
        finally:
            kept.close()
