"""Synthetic tasks, one file per task.

Door: `spec` (`Task` for a field of a spec, `TASKS` by kind), `protocol.SyntheticTask` (what every task has),
`batch.TaskBatch` (what it draws) and `data.TaskData` (a task as data of a run). What several tasks are made of is in
parts. A new task is one file, and its name in `spec`; `arrays` reads sequences of other programs. Imports base alone;
never torch.
"""
