"""Estimates, tests and verdicts for values of two arms; it knows nothing of runs.

Door: `comparison.COMPARISONS` (paired or unpaired statistics behind one interface), `verdict.judge` (the rule that
decides), `result` (`Estimate`, `PValue`, `Undefined`: what every statistic returns), `multiplicity` (several claims,
several looks) and `needed` (how many seeds). paired, unpaired, effect, power, bootstrap and check are what
comparisons are made of; describe summarises values of one arm.

fits          curves through points: exponential decay
calibration   how often the rule errs on simulated studies

Imports base alone; never torch. Outside calibration numpy, scipy and statsmodels are imported inside functions, so that
commands start quickly.
"""
