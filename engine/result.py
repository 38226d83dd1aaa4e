"""The Arrow schemas of every result table; docs/results.md explains each column and is checked against them."""

from __future__ import annotations

import pyarrow as pa

EVIDENCE = pa.list_(pa.struct([("field", pa.string()), ("column", pa.string()), ("value", pa.string())]))
MEASURES = pa.list_(
    pa.struct(
        [
            ("id", pa.string()),
            ("name", pa.string()),
            ("order", pa.string()),
            ("decided_by", pa.string()),
            ("time_limit", pa.string()),
            ("basis", pa.list_(pa.string())),
            ("status", pa.string()),
            ("ladder", pa.string()),
            ("step", pa.int8()),
            ("certain", pa.bool_()),
        ]
    )
)

_ACTORS = [
    pa.field("place", pa.string()),
    pa.field("government", pa.string()),
    pa.field("committees", pa.list_(pa.string()), nullable=False),
    pa.field("departments", pa.list_(pa.string()), nullable=False),
    pa.field("assignment", pa.string()),
]
"""Who must act: the place and its government, and who leads in the sector."""

FINDINGS = pa.schema(
    [
        pa.field("criterion", pa.string(), nullable=False),
        pa.field("name", pa.string(), nullable=False),
        pa.field("clause", pa.string(), nullable=False),
        pa.field("document", pa.string(), nullable=False),
        pa.field("title", pa.string(), nullable=False),
        pa.field("in_force_from", pa.date32(), nullable=False),
        pa.field("in_force_to", pa.date32()),
        pa.field("grade", pa.string(), nullable=False),
        pa.field("status", pa.string(), nullable=False),
        pa.field("duty", pa.string()),
        pa.field("campaign", pa.string()),
        pa.field("enterprise", pa.string(), nullable=False),
        pa.field("subject", pa.string()),
        pa.field("region", pa.string()),
        pa.field("sector", pa.string(), nullable=False),
        pa.field("date", pa.date32(), nullable=False),
        pa.field("evidence", EVIDENCE, nullable=False),
        pa.field("remedy", pa.string()),
        pa.field("file", pa.string()),
        pa.field("sheet", pa.string()),
        pa.field("row", pa.int64(), nullable=False),
        *_ACTORS,
    ]
)

UNDETERMINED = FINDINGS.append(pa.field("missing", pa.list_(pa.list_(pa.string())), nullable=False)).append(
    pa.field("suspected", pa.bool_(), nullable=False)
)

ENTERPRISES = pa.schema(
    [
        pa.field("enterprise", pa.string(), nullable=False),
        pa.field("region", pa.string()),
        pa.field("level", pa.string()),
        pa.field("level_rank", pa.int8()),
        pa.field("level_possible", pa.string()),
        pa.field("level_possible_rank", pa.int8()),
        pa.field("major", pa.int32(), nullable=False),
        pa.field("serious", pa.int32(), nullable=False),
        pa.field("general", pa.int32(), nullable=False),
        pa.field("violation", pa.int32(), nullable=False),
        pa.field("suspected", pa.int32(), nullable=False),
        pa.field("undetermined", pa.int32(), nullable=False),
        pa.field("rows", pa.int32(), nullable=False),
        pa.field("date", pa.date32(), nullable=False),
        pa.field("leading", pa.string()),
        pa.field("leading_grade", pa.string()),
        pa.field("leading_status", pa.string()),
        pa.field("leading_name", pa.string()),
        pa.field("leading_basis", pa.string()),
        pa.field("measures", MEASURES, nullable=False),
        pa.field("reasons", pa.list_(pa.string()), nullable=False),
        *_ACTORS,
    ]
)

COVERAGE = pa.schema(
    [
        pa.field("criterion", pa.string(), nullable=False),
        pa.field("name", pa.string(), nullable=False),
        pa.field("clause", pa.string(), nullable=False),
        pa.field("document", pa.string(), nullable=False),
        pa.field("grade", pa.string()),
        pa.field("status", pa.string(), nullable=False),
        pa.field("state", pa.string(), nullable=False),
        pa.field("reason", pa.string()),
        pa.field("met", pa.int64(), nullable=False),
        pa.field("not_met", pa.int64(), nullable=False),
        pa.field("undetermined", pa.int64(), nullable=False),
        pa.field("suspected", pa.int64(), nullable=False),
        pa.field("not_applicable", pa.int64(), nullable=False),
        pa.field("not_in_force", pa.int64(), nullable=False),
        pa.field("missing", pa.list_(pa.list_(pa.string())), nullable=False),
        pa.field("sector", pa.string(), nullable=False),
    ]
)

DEFECTS = pa.schema(
    [
        pa.field("file", pa.string()),
        pa.field("sheet", pa.string()),
        pa.field("row", pa.int64(), nullable=False),
        pa.field("column", pa.string()),
        pa.field("field", pa.string()),
        pa.field("value", pa.string()),
        pa.field("problem", pa.string(), nullable=False),
        pa.field("message", pa.string(), nullable=False),
    ]
)

GRADE_DIFFERENCES = pa.schema(
    [
        pa.field("enterprise", pa.string(), nullable=False),
        pa.field("subject", pa.string()),
        pa.field("region", pa.string()),
        pa.field("sector", pa.string(), nullable=False),
        pa.field("date", pa.date32(), nullable=False),
        pa.field("difference", pa.string(), nullable=False),
        pa.field("own", pa.string(), nullable=False),
        pa.field("own_grade", pa.string()),
        pa.field("grade", pa.string()),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("criterion", pa.string()),
        pa.field("file", pa.string()),
        pa.field("sheet", pa.string()),
        pa.field("row", pa.int64(), nullable=False),
        pa.field("column", pa.string()),
    ]
)

DUPLICATES = pa.schema(
    [
        pa.field("enterprise", pa.string(), nullable=False),
        pa.field("other", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("rows", pa.int32(), nullable=False),
        pa.field("other_rows", pa.int32(), nullable=False),
    ]
)
