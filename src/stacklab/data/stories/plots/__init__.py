"""The plots, one file per group of plots. Each plot is a function on a `Stage`; `stories.corpus.PLOTS` lists them."""
