"""How often the rule for verdicts errs.

Door: `simulate.calibrate`. noise: the simulated noise between seeds. May import: the rest of stats.
"""
