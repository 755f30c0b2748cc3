"""The corpus `procedural-cot`: problems with a known number of reasoning steps; one file per family of problems.

Door: `spec.ProceduralSpec` and `corpus` (`generate`, `solve`, `extract_answer`, `is_correct`). A family is a module
with `sample` and `solve`: arithmetic, kinship, ordering, pointers, state. They share draw (reproducible choices),
problem (layout and reading back) and words. Imports base alone."""
