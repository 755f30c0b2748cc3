"""Engines: they take run folders and train each run to its end.

Door: registry.make_engine and registry.ENGINES (a new engine is a file here and a line there); protocol.Engine
is the interface, and tests/study/engines/test_contract.py checks every engine against it.
May import: run (by dotted path, inside workers) and base. They know nothing of studies.
"""
