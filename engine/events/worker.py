"""The process in which the native library works, and its keeper: a crash there costs a restart, never an inspection.

The keeper sends rows and gets verdicts back over pipes. When the worker dies or does not answer, a new one is started, told again what it has to know,
and asked again; a row on which it dies time and again is given up, and the caller is told which one.
"""

from __future__ import annotations

import os
import pickle
import select
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

from engine.ladder import Ladders
from engine.pack import Sector
from engine.problems import InputError

TRIES = 3
MAX_PROGRAMS = 64
TIMEOUT = 120.0
_HEAD = struct.Struct(">Q")
_START = "import sys; sys.path[:] = {path!r}; from engine.events.worker import serve; serve()"


class Crashed(Exception):
    """The worker died, or did not answer in time."""


class Worker:
    """Keeps one worker process. `restarts` counts how often it had to be started again."""

    def __init__(self, timeout: float = TIMEOUT):
        from engine.events.native import library

        library()  # a missing extra is said here, not by a dying process
        self.timeout, self.restarts = timeout, 0
        self._process: subprocess.Popen[bytes] | None = None
        self._told: set[int] = set()
        self._programs: dict[object, tuple[int, tuple[Any, ...]]] = {}

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """The process id of the worker, None where none is running."""
        return self._process.pid if self._process is not None else None

    def judge(
        self,
        sector: Sector,
        criteria: tuple[str, ...],
        given: frozenset[str],
        wide: frozenset[str],
        rows: Sequence[Mapping[str, Any]],
        asked: frozenset[str] = frozenset(),
    ) -> list[Any]:
        """A `judging.Judgement` for each row; None for a row on which the library died TRIES times. `given`, `wide` and `asked` as in
        `program_of`."""
        program = self._program((id(sector), criteria, given, wide, asked), ("sector", sector, criteria, given, wide, asked))
        return self._asked(program, list(rows))

    def climb(self, ladders: Ladders, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
        """For each enterprise which conditions of the ladders are certain and which possible (`climbing.Footing`)."""
        return self._asked(self._program((id(ladders), "ladders"), ("ladders", ladders)), list(rows))

    def close(self) -> None:
        """End the worker."""
        process, self._process = self._process, None
        self._told.clear()
        if process is None:
            return
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.close()
            process.wait(timeout=5)
        except (OSError, subprocess.TimeoutExpired):
            process.kill()
            process.wait()
        process.stdout.close()

    def _program(self, key: object, program: tuple[Any, ...]) -> int:
        if key not in self._programs:
            self._programs[key] = (len(self._programs), program)  # holds the sector, so that its id stays its own
        return self._programs[key][0]

    def _asked(self, program: int, rows: list[Mapping[str, Any]]) -> list[Any]:
        if not rows:
            return []
        try:
            return self._try(program, rows)
        except Crashed:
            self.restarts += 1
        return [self._alone(program, row) for row in rows]

    def _alone(self, program: int, row: Mapping[str, Any]) -> Any:
        for _ in range(TRIES):
            try:
                return self._try(program, [row])[0]
            except Crashed:
                self.restarts += 1
        return None

    def _try(self, program: int, rows: list[Mapping[str, Any]]) -> list[Any]:
        try:
            if program not in self._told and len(self._told) >= MAX_PROGRAMS:
                self.close()  # the library gives nothing back that was loaded
            if program not in self._told:
                self._send(("program", program, dict(self._programs.values())[program]))
            self._send(("rows", program, rows))
            kind, answer = self._receive()
        except (OSError, EOFError, Crashed) as error:
            self._bury()
            raise Crashed from error
        if kind == "error":
            self._bury()
            if answer[0] == "InputError":
                raise InputError(answer[1])
            raise Crashed(answer[1])
        self._told.add(program)
        assert isinstance(answer, list)
        return answer

    def _send(self, message: object) -> None:
        if self._process is None:
            self._process = _started()
        assert self._process.stdin is not None
        _write(self._process.stdin, message)

    def _receive(self) -> Any:
        assert self._process is not None and self._process.stdout is not None
        stream = self._process.stdout
        deadline = time.monotonic() + self.timeout
        size = _HEAD.unpack(_read(stream, _HEAD.size, deadline))[0]
        return pickle.loads(_read(stream, size, deadline))

    def _bury(self) -> None:
        process, self._process = self._process, None
        self._told.clear()
        if process is not None:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                try:
                    if stream is not None:
                        stream.close()
                except OSError:
                    pass


def _started() -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", _START.format(path=[path or os.getcwd() for path in sys.path])]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, start_new_session=True)


def _write(stream: Any, message: object) -> None:
    data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    whole = memoryview(_HEAD.pack(len(data)) + data)
    while whole:
        whole = whole[stream.write(whole) :]


def _read(stream: Any, size: int, deadline: float | None = None) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        if deadline is not None and not select.select([stream], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise Crashed("no answer")
        part = stream.read(size - len(parts))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)


# In the worker


def serve() -> None:
    """Answer until the keeper goes: what runs in the worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    outward = os.fdopen(os.dup(1), "wb", 0)
    os.dup2(2, 1)  # whatever the native library prints goes to the messages
    inward: BinaryIO = os.fdopen(0, "rb", 0)
    programs: dict[int, Any] = {}
    while True:
        try:
            kind, number, content = pickle.loads(_read(inward, _HEAD.unpack(_read(inward, _HEAD.size))[0]))
        except EOFError:
            return
        try:
            if kind == "program":
                programs[number] = _made(number, content)
                continue
            answer: tuple[str, object] = ("rows", [programs[number](row) for row in content])
        except Exception as error:  # whatever went wrong, the keeper decides
            answer = ("error", (type(error).__name__, str(error)))
        _write(outward, answer)
        if answer[0] == "error":
            return


def _made(number: int, content: tuple[Any, ...]) -> Any:
    if content[0] == "ladders":
        from engine.events.climbing import Climber

        return Climber(f"ladders{number}", content[1]).climb
    from engine.events.judging import Judge
    from engine.events.program import program_of

    _, sector, ids, *more = content
    by_id = {criterion.id: criterion for criterion in sector.criteria}
    return Judge(f"{sector.id}{number}", program_of(sector, [by_id[one] for one in ids], *more)).judge
