"""The data of a run, for training and evaluation. `feed.open_feed` returns the `feed.Feed` of a RunSpec: that of a text
(`text`) or of a task (`task`). `prefetch.Prefetch` draws batches some steps in advance. Imports the floors below `run`,
and of `run` its spec and the data that were made ready."""
