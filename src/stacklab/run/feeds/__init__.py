"""The data of a run, for training and evaluation: a text or a task.

Door: `feed.open_feed` returns the `feed.Feed` of a RunSpec: of a text (with its held-out problems) or a task
(`task`, with batches drawn in advance). May import: the floors below run, and of run its spec and resolve_data.
"""
