"""The facts of a study: every number and text of its report, gathered from the plan and the run folders.

Door: `build` holds `Facts`, the whole value, and `build_facts`, which fills it. A new field is added there. The other
modules hold a part each, its specs beside the functions that fill them: arms, histories of runs, estimates, contrasts,
references, provenance, architecture, limits.

It imports the floors below the report, and nothing else of the report.
"""
