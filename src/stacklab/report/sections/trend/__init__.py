"""The trend over heads.

Door: `trend.trend`, the section, with its `figure` and its `tables`.
May import: sections.section, drawing, format and facts.
"""
