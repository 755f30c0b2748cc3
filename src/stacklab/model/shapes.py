"""The legend of shape suffixes: x_BTD is a tensor of shape [B, T, D].

B  sequences in a batch
T  positions of a sequence (queries); S the positions attended to (keys), where the two differ
D  model width, d_model
H  attention heads; G the heads of keys and values, of which there may be fewer
K  width of one head, D / H
F  hidden width of the feed-forward layer, d_ff
V  vocabulary
N  rows: B and T flattened into one
"""
