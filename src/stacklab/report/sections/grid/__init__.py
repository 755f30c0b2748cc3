"""The grid of arms. Door: `grid.grid`, the section; `maps` draws its figures, `tables` writes its tables."""
