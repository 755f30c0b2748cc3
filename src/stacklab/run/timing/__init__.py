"""Measures what runs cost on this machine, in a separate process.

`python -m stacklab.run.timing MEASUREMENT OUT THREADS` is the door (`__main__`); `study/planning/measure` calls it.
Each measurement is a module: `calibrate` (the parts of a run), `step_time` (steps of two runs in turn),
`attention_cost` (attention layers alone), `device` (what a run trains on; no
time). `rounds` holds their loop; `cost` and `attention_form` hold
their specs, without torch. Imports the rest of `run` and the floors below it.
"""
