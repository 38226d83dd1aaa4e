"""What a stream has come to, in one SQLite file: which lines were taken, and the partial sums of every enterprise.

An inspection, its partial sums and its output are written in one transaction, before the output is. A process that is killed therefore finds each
inspection either whole or not at all; an output that was written here but perhaps not seen outside is kept until it is known to be out.
Nothing else is kept of an inspection: a digest of its line and what it adds to the sums.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.problems import InputError

VERSION = 1
_TABLES = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS line (seq INTEGER PRIMARY KEY, digest BLOB NOT NULL, first INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS line_first ON line (digest) WHERE first = 1;
CREATE TABLE IF NOT EXISTS pending (seq INTEGER PRIMARY KEY, output BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS owner (key TEXT PRIMARY KEY, seq INTEGER NOT NULL, title TEXT, named INTEGER) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS owner_title ON owner (title);
CREATE TABLE IF NOT EXISTS alias (plain TEXT, code TEXT, PRIMARY KEY (plain, code)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS alias_code ON alias (code);
CREATE TABLE IF NOT EXISTS sums (key TEXT, sector TEXT, data TEXT NOT NULL, PRIMARY KEY (key, sector)) WITHOUT ROWID;
"""


def digest_of(line: bytes) -> bytes:
    """What a line is recognised by."""
    return hashlib.blake2b(line.strip(), digest_size=16).digest()


@dataclass(frozen=True)
class Owner:
    """An enterprise as far as the stream knows it: `keys` under which its sums are kept, its title, its valid code."""

    keys: tuple[str, ...]
    title: str
    code: str | None


class State:
    """An open state; with no path one in memory, gone with the process. Raises InputError when the file is none, or in use."""

    def __init__(self, path: Path | None):
        self._path = path
        try:
            self._db = sqlite3.connect(path or ":memory:", isolation_level=None, timeout=1.0)
            self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("BEGIN IMMEDIATE")
            for statement in _TABLES.split(";"):
                self._db.execute(statement)
            version = self._meta("version", VERSION)
            self.acked = self._meta("acked", 0)
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            raise InputError(self._why(error)) from None
        if version != VERSION:
            raise InputError(f"状态文件“{path}”是另一版程序写的（{version}，本版是 {VERSION}）。请用那一版程序继续，或另用一个文件从头再来。")
        self.lines: int = self._db.execute("SELECT COALESCE(MAX(seq), 0) FROM line").fetchone()[0]
        self._first = True

    def _why(self, error: sqlite3.Error) -> str:
        if "locked" in str(error):
            return f"状态文件“{self._path}”正被另一个进程使用。一个状态文件同时只能有一个 hazard events。"
        return f"状态文件“{self._path}”打不开或不是本命令写的（{error}）。请核对路径和权限，或另用一个文件。"

    def _meta(self, name: str, default: int) -> int:
        self._db.execute("INSERT OR IGNORE INTO meta VALUES (?, ?)", (name, default))
        return int(self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()[0])

    def close(self) -> None:
        """Close the file; nothing is lost without it."""
        self._db.close()

    # Lines

    def replayed_from(self, digest: bytes) -> int | None:
        """Where in what was taken a first line stands: the place of an output perhaps not seen, else the start of an earlier run. None: it is new."""
        found: int | None = self._db.execute("SELECT MIN(seq) FROM line WHERE seq > ? AND digest = ?", (self.acked, digest)).fetchone()[0]
        if found is None:
            found = self._db.execute("SELECT MAX(seq) FROM line WHERE first = 1 AND digest = ?", (digest,)).fetchone()[0]
        return found

    def digest(self, seq: int) -> bytes | None:
        """The digest of a line that was taken."""
        row = self._db.execute("SELECT digest FROM line WHERE seq = ?", (seq,)).fetchone()
        return None if row is None else row[0]

    def output(self, seq: int) -> bytes | None:
        """The output of a line, kept while it may not have been seen."""
        row = self._db.execute("SELECT output FROM pending WHERE seq = ?", (seq,)).fetchone()
        return None if row is None else row[0]

    def begin(self) -> None:
        """Begin to take lines."""
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute("BEGIN IMMEDIATE")

    def take(self, digest: bytes, output: bytes) -> None:
        """Take the next line with its output."""
        self.lines += 1
        self._db.execute("INSERT INTO line VALUES (?, ?, ?)", (self.lines, digest, int(self._first)))
        self._db.execute("INSERT INTO pending VALUES (?, ?)", (self.lines, output))
        self._first = False

    def commit(self) -> None:
        """What was taken is from now on neither lost nor taken again."""
        self._db.execute("DELETE FROM pending WHERE seq <= ?", (self.acked,))
        self._db.execute("COMMIT")

    def acknowledge(self, seq: int) -> None:
        """The outputs up to `seq` are out."""
        if seq <= self.acked:
            return
        self.acked = seq
        self._db.execute("PRAGMA synchronous=OFF")  # to survive the process is enough: at worst an output is offered again
        self._db.execute("UPDATE meta SET value = ? WHERE name = 'acked'", (seq,))

    # Enterprises

    def meet(self, key: str, title: str | None, plain: str | None, code: str | None, seq: int) -> None:
        """Note that a row of the enterprise `key` came, with the name it bears."""
        self._db.execute("INSERT OR IGNORE INTO owner VALUES (?, ?, ?, ?)", (key, seq, title, seq if title else None))
        if title:
            self._db.execute("UPDATE owner SET title = ?, named = ? WHERE key = ? AND title IS NULL", (title, seq, key))
        if plain and code:
            self._db.execute("INSERT OR IGNORE INTO alias VALUES (?, ?)", (plain, code))

    def owner(self, key: str, code: str | None, otherwise: str) -> Owner:
        """The enterprise to which a key belongs by now: a name belongs to the code that alone bears it. `otherwise`: its title without a name."""
        if code is None:
            codes = self._codes(key)
            code = codes[0] if len(codes) == 1 else None
        keys = [key] if code is None else [code, *(plain for plain in self._names(code) if self._codes(plain) == [code])]
        marks = ",".join("?" * len(keys))
        row = self._db.execute(f"SELECT title FROM owner WHERE key IN ({marks}) AND title IS NOT NULL ORDER BY named LIMIT 1", keys).fetchone()
        if row is None:
            return Owner(tuple(keys), code or otherwise, code)
        title: str = row[0]
        if code is not None:
            query = f"SELECT 1 FROM owner WHERE title = ? AND key NOT IN ({marks}) LIMIT 1"
            if self._db.execute(query, (title, *keys)).fetchone():
                return Owner(tuple(keys), f"{title}（{code}）", code)
        return Owner(tuple(keys), title, code)

    def _codes(self, plain: str) -> list[str]:
        return [row[0] for row in self._db.execute("SELECT code FROM alias WHERE plain = ? ORDER BY code", (plain,))]

    def _names(self, code: str) -> list[str]:
        return [row[0] for row in self._db.execute("SELECT plain FROM alias WHERE code = ? ORDER BY plain", (code,))]

    def sums(self, keys: Sequence[str]) -> list[tuple[str, str, Any]]:
        """The partial sums kept under the keys: key, sector, and what `sums.py` made of them."""
        found = []
        for key in keys:
            for sector, data in self._db.execute("SELECT sector, data FROM sums WHERE key = ? ORDER BY sector", (key,)):
                found.append((key, sector, json.loads(data)))
        return found

    def keep(self, made: Iterable[tuple[str, str, Any]]) -> None:
        """Keep partial sums."""
        rows = [(key, sector, json.dumps(data, ensure_ascii=False, separators=(",", ":"))) for key, sector, data in made]
        self._db.executemany("INSERT OR REPLACE INTO sums VALUES (?, ?, ?)", rows)
