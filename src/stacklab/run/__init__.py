"""One run: a RunSpec becomes a run folder. The only floor where data, model and training are wired together.

| files | what they hold |
|---|---|
| `spec`, `paths`, `store` | a run's specification, whose fingerprint is its id; its folder, created and read |
| `execute`, `execute_replicas`, `stacking` | bringing one run, or a stack of equal ones, to its end |
| `feeds` | batches and fixed sets of a text or of a task |
| `resolve_data` | data prepared and fingerprinted before a run |
| `recorder`, `result`, `metrics`, `provenance`, `environment` | what a run writes, and the process that it needs |
| `timing` | what runs cost on this machine |
| `heads`, `coordinates`, `coordinate_check` | what heads of a trained run do; sizes of activations over widths |

Door: `spec.RunSpec`, `execute.execute` and `paths.RunPaths`. This floor imports `train`, `interp`, `model`,
`data`, `tasks`, `stats` and `base`. Specs, paths, `stacking`, `metrics` and `store` are free of torch.
"""
