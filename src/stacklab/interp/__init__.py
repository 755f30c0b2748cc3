"""What attention does: maps, head scores, and models with hand-written weights.

Door: `attention_maps` (maps of any model), `head_scores` (`score_heads`, `summarise`) and
`construct.registry.blueprint`. spec: scores and tables as storable values, without torch. swaps: limits of one
layer (tests and pages only). Imports base, stats, tasks and model."""
