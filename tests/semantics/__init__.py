"""The promise of docs/semantics.md: its tables, the laws of the logic, and two other engines that must agree."""
