"""Figures as plain data, and what draws them.

Doors: `figure` (Figure, Panel, Line, Points, axes and ticks), `matplotlib` (PNG and SVG), `plotly` (the page), `csv`
(the data of a figure). `label_layout` chooses the sides of labels. It imports format and facts.
"""
