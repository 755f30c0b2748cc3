"""The data of a run, for training and evaluation. `feed.open_feed` returns the `feed.Feed` of a RunSpec: of a text
(`text`) or a task (`task`). `task.Prefetch` draws batches some steps in advance. Imports the floors below `run`, and of
`run` its spec and `resolve_data`."""
