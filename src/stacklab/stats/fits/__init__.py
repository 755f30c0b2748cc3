"""Least-squares fits.

decay: an exponential approach to a limit, with intervals; decay_scales: its profile over the scale; decay_gap: the
distance between two such curves. power_law: the exponent of a power.
"""
