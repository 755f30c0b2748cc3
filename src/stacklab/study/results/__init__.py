"""What the runs of a study gave, read from their folders at any time: rows, estimates, verdicts, cells, trends.

Door: results.open_results and results.StudyResult, collect.Row, ledger.enter, compare.compare.
May import: spec, planning and engines beside it, stats and run below. No torch.
"""
