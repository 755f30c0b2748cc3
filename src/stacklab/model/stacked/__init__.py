"""The forward pass of many equal-shaped small stacks at once, for training replicas together.

transformer   StackedTransformer, the door
support       unsupported: which setting of a spec such a stack does not support. No torch here
layer         one layer of all stacks
ops           its kernels, with the replicas in front

What support does not allow is refused. It imports the model floor's specs, masks, positions and activations; tests
hold its numbers to those of Transformer.
"""
