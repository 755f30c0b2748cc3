"""The pass that `data.prepare` makes over a source.

reading: drop duplicates, split, encode, write. splits: which part is held out. encode: records -> ids. manifest:
counts, warnings, and the refusal of what cannot be trained on.

Door: `reading`, for `data.prepare` alone. May import: the specs, sources and tokenizers of data, and base.
"""
