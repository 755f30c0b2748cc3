"""The claims: verdicts with their forest plot, the evidence behind them, and the power of the tests.

Doors: `claims.claims` and `evidence.power`, the two sections; `forest_plot.draw_forest`, the picture for Markdown.
May import: sections.section, drawing, format and facts.
"""
