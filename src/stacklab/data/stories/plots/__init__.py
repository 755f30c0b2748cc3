"""The plots, one file per group of plots. Each plot is a function on a `Stage`; `stories.corpus.PLOTS` lists them.

Door: the plots. May import: the stage, the words and the world of stories.
"""
