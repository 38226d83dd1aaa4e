"""The `hazard` command: thin click commands over engine calls. Heavy imports happen inside the command that needs them.

Exit codes: 0 done; 1 `--fail-on` reached, or a rule test failed; 2 wrong usage, or a table or rule file that cannot be used.
"""

from __future__ import annotations

import datetime as dt
import functools
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from engine.report.usage import Group, leave_reader

if TYPE_CHECKING:
    import pyarrow as pa

    from engine.pack import Library, Pack
    from engine.report.selection import Selection
    from engine.run import Result

GRADE_WORDS = {"major": "重大", "serious": "严重", "general": "一般", "violation": "违法"}
FORMATS = ("text", "json", "jsonl", "csv")
Command = TypeVar("Command", bound=Callable[..., Any])


class Day(click.ParamType[dt.date]):
    """A date written 2024-01-31."""

    name = "日期"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dt.date:
        """The date, or a usage error."""
        if isinstance(value, dt.date):
            return value
        try:
            return dt.date.fromisoformat(value)
        except ValueError:
            self.fail(f"“{value}”不是日期，请写成 2024-01-31 的样子。", param, ctx)


class Grade(click.ParamType[str]):
    """A grade, by code or by Chinese name."""

    name = "等级"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The code, or a usage error."""
        for code, word in GRADE_WORDS.items():
            if value in (code, word):
                return code
        self.fail(f"没有“{value}”这个等级，可用的：{'、'.join(f'{word}（{code}）' for code, word in GRADE_WORDS.items())}。", param, ctx)


def _guarded(command: Command) -> Command:
    """Bad input ends with one paragraph and exit code 2, never with a traceback."""

    @functools.wraps(command)
    def run(*args: Any, **options: Any) -> Any:
        from engine.problems import InputError, RuleFileError

        try:
            return command(*args, **options)
        except RuleFileError as error:
            head = f"规则文件不能用，共 {len(error.problems)} 处错误：\n"
            click.echo(head + "\n".join(problem.text() for problem in error.problems), err=True)
        except InputError as error:
            click.echo(f"不能判定：{error}", err=True)
        except BrokenPipeError:  # click would take it for a failure
            leave_reader()
            return 0
        except UnicodeEncodeError:
            click.echo("不能判定：文件名或参数里有不合编码的字（常见于从旧系统解压的文件）。请把文件改名后再试。", err=True)
        except OSError as error:
            click.echo(f"读写文件失败：{error.filename or ''} {error.strerror or error}。请检查路径、权限和磁盘空间。", err=True)
        except MemoryError:
            click.echo("内存不够。请把表拆成几个文件，或先导出为 parquet。", err=True)
        return 2

    return run  # type: ignore[return-value]


def _rules_option(command: Command) -> Command:
    return click.option("--rules", "rules", metavar="目录", multiple=True, help="叠在随附规则库之上的规则包，可写多次。")(command)


def _judging_options(command: Command, tables: bool = True) -> Command:
    of_tables = [click.option("--long", metavar="列", help="一行一个检查项的表：检查项列=结果列[,数值列]。")]
    for option in (
        click.option("--include-unverified", is_flag=True, help="把依据存疑（uncertain）的条款也用上。"),
        click.option("--as-of", metavar="日期", type=Day(), help="没有检查日期的行按哪一天判定，默认今天。"),
        click.option("--mapping", metavar="文件", type=click.Path(path_type=Path), help="映射文件：哪个列名是哪个字段，格里的字是哪个取值。"),
        *(of_tables if tables else ()),
        click.option("--sector", "sectors", metavar="行业", multiple=True, help="行业代码或名称，可写多次；不写就自行识别。"),
        _rules_option,
    ):
        command = option(command)
    return command


def _judged(judging: Mapping[str, Any]) -> dict[str, Any]:
    """What the options of `_judging_options` mean to the engine."""
    return {
        "pack": _library(judging["rules"]), "sector": judging["sectors"], "as_of": judging["as_of"],
        "include_unverified": judging["include_unverified"], "mapping": judging["mapping"],
    } | ({"long": judging["long"]} if "long" in judging else {})  # fmt: skip


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="hazard", message="hazard %(version)s", help="显示版本。")
def main() -> None:
    """判定检查表里的重大事故隐患。

    \b
    hazard score 表…                 判定并列出有隐患的单位
    hazard explain 表 --unit 名称    说清为什么、为什么不、还差什么
    hazard columns 表…               说清每一列认作什么，缺哪些列
    hazard rules list                列出判定条款

    \b
    退出码：
    0  完成
    1  达到 --fail-on 的等级，或规则的检验用例不符
    2  用法有误，或表、规则文件不能用
    """


@main.command()
@click.argument("tables", metavar="表…", nargs=-1, required=True)
@_judging_options
@click.option("--min-grade", metavar="等级", type=Grade(), help="只列这一等级及以上的隐患：一般 < 违法 < 严重 < 重大。")
@click.option("--level", metavar="级别", help="只列该处置级别的单位，如 挂牌督办。")
@click.option("--region", metavar="区县", help="只列该区县的单位：表里的写法、规范名称、简称或代码。")
@click.option("--department", metavar="名称", help="只列该委员会或部门牵头、负责的行业，如 市公安局。")
@click.option("--format", "form", type=click.Choice(FORMATS), metavar="格式", help="标准输出的格式：text（默认）、json、jsonl、csv。")
@click.option("-o", "--output", metavar="文件", type=click.Path(path_type=Path), help="写到文件：.csv .json .jsonl .parquet .xlsx。")
@click.option("--fail-on", metavar="等级", type=Grade(), help="有不低于该等级的隐患时退出码为 1。")
@click.option("--engine", type=click.Choice(("columnar", "events")), default="columnar", metavar="引擎", help="columnar（默认）或 events（逐行）。")
@click.option("-q", "--quiet", is_flag=True, help="标准输出什么也不写。")
@_guarded
def score(
    tables: tuple[str, ...],
    min_grade: str | None,
    level: str | None,
    region: str | None,
    department: str | None,
    form: str | None,
    output: Path | None,
    fail_on: str | None,
    engine: str,
    quiet: bool,
    **judging: Any,
) -> int:
    """判定检查表，列出有隐患的单位，最重的在前。

    表可以是 xlsx、xls、ods、csv、parquet、arrow、json 文件，文件夹，通配符，
    或 -（标准输入的 csv）。csv 和 parquet 输出隐患清单，其余格式含全部结果。
    写了 -o，文字结果仍印在标准输出；不要就加 -q。
    """
    from engine.report import output as file
    from engine.report.selection import GRADE_ORDER, Selection
    from engine.run import judge

    if output is not None:
        file.check(output, tables)
    selection = Selection(min_grade, level, region, department)
    with _Progress() as progress:
        result = judge(list(tables), progress=progress.advance, engine=engine, **_judged(judging))
    kept = selection.apply(result)
    if output is not None:
        file.write(output, result, kept)
    if not quiet:
        _print(result, kept, form or "text", tables, selection)
    if fail_on is not None and any(GRADE_ORDER[grade] >= GRADE_ORDER[fail_on] for grade in kept["findings"]["grade"].unique().to_pylist()):
        return 1
    return 0


@main.command()
@click.argument("tables", metavar="表…", nargs=-1, required=True)
@click.option("--unit", metavar="名称", required=True, help="单位或检查对象的名称（能认准的一部分也行）。")
@click.option("--criterion", metavar="条款id", help="只解释这一条。")
@_judging_options
@_guarded
def explain(tables: tuple[str, ...], unit: str, criterion: str | None, **judging: Any) -> int:
    """说清一个单位的各条结论。

    构成的为什么构成、怎样才不构成；不构成的差在哪里、差多少；待核实的还要问什么。
    """
    from engine.report.text import render_explanations
    from engine.run import judge

    result = judge(list(tables), **_judged(judging))
    found = result.explain(unit, criterion)
    named = {one.enterprise for one in found}
    units = [] if criterion else [row for row in result.enterprises.to_pylist() if row["enterprise"] in named]
    click.echo(render_explanations(found, _width(), units), nl=False)
    return 0


@main.command()
@click.argument("tables", metavar="表…", nargs=-1, required=True)
@_judging_options
@click.option(
    "--write-mapping", "written", metavar="文件", type=click.Path(path_type=Path), help="把认定的列写成映射文件（.yaml），没认准的列作注释。"
)
@click.option("--format", "form", type=click.Choice(("text", "json")), default="text", metavar="格式", help="text（默认）或 json。")
@_guarded
def columns(tables: tuple[str, ...], written: Path | None, form: str, **judging: Any) -> int:
    """说清每一列认作什么、有多大把握，缺哪些列。

    还列出跳过的行、这张表能判定哪些条款、再补哪几列能多判几条。
    没认准的列可以写进映射文件，判定时用 --mapping 指定。
    """
    from engine.report import columns as report
    from engine.run import survey

    if written is not None:
        report.check(written, tables)
    result = survey(list(tables), **_judged(judging))
    if written is not None:
        report.write_mapping(written, result)
    click.echo(report.as_json(result) if form == "json" else report.render(result, _width()), nl=False)
    return 0


@main.command()
@functools.partial(_judging_options, tables=False)
@click.option("--state", metavar="文件", type=click.Path(path_type=Path), help="记下进度和各单位现状的文件，重启后接着判定。")
@_guarded
def events(state: Path | None, **judging: Any) -> int:
    """逐行判定：标准输入一行一次检查（JSON），输出一行一个结论。

    \b
    hazard events --state 状态.db < 检查.jsonl >> 结论.jsonl

    没有检查日期的按 --as-of，默认按收到的那一天。
    写了 --state，中断后把同样的输入再给一遍，已判定的不重复，没判定的不丢失。
    读不懂的行输出带行号的 error，其余照常。
    """
    from engine.events import run

    run(sys.stdin.buffer, sys.stdout.buffer, state=state, **_judged(judging))
    return 0


@main.group()
def rules() -> None:
    """查看、检查、检验规则。"""


@rules.command("list")
@_rules_option
@click.option("--sector", metavar="行业", help="只列这个行业。")
@click.option("--format", "form", type=click.Choice(("text", "json")), default="text", metavar="格式", help="text（默认）或 json。")
@_guarded
def list_rules(rules: tuple[str, ...], sector: str | None, form: str) -> int:
    """列出全部判定条款。"""
    import json

    from engine.report.page import criteria_list, criteria_records

    library = _library(rules)
    pack = _loaded(library, sector)
    found = [c for one in pack.sectors.values() for c in one.criteria if sector or c.document.sector == one.id]
    if form == "json":
        click.echo(json.dumps(criteria_records(found, library.sectors_of), ensure_ascii=False, indent=1))
    else:
        click.echo(criteria_list(found), nl=False)
    return 0


@rules.command()
@click.argument("criterion", metavar="条款id")
@_rules_option
@_guarded
def show(criterion: str, rules: tuple[str, ...]) -> int:
    """把一条判定条款印成一页：依据、条件、要记录的事实、整改、例子。"""
    from engine.report.page import criterion_page
    from engine.ruletests import read_tests

    library = _library(rules)
    sector = criterion.split("/")[0]
    pack = _loaded(library, sector if sector in library.titles_by_sector() else None)
    found = pack.criterion(criterion)
    tests, _ = read_tests(library, [found.document.sector])
    own = [test for test in tests if test.criterion == criterion]
    click.echo(criterion_page(found, pack.sectors[found.document.sector], own, _width()), nl=False)
    return 0


@rules.command("coverage")
@click.argument("document", metavar="[文件]", required=False)
@_rules_option
@click.option("--format", "form", type=click.Choice(("text", "json")), default="text", metavar="格式", help="text（默认）或 json。")
@_guarded
def show_coverage(document: str | None, rules: tuple[str, ...], form: str) -> int:
    """规则库覆盖到哪里，还缺什么。

    写了文件（id、文号或名称），逐条列出；不写，列出全部文件。
    """
    import json

    from engine.coverage import coverage, find
    from engine.report import coverage as page

    library = _library(rules)
    documents, titles = coverage(_loaded(library, None), library), library.titles_by_sector()
    one = find(documents, document) if document else None
    if form == "json":
        record = page.document_record(one) if one else page.documents_records(documents)
        click.echo(json.dumps(record, ensure_ascii=False, indent=1))
    else:
        click.echo(page.document_page(one, titles, _width()) if one else page.documents_list(documents, titles, _width()), nl=False)
    return 0


@rules.command()
@click.argument("folder", metavar="[目录]", required=False)
@_guarded
def check(folder: str | None) -> int:
    """装入并检查规则，一次列出全部错误。不写目录就检查随附规则库。"""
    library = _library((folder,) if folder else ())
    pack, problems = library.load(None)
    for problem in problems:
        click.echo(problem.text(), err=True)
    errors = sum(problem.severity == "error" for problem in problems)
    if errors:
        click.echo(f"共 {errors} 处错误。", err=True)
        return 2
    criteria = [criterion for sector in pack.sectors.values() for criterion in sector.criteria]
    own = f"“{folder}”有 {sum(_is_in(criterion.file, folder) for criterion in criteria)} 条判定条款；连同随附规则库共 " if folder else ""
    click.echo(f"规则没有错误：{own}{len(pack.sectors)} 个行业，{len(criteria)} 条判定条款，{len(pack.ladders.measures)} 项处置措施。")
    return 0


@rules.command("test")
@click.argument("folder", metavar="[目录]", required=False)
@click.option("--sector", metavar="行业", help="只检验这个行业。")
@_guarded
def test_rules(folder: str | None, sector: str | None) -> int:
    """逐例运行规则旁边的检验用例。不写目录就检验随附规则库。"""
    from engine.ruletests import run_tests

    library = _library((folder,) if folder else ())
    outcomes = run_tests(library, [_sector_id(library, sector)] if sector else None)
    outcomes = [outcome for outcome in outcomes if folder is None or _is_in(outcome.file, folder)]
    failed = [outcome for outcome in outcomes if not outcome.ok]
    for outcome in failed:
        click.echo(outcome.message, err=True)
    click.echo(f"检验用例 {len(outcomes):,} 个，相符 {len(outcomes) - len(failed):,} 个，不符 {len(failed):,} 个。")
    return 1 if failed else 0


def _is_in(file: str, folder: str) -> bool:
    """Whether a rule file, as messages name it, stands in this folder."""
    return file.startswith(Path(folder).resolve().name + "/")


def _library(rules: tuple[str, ...]) -> Library:
    from engine.pack import open_library

    return open_library([Path(folder) for folder in rules])


def _sector_id(library: Library, sector: str) -> str:
    from engine.problems import InputError, nearest

    titles = library.titles_by_sector()
    for name, title in titles.items():
        if sector in (name, title):
            return name
    known = "、".join(f"{name}（{title}）" for name, title in titles.items())
    raise InputError(f"没有“{sector}”这个行业。{nearest(sector, [*titles, *titles.values()])}可用的行业：{known}。")


def _loaded(library: Library, sector: str | None) -> Pack:
    from engine.problems import RuleFileError

    pack, problems = library.load([_sector_id(library, sector)] if sector else None)
    errors = [problem for problem in problems if problem.severity == "error"]
    if errors:
        raise RuleFileError(errors)
    return pack


def _print(result: Result, tables: Mapping[str, pa.Table], form: str, named: Sequence[str], selection: Selection) -> None:
    from engine.report import data, text

    if form == "text":
        color = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        click.echo(text.render(result, tables, _width(), color, shlex.join(named[:3]) + (" …" if len(named) > 3 else ""), selection.text()), nl=False)
    elif form == "csv":
        click.echo(data.as_csv(tables["findings"]), nl=False)
    else:
        click.echo((data.as_json if form == "json" else data.as_jsonl)(result, tables), nl=False)


def _width() -> int:
    """The columns of the terminal; 0 where there is none: then a line is a line, for grep and files."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() or os.environ.get("COLUMNS") else 0


class _Progress:
    """A progress bar on standard error, when that is a terminal and there is more than one batch of rows."""

    def __init__(self) -> None:
        self.bar: Any = None

    def __enter__(self) -> _Progress:
        return self

    def advance(self, done: int, total: int) -> None:
        """Hear that `done` of `total` rows are judged."""
        if not sys.stderr.isatty() or (self.bar is None and done >= total):
            return
        if self.bar is None:
            self.bar = click.progressbar(length=total, label="判定", file=sys.stderr)
        self.bar.update(done - self.bar.pos)

    def __exit__(self, *error: object) -> None:
        if self.bar is not None:
            self.bar.render_finish()


if __name__ == "__main__":
    main()
