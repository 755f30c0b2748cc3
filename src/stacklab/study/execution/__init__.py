"""Running a study: its stages handed to an engine, looks with more seeds, the live view, the coordinate check.

Door: run.run_plan, run.more_seeds, live.live, coordinates.check_coordinates.
May import: everything else in study.
"""
