"""What was run and where, one file per section: configuration and matched controls, architecture, provenance.

Door: the function of each file that is called like it, and `configuration.limits`. May import: sections.section,
drawing, format and facts.
"""
