"""Attention patterns: which of the pairs that the mask allows a layer computes.

kinds   the door: PatternKind, what every kind declares; the kinds, and Pattern, their type in ModelSpec; PatternCycle,
        patterns that alternate over the layers; resolved, which stores each layer's pattern in one place. No torch here

A kind is a class of kinds and an entry of AnyPattern; everything else follows from its rule.
It imports base, positions and settings.
"""
