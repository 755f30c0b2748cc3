"""Logs and stated numbers -> findings, one file per subject. `examine` calls them all.

parameters, control: size of the models (settings: ways to build and count a stack; reproduce: those that have the
printed counts). losses: training losses (trend: what remains of a curve without its trend). validation, tokens, seeds,
quality: as they are called. loop: the table of a research loop (rerun: what its runs would be when run again).

Door: one function per file, listed in `audit.examine`. May import: the specs of audit, stats and base.
"""
