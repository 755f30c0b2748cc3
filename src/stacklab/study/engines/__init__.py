"""Engines: they take run folders and bring each run to its end.

Door: registry.make_engine and registry.ENGINES (a new engine is a file here and a line there); protocol.Engine says
what every engine owes, and tests/study/engines/test_contract.py holds each of them to it.
May import: run (by dotted path, inside workers) and base. They know nothing of studies.
"""
