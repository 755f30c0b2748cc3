"""The sections of the report, one file per section: a function from the facts to a `Section`.

Doors: `registry` lists them in the order of the page; `section` holds `Section` and the blocks that it is made of. A
section with several files has a folder: claims, grid, trend; `setup` holds what was run: configuration, architecture,
provenance. It imports drawing, format and facts.
"""
