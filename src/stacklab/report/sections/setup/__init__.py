"""What was run and where, one file per section: configuration and matched controls, architecture, provenance, limits.

Door: the function of each file that is called like it. May import: sections.section, drawing, format and facts.
"""
