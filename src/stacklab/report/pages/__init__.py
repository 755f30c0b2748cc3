"""Whole outputs: the report's folder, its HTML and Markdown, and what is written or printed outside of a report.

Doors: `write.write_report` (the folder), `terminal.verdict_table` (verdicts), `attention_maps` and `coordinates`
(pictures of their commands). `templates` and `assets` are package data. It imports sections, drawing, format and facts.
"""
