"""The ledger of a study: every claim with its experiment, entered before the runs, and what became of it.

Doors: write.enter and write.enter_verdicts, entry.read_ledger, marks.afterthought, remarks.remarks.
May import: the other results, spec and planning beside it, run below. No torch.
"""
