"""The results of a study, read from its folders at any time: rows, estimates, verdicts, cells, trends.

Door: results.open_results and results.StudyResult, collect.Row, ledger.write.enter, compare.compare.
May import: spec, planning and engines beside it, stats and run below. No torch.
"""
