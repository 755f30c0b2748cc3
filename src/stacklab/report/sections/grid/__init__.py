"""The grid of arms.

Door: `grid.grid`, the section with its figures; `tables` writes its tables.
May import: sections.section, drawing, format and facts.
"""
