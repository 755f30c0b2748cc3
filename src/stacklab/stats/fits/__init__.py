"""Least-squares fits.

decay: an exponential approach to a limit, with intervals; decay_scales: its profile over the scale; decay_gap: the
distance between two such curves.

Door: `decay.fit_decay`, `decay_gap.relative_gap`, `decay_gap.shared_gap`. May import: the rest of stats.
"""
