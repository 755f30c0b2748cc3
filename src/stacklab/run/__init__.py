"""One run: a RunSpec becomes a run folder. The only floor where data, model and training are wired together.

| files | what they hold |
|---|---|
| `spec`, `paths`, `store` | a run's specification, whose fingerprint is its id; its folder, created and read |
| `ranks` | one run on several cards: the launcher, and the program of a rank |
| `execute` | executes one run |
| `stacking`, `execute_replicas`, `replica_group` | runs of equal shape: which share a stack, and how it trains |
| `feeds` | batches, fixed sets and held-out problems of a text or a task |
| `resolve_data` | data prepared and fingerprinted before a run |
| `recorder`, `metrics`, `environment` | what a run writes, the settings of its process and their record |
| `timing` | measures what runs cost on this machine |
| `heads`, `coordinates`, `coordinate_check` | head scores of trained runs; the coordinate check |

Door: `spec.RunSpec`, `execute.execute` and `paths.RunPaths`. This floor imports `train`, `interp`, `model`,
`data`, `tasks`, `stats` and `base`. Specs, paths, `stacking`, `metrics`, `store` and `ranks`
do not import torch.
"""
