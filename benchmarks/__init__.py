"""How fast the judgement is, beside the reading of the table and beside other engines, in one run on the same generated tables.

`python -m benchmarks.run` measures and writes JSON, `python -m benchmarks.report` turns the JSON into docs/performance.md.
"""
