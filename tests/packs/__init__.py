"""The rules that are shipped, and those of the real tables: loaded, tested, judged twice."""
