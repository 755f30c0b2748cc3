"""Planning: everything that will run, fixed before training in one storable value, the Plan.

Arms resolved with their data, controls solved by counting or by measured time, contrasts diffed, stages counted,
memory, disk and time projected, and the nearest setting suggested where something does not fit.

Door: plan.make_plan, plan.load_plan, stages.STAGES, fit.check_fits, project.projected_seconds.
May import: spec and engines beside it, run and the floors below. No torch: measurements run in other processes.
"""
