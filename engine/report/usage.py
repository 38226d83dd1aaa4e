"""Help pages and usage errors of the `hazard` command in Chinese: click's own classes with other words. No command stands here, and nothing
heavy is imported: this is loaded for every call."""

from __future__ import annotations

import io
import os
import re
import sys
import unicodedata
from collections.abc import Iterable
from typing import Any

import click


class Formatter(click.HelpFormatter):
    """Help pages in Chinese, in columns that allow for characters two wide. Texts are short enough to need no wrapping."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """`用法：hazard …`."""
        self.write(f"用法：{prog} {args}\n")

    def write_heading(self, heading: str) -> None:
        """`选项：`, `命令：`."""
        self.write(f"{ {'Options': '选项', 'Commands': '命令'}.get(heading, heading) }：\n")

    def write_text(self, text: str) -> None:
        """A paragraph, its lines as they stand."""
        self.write("".join(f"  {line}\n" if line.strip() else "\n" for line in text.replace("\b\n", "").splitlines()))

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Two columns."""
        rows = list(rows)
        first = max((_columns(row[0]) for row in rows), default=0) + col_spacing
        for name, text in rows:
            self.write(f"  {name}{' ' * (first - _columns(name))}{text.replace('  [required]', '必填。')}\n")


def _columns(text: str) -> int:
    """Terminal columns that `text` takes."""
    return sum(2 if unicodedata.east_asian_width(ch) in "WF" else 1 for ch in text)


class Context(click.Context):
    """A context whose pages are Chinese."""

    formatter_class = Formatter


class Command(click.Command):
    """A command whose help page is Chinese."""

    context_class = Context

    def __init__(self, *args: Any, **options: Any):
        super().__init__(*args, **{"options_metavar": "[选项]", **options})

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """Click's own, with a Chinese text."""
        option = super().get_help_option(ctx)
        if option is not None:
            option.help = "显示本页。"
        return option


class Group(Command, click.Group):
    """A group whose usage errors are in Chinese and whose commands fail with one paragraph and exit code 2."""

    command_class = Command
    group_class = type

    def __init__(self, *args: Any, **options: Any):
        super().__init__(*args, **{"subcommand_metavar": "命令 …", **options})

    def main(self, *args: Any, **options: Any) -> Any:
        """Run, turning every expected failure into a message."""
        options.pop("standalone_mode", None)
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")  # a terminal that lacks a character shows ? instead of failing
        try:
            code = super().main(*args, **{**options, "prog_name": "hazard"}, standalone_mode=False)  # type: ignore[call-overload]
            sys.stdout.flush()
            sys.exit(code if isinstance(code, int) else 0)
        except click.exceptions.Abort:
            click.echo("已中断。", err=True)
            sys.exit(130)
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.ctx.get_help() if error.ctx else "", err=True)
            sys.exit(2)
        except click.ClickException as error:
            click.echo(f"用法有误：{_chinese(error)}", err=True)
            sys.exit(2)
        except BrokenPipeError:
            leave_reader()
            sys.exit(0)


def leave_reader() -> None:
    """Go on without the reader of the standard output, who has seen enough (hazard … | head)."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _chinese(error: click.ClickException) -> str:
    """Click's own messages in Chinese, with the command that shows the usage."""
    context = getattr(error, "ctx", None)
    help_ = f"用 {context.command_path} --help 查看用法。" if context is not None else "用 hazard --help 查看用法。"
    if isinstance(error, click.NoSuchOption):
        near = f"是不是 {error.possibilities[0]}？" if error.possibilities else ""
        return f"没有“{error.option_name}”这个选项。{near}{help_}"
    if isinstance(error, click.MissingParameter):
        return f"缺少“{_label(error.param)}”。{help_}"
    if isinstance(error, click.BadParameter):
        if error.param is not None and isinstance(error.param.type, click.Choice):
            return f"“{_label(error.param)}”只能取 {'、'.join(map(str, error.param.type.choices))}。{help_}"
        return f"“{_label(error.param)}”：{error.message}{help_}"
    if isinstance(error, click.BadOptionUsage):
        return f"选项“{error.option_name}”的写法不对：要写值的没有写值，或不要值的写了值。{help_}"
    message = error.format_message()
    quoted = re.findall(r"'([^']*)'", message)
    if message.startswith("No such command") and quoted:
        return f"没有这个命令：{quoted[0]}。{help_}"
    if message.startswith("Got unexpected extra argument"):
        return f"多写了参数{message[message.index('(') :].replace('(', '：').rstrip(')')}。{help_}"
    return f"{message} {help_}"


def _label(param: click.Parameter | None) -> str:
    """How the usage names an option or argument."""
    if isinstance(param, click.Option):
        return max(param.opts, key=len)
    return param.human_readable_name if param is not None else "参数"
