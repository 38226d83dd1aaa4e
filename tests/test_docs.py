"""The pages that promise something keep it: results.md names every column, cli.md every command, coverage.md every document as the rules
now state it, the READMEs only what exists."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click
import pytest

from cli import main
from engine import result as schemas
from engine.coverage import coverage
from engine.pack import open_library
from engine.report.coverage import markdown

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "README.zh-CN.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands(group: click.Group, path: tuple[str, ...] = ("hazard",)) -> list[tuple[tuple[str, ...], click.Command]]:
    found: list[tuple[tuple[str, ...], click.Command]] = [(path, group)]
    for name, command in group.commands.items():
        found += commands(command, (*path, name)) if isinstance(command, click.Group) else [((*path, name), command)]
    return found


def reference() -> str:
    """docs/cli.md, from the help texts."""
    parts = ["# 命令参考\n\n由 `--help` 生成（`python -m tests.test_docs` 重写本页）。\n"]
    for path, command in commands(main):
        context = command.context_class(command, info_name=" ".join(path), **main.context_settings)
        parts.append(f"## {' '.join(path)}\n\n```\n{command.get_help(context)}\n```\n")
    parts.append(
        "## 退出码\n\n| 退出码 | 含义 |\n|---|---|\n| 0 | 完成 |\n| 1 | 达到 `--fail-on` 的等级，或检验用例不符 |\n"
        "| 2 | 用法有误，或表、规则文件不能用 |\n"
    )
    return "\n".join(parts)


def covered() -> str:
    """docs/coverage.md, from the rule library."""
    library = open_library()
    pack, _ = library.load()
    return markdown(coverage(pack, library), library.titles_by_sector())


@pytest.mark.parametrize("name", ["findings", "undetermined", "enterprises", "coverage", "grade_differences", "duplicates", "defects"])
def test_results_md_explains_every_column_in_order(name: str) -> None:
    text = (ROOT / "docs" / "results.md").read_text("utf-8")
    section = re.search(rf"^## {name}（.*?\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    assert section is not None
    assert re.findall(r"^\| `(\w+)` \|", section.group(1), re.MULTILINE) == getattr(schemas, name.upper()).names


def test_cli_md_is_what_the_help_says() -> None:
    assert (ROOT / "docs" / "cli.md").read_text("utf-8") == reference()


def test_coverage_md_is_what_the_rules_state() -> None:
    assert (ROOT / "docs" / "coverage.md").read_text("utf-8") == covered(), "python -m tests.test_docs 重写 docs/coverage.md"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_sample_files_named_in_a_page_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    targets = [page.parent / link for link in re.findall(r"\]\(([^)#:]+?)\)", text)]
    targets += [ROOT / name for name in re.findall(r"datasets/[\w-]+/[^\s`'\"）)]+\.csv", text)]
    assert [str(target) for target in targets if not target.exists()] == []


if __name__ == "__main__":
    for name, text in (("cli.md", reference()), ("coverage.md", covered())):
        (ROOT / "docs" / name).write_text(text, "utf-8")
        print(f"docs/{name}", file=sys.stderr)
