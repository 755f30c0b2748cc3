"""The forward pass of many equal-shaped small stacks at once, for training replicas together.

transformer   StackedTransformer, the door
support       unsupported: which setting of a spec such a stack does not support. No torch here
layer         one layer of all stacks; attention: that of a layer
rows          the places of a batch, and what is computed row by row
dropout       its masks, drawn for each replica by itself
ops           its kernels, with the replicas in front

Settings that support does not list are refused. It imports the model floor's specs, masks, positions and activations;
tests compare its numbers with those of Transformer.
"""
