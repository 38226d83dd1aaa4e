"""Nothing acknowledged is lost and nothing is counted twice: restarts, kills between any two steps, and a native library that dies."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from engine.events import worker as worker_module
from engine.events.state import State
from engine.events.stream import confirmed
from engine.events.worker import Worker
from engine.problems import InputError

from .streams import AS_OF, answers, pack_of, small_pack, text_of

PACK = pack_of("fireworks")
ROOT = Path(__file__).resolve().parents[2]


def inspections(count: int, names: int = 3) -> list[dict[str, str]]:
    """Inspections of a few shops in turn, every fifth with a finding."""
    return [
        {"单位名称": f"第{n % names}烟花店", "单位类型": "零售店", "检查日期": f"2024-03-{n % 28 + 1:02}", "检查对象": f"第{n % 2}间", "下店上宅": "是" if n % 5 == 4 else "否", "序号": str(n)}
        for n in range(count)
    ]  # fmt: skip


def whole(count: int, names: int = 3) -> list[dict[str, object]]:
    """What an uninterrupted stream answers."""
    return answers(PACK, inspections(count, names))


class Cut(Exception):
    """Stands for the end of the process."""


class CutOff(io.BytesIO):
    """An output at which the process ends: when its `at`-th piece is to be written, and before or after."""

    def __init__(self, at: int, after: bool):
        super().__init__()
        self.at, self.after = at, after

    def write(self, data: object) -> int:
        self.at -= 1
        if self.at == 0 and not self.after:
            raise Cut
        done = super().write(data)  # type: ignore[arg-type]
        if self.at == 0:
            raise Cut
        return done


@pytest.mark.parametrize("after", [False, True], ids=["before its output", "after its output"])
@pytest.mark.parametrize("at", [1, 2, 3])
def test_whoever_sends_on_from_the_first_line_without_an_answer_gets_each_answer_once(tmp_path: Path, at: int, after: bool) -> None:
    """One shop, so that every line is a transaction of its own; the process ends between the transaction and the acknowledgement of one."""
    rows, state, sink = inspections(4, names=1), tmp_path / "状态.db", CutOff(at, after)
    with pytest.raises(Cut):
        answers(PACK, rows, state, sink)
    seen = [json.loads(line) for line in sink.getvalue().splitlines()]
    assert len(seen) == (at if after else at - 1)
    seen += answers(PACK, rows[len(seen) :], state)
    expected = whole(4, names=1)
    assert [{**answer, "line": 0} for answer in seen] == [{**answer, "line": 0} for answer in expected]


@pytest.mark.parametrize("at", [1, 2, 4])
def test_whoever_sends_all_again_gets_only_what_was_not_out(tmp_path: Path, at: int) -> None:
    rows, state, sink = inspections(4, names=1), tmp_path / "状态.db", CutOff(at, after=False)
    with pytest.raises(Cut):
        answers(PACK, rows, state, sink)
    seen = [json.loads(line) for line in sink.getvalue().splitlines()]
    assert seen + answers(PACK, rows, state) == whole(4, names=1)
    assert answers(PACK, rows, state) == []
    assert [answer["seq"] for answer in answers(PACK, inspections(6, names=1), state)] == [5, 6]


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_a_file_of_answers_is_completed_where_it_was_torn(tmp_path: Path, cut: int) -> None:
    """The output went to a file; the process ended in the middle of writing it, before it could note how far."""
    rows, state, out = inspections(3, names=1), tmp_path / "状态.db", tmp_path / "结论.jsonl"
    sink = CutOff(cut, after=False)
    with pytest.raises(Cut):
        answers(PACK, rows, state, sink)
    expected = text_of(whole(3, names=1))
    lines = expected.splitlines(keepends=True)
    for torn in (b"".join(lines[:cut]), b"".join(lines[: cut - 1]) + lines[cut - 1][:50]):  # quite out, and half out
        out.write_bytes(torn)
        with open(out, "ab", 0) as file:
            kept = State(state)
            assert confirmed(file, kept) == cut
            kept.close()
        assert out.read_bytes() == b"".join(lines[:cut])


def test_a_process_killed_again_and_again_leaves_a_file_as_if_it_had_never_been(tmp_path: Path) -> None:
    rows, state, out = tmp_path / "检查.jsonl", tmp_path / "状态.db", tmp_path / "结论.jsonl"
    count = 40
    rows.write_bytes(text_of(inspections(count, names=1)))
    command = [sys.executable, "-c", "from cli import main; main()", "events", "--sector", "fireworks", "--as-of", str(AS_OF), "--state", str(state)]
    kills = 0
    for _ in range(20):
        with open(rows, "rb") as source, open(out, "ab") as sink:
            process = subprocess.Popen(command, stdin=source, stdout=sink, cwd=ROOT)
        before, give_up = out.read_bytes().count(b"\n"), time.monotonic() + 120
        while process.poll() is None and time.monotonic() < give_up and out.read_bytes().count(b"\n") < before + 9:
            time.sleep(0.002)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            kills += 1
        if process.wait() == 0:
            break
    assert kills >= 2
    assert [json.loads(line) for line in out.read_bytes().splitlines()] == whole(count, names=1)


def test_lines_that_were_changed_behind_the_state_are_refused(tmp_path: Path) -> None:
    rows, state = inspections(3), tmp_path / "状态.db"
    answers(PACK, rows, state)
    sink = io.BytesIO()
    with pytest.raises(InputError, match="第 2 行却与已判定的第 2 行不同"):
        answers(PACK, [rows[0], {**rows[1], "下店上宅": "是"}, *rows[2:]], state, sink)
    assert sink.getvalue() == b""


def test_another_day_goes_on_with_the_same_state(tmp_path: Path) -> None:
    first, second = inspections(3, names=1), [{**row, "检查日期": "2024-06-01"} for row in inspections(2, names=1)]
    state = tmp_path / "状态.db"
    answers(PACK, first, state)
    came = answers(PACK, second, state)
    assert [(a["seq"], a["line"], a["present"]["rows"]) for a in came] == [(4, 1, 4), (5, 2, 5)]
    assert answers(PACK, [*first, *second], state) == []
    assert answers(PACK, second, state) == []


def test_a_repetition_is_seen_across_a_restart(tmp_path: Path) -> None:
    """The same hazard on the same site on another day within twelve months; on another site, or later, it is none."""
    row, state = {"单位名称": "某店", "检查日期": "2024-01-10", "检查对象": "一库", "甲": True}, tmp_path / "状态.db"
    pack = small_pack(tmp_path, {"shop": ("a", "general")}, ladder="十二个月内重复次数 >= 1")
    levels = []
    for more in ({}, {"检查日期": "2024-02-10", "检查对象": "二库"}, {"检查日期": "2024-12-10"}, {"检查日期": "2026-01-01"}):
        (came,) = answers(pack, [{**row, **more}], state)
        levels.append(came["present"]["level"])
    assert levels == [None, None, "警示", None]


def test_a_state_has_one_user_at_a_time(tmp_path: Path) -> None:
    kept = State(tmp_path / "状态.db")
    with pytest.raises(InputError, match="正被另一个进程使用"):
        State(tmp_path / "状态.db")
    kept.close()
    State(tmp_path / "状态.db").close()


def test_criteria_that_the_rules_have_dropped_no_longer_count(tmp_path: Path) -> None:
    """The sums go by the ids of criteria, not by their place."""
    state, row = tmp_path / "状态.db", {"单位名称": "某店", "甲": True}
    (came,) = answers(small_pack(tmp_path, {"shop": ("a b", "major general")}), [row], state)
    assert (came["present"]["major"], came["present"]["general"]) == (1, 1)
    (came,) = answers(small_pack(tmp_path, {"shop": ("c b", "serious general")}), [{**row, "甲": False, "乙": False}], state)
    present = came["present"]
    assert (present["major"], present["serious"], present["general"], present["rows"]) == (0, 0, 1, 2)


# The native library


_DYING = """
import sys; sys.path[:] = {path!r}
import os, time
from engine.events import judging, worker
judge = judging.Judge.judge
def dying(self, facts):
    what = str(facts.get("单位名称"))
    if what.startswith("死"):
        os.kill(os.getpid(), 11)
    while what.startswith("挂"):
        time.sleep(1)
    if what.startswith("一次") and not os.path.exists({mark!r}):
        open({mark!r}, "w").close()
        os.kill(os.getpid(), 11)
    return judge(self, facts)
judging.Judge.judge = dying
worker.serve()
"""


@pytest.fixture
def dying(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Workers whose library dies of a segmentation fault on a shop named 死, once on one named 一次, and hangs on one named 挂."""
    start = _DYING.replace("{mark!r}", repr(str(tmp_path / "mark")))
    monkeypatch.setattr(worker_module, "_START", start)
    return start


def test_an_inspection_on_which_the_library_dies_once_is_judged_again(dying: str) -> None:
    rows = inspections(6)
    rows[3]["单位名称"] = "一次烟花店"
    with Worker() as by:
        came = answers(PACK, rows, by=by)
        assert by.restarts == 1
    assert came == answers(PACK, rows)


@pytest.mark.parametrize("name", ["死烟花店", "挂烟花店"], ids=["dies", "hangs"])
def test_an_inspection_that_the_library_never_survives_gets_an_error_and_the_others_their_verdicts(dying: str, name: str) -> None:
    rows = inspections(4, names=4)
    bad = {**rows[0], "单位名称": name}
    with Worker(timeout=120 if name[0] == "死" else 15) as by:
        came = answers(PACK, [*rows[:2], bad, *rows[2:]], by=by)
    assert "引擎库" in came[2]["error"] and set(came[2]) == {"seq", "line", "error"}
    good = [{key: value for key, value in answer.items() if key not in ("seq", "line")} for answer in [*came[:2], *came[3:]]]
    assert good == [{key: value for key, value in answer.items() if key not in ("seq", "line")} for answer in answers(PACK, rows)]


def test_a_worker_that_is_killed_in_the_middle_of_an_inspection_is_replaced() -> None:
    """The worker is stopped, asked, and killed while the answer is awaited."""
    rows = inspections(3)
    with Worker() as by:
        before = answers(PACK, rows, by=by)
        pid = by.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        killer = threading.Timer(0.5, os.kill, (pid, signal.SIGSEGV))
        revive = threading.Timer(0.6, os.kill, (pid, signal.SIGKILL))
        killer.start()
        revive.start()
        again = answers(PACK, rows, by=by)
        killer.join()
        revive.cancel()
        assert by.pid != pid and by.restarts >= 1
    assert again == before


def test_a_table_on_which_the_library_dies_is_refused_with_its_row(dying: str) -> None:
    import pandas as pd

    from engine import judge

    table = pd.DataFrame([*inspections(2), {**inspections(1)[0], "单位名称": "死烟花店"}])
    with pytest.raises(InputError, match="第 3 行"):
        judge(table, PACK, as_of=AS_OF, engine="events")
