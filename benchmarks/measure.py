"""Clocks and scales: medians of several runs that take turns, and the peak memory of a child process."""

from __future__ import annotations

import gc
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

DISTRIBUTIONS = ("polars", "pyarrow", "duckdb", "pandas", "durable-rules", "zen-engine", "rule-engine", "clipspy", "pandera")


def turns(tasks: Mapping[str, Callable[[], Mapping[str, float] | object]], runs: int) -> dict[str, float]:
    """Seconds of each task, the median of `runs`. The tasks take turns, so that what else the machine does falls on all alike. A task that
    gives a mapping of names to seconds has timed its own stages; they stand under their names."""
    times: dict[str, list[float]] = {}
    for _ in range(runs):
        for name, task in tasks.items():
            gc.collect()
            start = time.perf_counter()
            made = task()
            seconds = time.perf_counter() - start
            for stage, spent in made.items() if isinstance(made, dict) else ((name, seconds),):
                times.setdefault(stage, []).append(spent)
            del made
    return {name: statistics.median(found) for name, found in times.items()}


def once(task: Callable[[], object]) -> float:
    """Seconds of a single run."""
    start = time.perf_counter()
    task()
    return time.perf_counter() - start


def in_child(module: str, *arguments: str) -> dict[str, object]:
    """Run `python -m module arguments`, which prints one JSON object, in a process of its own."""
    done = subprocess.run([sys.executable, "-m", module, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        return {"failed": done.returncode, "message": done.stderr.strip().splitlines()[-1:] or [""]}
    made = json.loads(done.stdout.splitlines()[-1])
    assert isinstance(made, dict)
    return made


def peak_megabytes() -> float:
    """The most memory that this process has held so far. Linux says it of the program itself; what getrusage says of a child counts what its
    parent held when it was started."""
    for line in _lines("/proc/self/status"):
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def machine() -> dict[str, object]:
    """What the figures were measured on, and how busy it was."""
    model = [line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    memory = [int(line.split()[1]) // 1024 for line in _lines("/proc/meminfo") if line.startswith("MemTotal")]
    return {
        "processor": model[0] if model else platform.processor(), "cores": os.cpu_count(), "memory_mb": memory[0] if memory else None,
        "system": f"{platform.system()} {platform.release()}", "python": platform.python_version(),
        "versions": {name: found for name in DISTRIBUTIONS if (found := _version(name))}, "load": round(os.getloadavg()[0], 2),
    }  # fmt: skip


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _lines(path: str) -> list[str]:
    return Path(path).read_text("utf-8").splitlines() if Path(path).exists() else []
