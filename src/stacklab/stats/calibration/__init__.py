"""How often the rule for verdicts errs.

A module per subject, each with functions that simulate one `table.Table`. Door: `simulate.calibrate`. May import: the
rest of stats.
"""
