"""The examples of the READMEs, word by word."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli import main

ROOT = Path(__file__).resolve().parent.parent
READMES = ("README.md", "README.zh-CN.md")


def examples(name: str) -> list[str]:
    """The lines that start with `hazard`, without the comment behind."""
    text = (ROOT / name).read_text("utf-8")
    return [line.strip() for line in re.findall(r"^    (?:\.venv/bin/)?(hazard [^#\n]*)", text, re.MULTILINE)]


@pytest.mark.parametrize(("name", "example"), [(name, example) for name in READMES for example in examples(name)])
def test_every_example_of_the_command_works(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, example: str) -> None:
    (tmp_path / "datasets").symlink_to(ROOT / "datasets")
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, shlex.split(example)[1:])
    assert result.exit_code == (1 if "--fail-on" in example else 0), result.output
    assert result.stderr == "" and bool(result.stdout) != (" -q" in example)
    assert (tmp_path / "结果.xlsx").exists() == ("-o 结果.xlsx" in example)


def test_both_readmes_show_the_same_commands() -> None:
    english, chinese = map(examples, READMES)
    assert english == chinese and len(english) >= 9


def test_the_python_example_works(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    exec(compile(block, "README.md", "exec"), {})
    told = capsys.readouterr().out
    assert "special-equipment/" in told and re.search("^met ", told, re.MULTILINE)


@pytest.mark.parametrize("name", READMES)
def test_the_exit_codes_are_in_one_table(name: str) -> None:
    rows = re.findall(r"^\| (\d) \|", (ROOT / name).read_text("utf-8"), re.MULTILINE)
    assert rows == ["0", "1", "2"]
