"""The stack: what it is, what it costs, and how it computes. Shape suffixes: see shapes.py.

spec              ModelSpec: every setting of a stack. No torch in this block
masks             which keys a query sees: one MaskKind per mask
residual          where norms stand around a sub-layer: one Placement each
schedule          numbers of heads that grow or shrink from layer to layer
parametrisation   how deviations, rates and multipliers follow width and depth
count             parameters, FLOPs and memory in closed form
init              build, the door: an initialised Transformer of a spec
transformer       Transformer: ids to hidden states, with or without a cache
block             one layer: attention and feed-forward, with norms and residuals
attention, feed_forward, cache   what layers consist of, and what decoding keeps
positions/        the kinds of positions
ops/              kernels: attention, dropout, cross-entropy of a head
generation/       text from a model
stacked/          many small stacks at once
port/             forms of other programs, both ways

It imports base alone, and torch where it computes.
"""
