"""Inspections one at a time: the same verdicts as in columns, and nothing lost."""
