"""Files -> logs and stated numbers; results is the table of a research loop.

Door: `source.read_source`, and `stated` for numbers from YAML and running text. lines (text), table (CSV) and events
(TensorBoard) read files; formats holds what single programs print, one file each. A line becomes an entry (entry,
pairs, names, number), the entries of a run become a log (build, places, log). May import: the specs of audit, and base.
"""
