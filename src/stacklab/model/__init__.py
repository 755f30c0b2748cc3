"""The stack: its settings, its cost and its computation. Shape suffixes: see shapes.py.

spec              ModelSpec: every setting of a stack. No torch in this block
settings/         settings that are short for several: schedules of heads, biases
masks             which keys a query sees: a MaskKind per mask, Visibility of a layer, the count of visible pairs
patterns/         attention patterns of layers, and their cycles
residual          where norms are placed around a sub-layer, and how its output joins the stream: a spec per rule
sharing           which layers use the same weights
parametrisation   how deviations, rates and multipliers follow width and depth
count             parameters, FLOPs and memory in closed form
init              build, the door: an initialised Transformer of a spec
transformer       Transformer: ids to hidden states, with or without a cache
block             one layer: attention and feed-forward, with norms and residuals
attention, feed_forward, cache   the parts of a layer, and the state of decoding
positions/        the kinds of positions
ops/              kernels: attention, dropout, cross-entropy of a head
generation/       text from a model
stacked/          many small stacks at once
port/             formats of other programs, read and written

It imports base alone, and torch where it computes.
"""
