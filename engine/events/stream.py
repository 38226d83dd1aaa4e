"""The stream: lines of JSON in, for each one line of JSON out, at once, and a state that a killed process does not lose.

Lines that wait together are judged together, up to a limit; a line that comes alone is answered alone. Every line is taken in one transaction with
its output, and only then is the output written. The same lines given again are recognised and not taken twice.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import select
import stat
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import polars as pl

from engine.chain import CHILD, DATE, conditions_of, needed
from engine.columnar import HIGH
from engine.contradictions import Contradiction
from engine.documents import Criterion
from engine.events.judging import VERDICTS, Judgement
from engine.events.lines import MAX_LINE, Reader, Reading, role
from engine.events.program import DAY
from engine.events.state import Owner, State, digest_of
from engine.events.sums import Kept, Seen, Standing, Sums
from engine.events.worker import Worker
from engine.fields import DATE_FIELD
from engine.identity import ENTERPRISE, SUBJECT, valid_code
from engine.joining import join_children
from engine.judging import at_work
from engine.pack import Pack, Sector
from engine.problems import InputError
from engine.rollup import DEADLINE, RECTIFIED
from engine.settle import SURE, table_knowledge
from engine.tables import Naming
from engine.tree import Expr

BATCH = 256
_READ = 1 << 16
_GAVE_UP = "判定这一行时引擎库几次异常退出，这一行没有判定，也没有计入单位。请把这一行连同规则包发给维护人员。"


@dataclass
class _Line:
    """A line on its way: `readings` with the judgement of each, or the `error` that stands in for them."""

    number: int
    text: bytes
    error: str | None = None
    readings: list[Reading] = field(default_factory=list)
    judged: list[Judgement] = field(default_factory=list)
    missed: list[dict[str, Any]] = field(default_factory=list)
    day: dt.date = dt.date.min
    key: str = ""
    plain: str | None = None
    code: str | None = None
    title: str | None = None
    subject: str | None = None
    owner: Owner | None = None

    @property
    def names(self) -> set[str]:
        """What ties it to other lines of the same enterprise."""
        return {name for name in (self.key, self.plain, self.code) if name}


class Stream:
    """Judges lines. `as_of`: the day for lines without a date (None: the day on which they come)."""

    def __init__(
        self, pack: Pack, naming: Naming, wanted: Sequence[str], state: State, worker: Worker, as_of: dt.date | None, include_unverified: bool
    ):
        self.pack, self.state, self.worker, self.as_of = pack, state, worker, as_of
        self._reader = Reader(pack, naming, wanted)
        self._sums = Sums(pack.ladders, worker)
        self._active = {
            sector.id: tuple(n for n, c in enumerate(sector.criteria) if at_work(c, include_unverified) == "covered")
            for sector in pack.sectors.values()
        }
        self._ids = {name: tuple(pack.sectors[name].criteria[n].id for n in numbers) for name, numbers in self._active.items()}
        told = {*pack.ladders.facts, DEADLINE, RECTIFIED}
        self._read_anyway = {
            sector.id: frozenset(told & sector.derived.keys() & needed(sector, _read_by(sector, self._active[sector.id])))
            for sector in pack.sectors.values()
        }
        self._covered: dict[tuple[str, frozenset[str]], frozenset[int]] = {}

    def run(self, source: BinaryIO, sink: BinaryIO) -> None:
        """Answer every line of `source` on `sink`. Raises InputError when the source repeats lines that were taken, and then differs."""
        self.state.acknowledge(confirmed(sink, self.state))
        number, place = 0, None
        for batch in batches(source, BATCH):
            if number == 0:
                place = self.state.replayed_from(digest_of(batch[0]))
                started = place
            fresh = []
            for text in batch:
                number += 1
                if place is None:
                    fresh.append(_Line(number, text))
                    continue
                assert started is not None
                self._replay(place, text, number, started, sink)
                place = place + 1 if place < self.state.lines else None
            while fresh:
                fresh = self._answer(fresh, sink)

    def _replay(self, place: int, text: bytes, number: int, started: int, sink: BinaryIO) -> None:
        """Pass over a line that was taken before; its output is written if it may not have been seen."""
        if self.state.digest(place) != digest_of(text):
            raise InputError(
                f"输入的前 {number - 1} 行与状态文件里已判定的第 {started}—{place - 1} 行逐字相同，第 {number} 行却与已判定的第 {place} 行不同，"
                f"分不清是接着上次的，还是改过的。请从没有判定过的那一行起送，或另用一个状态文件从头再来。"
            )
        output = self.state.output(place)
        if place > self.state.acked and output is not None:
            write(sink, output)
            self.state.acknowledge(place)

    # A batch

    def _answer(self, lines: list[_Line], sink: BinaryIO) -> list[_Line]:
        """Take as many lines as concern different enterprises; the rest is given back."""
        self.state.begin()
        today = self.as_of or dt.date.today()
        taken: list[_Line] = []
        names: set[str] = set()
        for place, line in enumerate(lines):
            if line.error is None and not line.readings:
                self._read(line, today, self.state.lines + place + 1)
            if names & line.names:
                break
            names |= line.names
            taken.append(line)
        self._judge([line for line in taken if line.error is None])
        good = [line for line in taken if line.error is None]
        self._add(good)
        standings = self._standings(good)
        outputs = []
        for line in taken:
            answer = self._output(line, standings.get(line.owner.keys[0]) if line.owner else None)
            data = json.dumps({"seq": self.state.lines + 1, "line": line.number, **answer}, ensure_ascii=False, default=str).encode() + b"\n"
            self.state.take(digest_of(line.text), data)
            outputs.append(data)
        self.state.commit()
        write(sink, b"".join(outputs))
        self.state.acknowledge(self.state.lines)
        return lines[len(taken) :]

    def _read(self, line: _Line, today: dt.date, seq: int) -> None:
        try:
            line.readings = self._reader.read(line.text)
        except InputError as error:
            line.error = str(error)
            return
        first = line.readings[0]
        fields = self.pack.sectors[first.sector].fields
        given = first.cells.get(DATE_FIELD)
        line.day = given if given is not None else today
        name, code = role(fields, first.cells, "enterprise"), _tidy(role(fields, first.cells, "enterprise_code"))
        line.subject = role(fields, first.cells, "subject")
        line.plain, line.title = _tidy(name), (name or "").strip() or None
        line.code = code.upper() if code and valid_code(code.upper()) else None
        line.key = line.code or line.plain or (f"\0{line.subject}" if line.subject else f"\1（第 {seq} 行，未填单位）")

    def _judge(self, lines: Sequence[_Line]) -> None:
        groups: dict[tuple[str, frozenset[str], frozenset[str], frozenset[str]], list[tuple[_Line, dict[str, Any]]]] = {}
        for line in lines:
            for reading in line.readings:
                facts = {**reading.cells, DATE_FIELD: line.day, DAY: line.day}
                if reading.children:
                    facts |= self._from_children(line, reading)
                derived = self.pack.sectors[reading.sector].derived
                given = frozenset(name for name in derived if CHILD + name in facts)
                wide = frozenset(name for name in reading.cells if name + HIGH in reading.cells)
                groups.setdefault((reading.sector, given, wide, self._asked(reading)), []).append((line, facts))
        found: dict[int, dict[str, Judgement]] = {}
        for (name, given, wide, asked), rows in groups.items():
            judgements = self.worker.judge(self.pack.sectors[name], self._ids[name], given, wide, [facts for _, facts in rows], asked)
            for (line, _), judgement in zip(rows, judgements, strict=True):
                if judgement is None:
                    line.error = _GAVE_UP
                else:
                    found.setdefault(line.number, {})[name] = judgement
        for line in lines:
            if line.error is None:
                line.judged = [found[line.number][reading.sector] for reading in line.readings]

    def _asked(self, reading: Reading) -> frozenset[str]:
        """The derived fields that the sums need: facts of an enterprise that follow from what the line has, or that criteria read anyway."""
        sector = self.pack.sectors[reading.sector]
        columns = frozenset(reading.cells) | {DATE_FIELD}
        across = {name for name, derived in sector.derived.items() if derived.field.across and not columns.isdisjoint(derived.reads)}
        return frozenset(across | self._read_anyway[sector.id])

    def _from_children(self, line: _Line, reading: Reading) -> dict[str, Any]:
        """What follows from the child rows of a line."""
        sector = self.pack.sectors[reading.sector]
        own = {ENTERPRISE: "", SUBJECT: line.subject, DATE: line.day}
        frame = pl.DataFrame([own], schema={ENTERPRISE: pl.String, SUBJECT: pl.String, DATE: pl.Date})
        tables = {}
        for name, rows in reading.children.items():
            mine = next((n for n, f in sector.children[name].fields.items() if f.role == "subject" and n in rows.columns), None)
            subject = pl.lit(None, dtype=pl.String) if mine is None else pl.col(mine).cast(pl.String)
            tables[name] = rows.with_columns(pl.lit("").alias(ENTERPRISE), subject.alias(SUBJECT))
        joined = join_children(frame, sector, tables)
        for lost in joined.missed.iter_rows(named=True):
            message = f"“{lost['value']}”在该日期施行的查找表里没有，“{lost['wanted']}”按不知道处理。请核对名称，或填上类别或数值。"
            reading.defects.append(
                {"column": lost["field"], "field": lost["field"], "value": lost["value"], "problem": "not_found", "message": message}
            )
        return {name: joined.frame[name][0] for name in joined.frame.columns if name.startswith(CHILD)}

    def _covers(self, sector: Sector, columns: Iterable[str]) -> frozenset[int]:
        """The criteria that a line with these columns can decide."""
        key = (sector.id, frozenset(columns))
        if key not in self._covered:
            if len(self._covered) > 4096:
                self._covered.clear()
            knowledge = table_knowledge(sector, sorted(key[1]))
            self._covered[key] = frozenset(
                n for n in self._active[sector.id] if all(knowledge.ways(expr, True) == SURE for expr in conditions_of(sector.criteria[n]))
            )
        return self._covered[key]

    def _hits(self, reading: Reading, judgement: Judgement) -> list[tuple[int, bool, bool]]:
        """What is met and what is open, as `engine.judging` lists it."""
        sector = self.pack.sectors[reading.sector]
        from_children = {name for name, derived in sector.derived.items() if derived.child in reading.children}
        covered = self._covers(sector, {*reading.cells, *from_children, DATE_FIELD} & sector.fields.keys())
        hits = []
        for n, code in zip(self._active[sector.id], judgement.verdicts, strict=True):
            verdict = VERDICTS[code]
            if sector.criteria[n].listed and (verdict in ("met", "suspected") or (verdict == "undetermined" and n in covered)):
                hits.append((n, verdict == "met", verdict == "suspected"))
        return hits

    # Enterprises

    def _add(self, lines: Sequence[_Line]) -> None:
        """Add the inspections to the sums of their enterprises."""
        seen = []
        for place, line in enumerate(lines):
            self.state.meet(line.key, line.title, line.plain, line.code, self.state.lines + place + 1)
            for reading, judgement in zip(line.readings, line.judged, strict=True):
                sector = self.pack.sectors[reading.sector]
                region = role(sector.fields, reading.cells, "region")
                subject = role(sector.fields, reading.cells, "subject")
                certain = {name: None if name + HIGH in reading.cells else value for name, value in reading.cells.items()} | dict(judgement.facts)
                seen.append(Seen(line.key, sector, certain, line.day, region, subject, self._hits(reading, judgement)))
        if seen:
            self.state.keep(self._sums.added(self.state.sums([line.key for line in lines]), seen))

    def _standings(self, lines: Sequence[_Line]) -> Mapping[str, Standing | None]:
        owners: dict[str, list[Kept]] = {}
        for line in lines:
            otherwise = line.subject or line.key.lstrip("\0\1")
            line.owner = self.state.owner(line.key, line.code, otherwise)
            owners[line.owner.keys[0]] = self.state.sums(line.owner.keys)
        return self._sums.standings(owners, self.pack.sectors)

    def _output(self, line: _Line, standing: Standing | None) -> dict[str, Any]:
        if line.error is not None:
            return {"error": line.error}
        assert line.owner is not None
        verdicts, counts, defects = [], dict.fromkeys((*VERDICTS[:5], "suspected"), 0), []
        for reading, judgement in zip(line.readings, line.judged, strict=True):
            sector = self.pack.sectors[reading.sector]
            for n, certain, suspected in self._hits(reading, judgement):
                verdicts.append(_verdict(sector.criteria[n], sector, certain, suspected))
            for code in judgement.verdicts:
                counts[VERDICTS[code]] += 1
            defects += reading.defects + [_clash(*clash) for clash in judgement.clashes]
            for place in judgement.broken:
                defects += _broken(sector, sector.contradictions[place], reading)
        counts["undetermined"] += counts["suspected"]
        values = dict(standing.values) if standing is not None else {}
        region = next(
            (found for r in line.readings if (found := role(self.pack.sectors[r.sector].fields, r.cells, "region"))), values.pop("region", None)
        )
        values.pop("region", None)
        return {
            "enterprise": line.owner.title, "subject": line.subject, "region": region, "date": line.day.isoformat(),
            "sectors": [reading.sector for reading in line.readings], "verdicts": verdicts, "counts": counts, "defects": defects, "present": values or None,
        }  # fmt: skip


def _read_by(sector: Sector, criteria: Iterable[int]) -> list[Expr]:
    """All conditions that are judged."""
    judged = [expr for n in criteria for expr in conditions_of(sector.criteria[n])]
    return judged + [one.when for one in sector.contradictions]


def _verdict(criterion: Criterion, sector: Sector, certain: bool, suspected: bool) -> dict[str, Any]:
    return {
        "criterion": criterion.id, "sector": sector.id, "verdict": "met" if certain else "undetermined", "suspected": suspected,
        "name": criterion.name, "grade": criterion.grade or None, "status": criterion.status, "document": criterion.document.number,
        "clause": criterion.clause, "duty": criterion.duty or None, "remedy": criterion.remedy or None,
    }  # fmt: skip


def _clash(name: str, cell: str | None, derived: str) -> dict[str, Any]:
    message = (
        f"“{name}”按同一行的其他事实既是 {derived}，互相矛盾，按空白处理，请核对。"
        if cell is None
        else f"“{name}”填的值与同一行其他事实推出的（{derived}）不一致，判定用所填的值，请核对。"
    )
    return {"column": None, "field": name, "value": cell, "problem": "contradiction", "message": message}


def _broken(sector: Sector, contradiction: Contradiction, reading: Reading) -> list[dict[str, Any]]:
    """The cells of a line that say together what no honest row can. One without a date is not held to the day on which it came."""
    if reading.cells.get(DATE_FIELD) is None and DATE_FIELD in needed(sector, [contradiction.when]):
        return []
    told = {name: reading.cells[name] for name in contradiction.fields if reading.cells.get(name) is not None}
    said = "，".join(f"{name}={_words(value)}" for name, value in told.items())
    message = f"{contradiction.message}（{said}），互相矛盾，判定用所填的值，请核对。"
    return [{"column": None, "field": name, "value": _words(value), "problem": "contradiction", "message": message} for name, value in told.items()]


def _words(value: object) -> str:
    if isinstance(value, bool):
        return "是" if value else "否"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _tidy(text: str | None) -> str | None:
    plain = re.sub(r"\s+", "", unicodedata.normalize("NFKC", text)) if text else ""
    return plain or None


# Streams of bytes


def batches(source: BinaryIO, limit: int) -> Iterator[list[bytes]]:
    """The lines of a stream, as many at a time as are there already, at most `limit`; it waits only where there is none. A line that is
    longer than any inspection is cut off."""
    try:
        descriptor = source.fileno()
    except (OSError, AttributeError):
        lines = source.read().splitlines()
        yield from (lines[at : at + limit] for at in range(0, len(lines), limit))
        return
    whole: list[bytes] = []
    rest, ended = b"", False
    while not ended:
        if whole and (len(whole) >= limit or not select.select([descriptor], [], [], 0)[0]):
            yield whole[:limit]
            whole = whole[limit:]
            continue
        part = os.read(descriptor, _READ)
        ended = not part
        *found, rest = (rest + part).split(b"\n") if part else ([rest] if rest else []) + [b""]
        whole += found
        rest = rest[: MAX_LINE + 1]
    for at in range(0, len(whole), limit):
        yield whole[at : at + limit]


def write(sink: BinaryIO, data: bytes) -> None:
    """Write all of it, now."""
    sink.write(data)
    sink.flush()


def confirmed(sink: BinaryIO, state: State) -> int:
    """Up to which line the output is known to be out: where it is appended to a file, the file itself says so. An output of which only a part
    reached the file is completed."""
    try:
        descriptor = sink.fileno()
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or not found.st_size:
            return state.acked
        with open(f"/proc/self/fd/{descriptor}", "rb") as file:
            file.seek(max(0, found.st_size - (MAX_LINE << 1)))
            *lines, cut = file.read().split(b"\n")
    except (OSError, AttributeError):
        return state.acked
    try:
        seq = int(json.loads(lines[-1])["seq"]) if lines else 0
    except (ValueError, KeyError, TypeError):
        return state.acked
    last = seq if state.acked <= seq <= state.lines else state.acked
    output = state.output(last + 1) if cut else None
    if output is not None and output.startswith(cut):
        write(sink, output[len(cut) :])
        return last + 1
    return last
