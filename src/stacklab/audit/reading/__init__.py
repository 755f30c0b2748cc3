"""Files -> logs and stated numbers, one file per log format: lines (text), table (CSV), events (TensorBoard); results
is the table of a research loop.

Door: `source.read_source`, and `stated` for numbers from YAML and running text. log: a log in memory. names: names of
columns and tags. May import: the specs of audit, and base.
"""
