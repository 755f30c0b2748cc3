"""How often the rule for verdicts errs.

Door: `simulate.calibrate`. May import: the rest of stats.
"""
