"""An inspection table as it comes -> a typed frame of canonical fields, with where each cell came from and what could not be read.

The way: `load` finds the tables in files (or takes a data frame), `assign` gives each row to its sector, `bind` matches
headers to fields and reads the values. Nothing outside this folder knows about Excel, encodings or cell notation.
"""

from engine.tables.assignment import Assignment, Naming, assign
from engine.tables.binding import bind, fits, owners_of, recognise, with_children
from engine.tables.headers import Vocabulary, known_headers
from engine.tables.long import HEADERS as LONG_HEADERS, read_long, unfold
from engine.tables.mapping import TableMapping, check as check_mapping, check_fields, read_mapping
from engine.tables.sources import load
from engine.tables.table import ColumnMatch, Inspection, Origin, Table

__all__ = [
    "LONG_HEADERS",
    "Assignment",
    "ColumnMatch",
    "Inspection",
    "Naming",
    "Origin",
    "Table",
    "TableMapping",
    "Vocabulary",
    "assign",
    "bind",
    "check_fields",
    "check_mapping",
    "fits",
    "known_headers",
    "load",
    "owners_of",
    "read_long",
    "read_mapping",
    "recognise",
    "unfold",
    "with_children",
]
