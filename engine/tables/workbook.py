"""Workbooks (xlsx, xls, ods) -> grids of cells that keep their own types. The only room that knows calamine and the inside of a zip.

A workbook is untrusted: the zip is measured before it is opened, and the area that its cells span before calamine lays it out in full
(two cells in opposite corners would otherwise take hundreds of gigabytes). Values in error (#DIV/0!) are put back as text, for calamine
reads them as blank, and a blank can mean something.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Collection, Iterator
from dataclasses import replace
from html import unescape

import polars as pl

from engine.problems import InputError
from engine.tables.forms import read_form
from engine.tables.heading import HEADER_ROWS, Merged, find_header, find_heading
from engine.tables.layout import lay_out
from engine.tables.table import Table, column_of

ZIP = b"PK\x03\x04"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
MAX_UNPACKED = 1 << 30
MAX_RATIO, RATIO_FROM = 200, 50 << 20
MAX_CELLS = 60_000_000
MAX_MERGED = 200_000
_TAKE = 1 << 22
_ROW_ENDS = (b"</row>", b"</x:row>", b"</table:table-row>")

_ROW = re.compile(rb'<(?:\w+:)?row [^>]*?\br="(\d+)"')
_WIDE = re.compile(rb'\br="([A-Z]{2,3})\d+"')
_ERROR = re.compile(rb'<(?:\w+:)?c (?=[^>]*\bt="e")[^>]*?\br="([A-Z]{1,3})(\d+)"[^>]*>(?:(?!</(?:\w+:)?c>).)*?<(?:\w+:)?v>([^<]*)<', re.DOTALL)
_SHEET = re.compile(r"<(?:\w+:)?sheet [^>]*>")
_RELATION = re.compile(r"<(?:\w+:)?Relationship [^>]*>")
_ODS_ROW = re.compile(rb"<table:table-row\b([^>]*)>(.*?)</table:table-row>", re.DOTALL)
_ODS_FILLED = re.compile(rb"<table:table-cell\b[^>]*office:value-type[^>]*>")
_ODS_REPEATED = re.compile(rb'number-(?:columns|rows)-repeated="(\d{1,18})"')


def read_workbook(data: bytes, name: str, known: Collection[str]) -> list[Table]:
    """The tables of a workbook, one a sheet at most. Raises InputError when it is encrypted, damaged, too large or holds no table."""
    import python_calamine as calamine

    errors: dict[str, list[tuple[int, int, str]]] = {}
    if data.startswith(ZIP):
        errors = _measure(data, name)
    elif "EncryptedPackage".encode("utf-16-le") in data:
        raise InputError(f"文件“{name}”加了打开密码，读不了。请在 Excel 里去掉密码（文件→信息→保护工作簿），另存后再试。")
    try:
        book = calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
    except calamine.PasswordError:
        raise InputError(f"文件“{name}”加了打开密码，读不了。请在 Excel 里去掉密码（文件→信息→保护工作簿），另存后再试。") from None
    except (calamine.CalamineError, OSError, ValueError, RuntimeError):
        raise _damaged(name) from None
    tables: list[Table] = []
    bare: list[str] = []
    hidden: list[tuple[int, str]] = []
    for sheet in book.sheets_metadata:
        if sheet.typ != calamine.SheetTypeEnum.WorkSheet:
            continue
        try:
            made = book.get_sheet_by_name(sheet.name)
            cells: list[list[object]] = [list(row) for row in made.to_python(skip_empty_area=False)]
        except (calamine.CalamineError, OSError, ValueError, RuntimeError):
            raise _damaged(name) from None
        if not any(cell != "" for row in cells for cell in row):
            continue
        if sheet.visible != calamine.SheetVisibleEnum.Visible:
            hidden.append((0, f"隐藏的工作表“{sheet.name}”没有读"))
            continue
        _put_back(cells, errors.get(sheet.name, []))
        merged = _merged(made.merged_cell_ranges or [])
        form = read_form(name, sheet.name, cells, known)
        if form is not None:
            tables.append(form)
            continue
        _fill(cells, merged, known)
        grid = pl.DataFrame({f"c{i}": column_of(column) for i, column in enumerate(zip(*cells, strict=True))})
        del cells
        try:
            tables.append(lay_out(name, sheet.name, grid, known, merged))
        except InputError as error:
            bare.append(str(error))
    if not tables and bare:
        raise InputError(bare[0])
    if not tables:
        seen = "，只有隐藏的工作表" if hidden else ""
        raise InputError(f"文件“{name}”里没有可读的表：各工作表都是空的{seen}。请确认导出是否成功。")
    unread = tuple(hidden) + tuple((0, why) for why in bare)
    tables[0] = replace(tables[0], skipped=unread + tables[0].skipped)
    return tables


def _damaged(name: str) -> InputError:
    return InputError(f"文件“{name}”打不开，内容有损坏，或不是它的后缀所说的格式。请用 Excel 打开并另存为 xlsx 后再试。")


def _merged(ranges: list[tuple[tuple[int, int], tuple[int, int]]]) -> list[Merged]:
    return [(top, left, bottom, right) for (top, left), (bottom, right) in ranges[:MAX_MERGED] if top <= bottom and left <= right]


def _put_back(cells: list[list[object]], errors: list[tuple[int, int, str]]) -> None:
    """Put the values of cells in error back as text."""
    for row, column, text in errors:
        if row < len(cells) and column < len(cells[row]):
            cells[row][column] = text


def _fill(cells: list[list[object]], merged: list[Merged], known: Collection[str]) -> None:
    """Give every row of a vertically merged data cell its value (the header is the layout's affair)."""
    tall = [area for area in merged if area[2] > area[0]]
    if not tall:
        return
    top_rows = cells[:HEADER_ROWS]
    header = find_header(top_rows, known)
    last = find_heading(top_rows, header, merged, known).last if header >= 0 else -1
    for top, left, bottom, _ in tall:
        if top > last and left < len(cells[0]):
            for row in range(top + 1, min(bottom + 1, len(cells))):
                cells[row][left] = cells[top][left]


def _measure(data: bytes, name: str) -> dict[str, list[tuple[int, int, str]]]:
    """Refuse a zip that unpacks to too much and a sheet that spans too many cells. Returns the cells in error: sheet -> (row, column,
    text), 0-based (of xlsx only)."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            total = sum(entry.file_size for entry in archive.infolist())
            if total > MAX_UNPACKED or (total > RATIO_FROM and total > MAX_RATIO * len(data)):
                raise InputError(
                    f"文件“{name}”解压后有 {total / 1e6:,.0f} MB，超出限度（{MAX_UNPACKED >> 20} MB，或压缩比 {MAX_RATIO} 倍），没有读。"
                    f"请拆成几个文件，或另存为 csv、parquet。"
                )
            names = {entry.filename for entry in archive.infolist()}
            if "xl/workbook.xml" in names:
                return {sheet: _scan(archive, part, name) for sheet, part in _parts(archive) if part in names}
            if "content.xml" in names:
                _measure_ods(archive, name)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError, KeyError):
        raise _damaged(name) from None
    return {}


def _parts(archive: zipfile.ZipFile) -> Iterator[tuple[str, str]]:
    """(sheet name, path of its part) for the sheets of an xlsx file."""

    def attribute(tag: str, key: str) -> str:
        found = re.search(rf'\b{key}="([^"]*)"', tag)
        return unescape(found[1]) if found else ""

    relations = archive.read("xl/_rels/workbook.xml.rels").decode("utf-8", "replace")
    targets = {attribute(tag, "Id"): attribute(tag, "Target") for tag in _RELATION.findall(relations)}
    for tag in _SHEET.findall(archive.read("xl/workbook.xml").decode("utf-8", "replace")):
        target = targets.get(attribute(tag, r"\w+:id"), "")
        yield attribute(tag, "name"), target.lstrip("/") if target.startswith("/") else f"xl/{target}"


def _chunks(archive: zipfile.ZipFile, part: str) -> Iterator[bytes]:
    """The part piece by piece, each piece ending where a tag ends, so that no element of interest is torn."""
    with archive.open(part) as stream:
        rest = b""
        while piece := stream.read(_TAKE):
            piece = rest + piece
            cut = max(piece.rfind(end) + len(end) if end in piece else 0 for end in _ROW_ENDS)
            cut = cut or len(piece)
            yield piece[:cut]
            rest = piece[cut:]
        yield rest


def _scan(archive: zipfile.ZipFile, part: str, name: str) -> list[tuple[int, int, str]]:
    height, widest = 1, b"Z"
    errors: list[tuple[int, int, str]] = []
    for chunk in _chunks(archive, part):
        height = max([height, *map(int, _ROW.findall(chunk))])
        letters = set(_WIDE.findall(chunk))
        if letters:
            widest = max(*letters, widest, key=lambda text: (len(text), text))
        if b't="e"' in chunk:
            errors += [(int(row) - 1, _column(letter) - 1, _error(text)) for letter, row, text in _ERROR.findall(chunk)]
        _refuse_area(height, _column(widest) if len(widest) > 1 else 1, name)
    return errors


def _error(text: bytes) -> str:
    return unescape(text.decode("utf-8", "replace"))


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def _measure_ods(archive: zipfile.ZipFile, name: str) -> None:
    """An ods file repeats cells and rows by number: refuse where filled ones are repeated beyond what a sheet may hold. (Blank ones
    are, at the end of any sheet, and cost nothing.)"""
    for chunk in _chunks(archive, "content.xml"):
        for opening, content in _ODS_ROW.findall(chunk):
            if b"office:value-type" in content:
                rows = max([1, *map(int, _ODS_REPEATED.findall(opening))])
                columns = max([1, *(int(n) for cell in _ODS_FILLED.findall(content) for n in _ODS_REPEATED.findall(cell))])
                _refuse_area(rows, columns, name)


def _refuse_area(height: int, width: int, name: str) -> None:
    if height * width > MAX_CELLS:
        raise InputError(
            f"文件“{name}”的一张工作表横跨 {height:,} 行、{width:,} 列，超过 {MAX_CELLS:,} 格，没有读。"
            f"多半是远处有一格误填的内容：请删去多余的行和列后另存，或导出为 csv、parquet。"
        )
