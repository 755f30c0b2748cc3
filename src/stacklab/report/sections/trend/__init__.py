"""The trend over heads.

Door: `trend.trend`, the section, with its tables, and its `figure`.
May import: sections.section, drawing, format and facts.
"""
