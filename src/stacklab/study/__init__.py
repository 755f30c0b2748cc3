"""Studies: from a study file to results and verdicts.

spec (the study file) -> planning (arms, controls, contrasts, memory, time) -> engines (which train the runs)
-> results (tables, verdicts, thresholds, ledger) -> execution (a whole study, its looks and its live view).
`builtin` holds the studies that come with stacklab, one YAML file per study.

Door: spec.load.read_study, spec.request.StudyRequest, planning.plan.make_plan, execution.run.run_plan,
results.results.open_results; stacklab.api puts them together.
May import: run and the floors below it; not report, api or cli. Inside, only execution may import all the others, and
engines know nothing of studies (import-linter holds the order).
"""
