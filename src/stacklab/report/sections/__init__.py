"""The sections of the report, a function each: facts in, a `Section` out.

Doors: `registry` lists them in the order of the page; `section` holds `Section` and the blocks that it is made of. A
section with several files has a folder: claims, grid, trend; `setup` holds what was run: configuration, architecture,
provenance, limits. It imports drawing, format and facts.
"""
