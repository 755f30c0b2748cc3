"""Text from a model.

decode          generate and stream, the door: tokens until an end token, a count or the end of the context
                its CachedForward is the forward pass of growing sequences, padded into one batch
sampling_spec   SamplingSpec: how the next token is drawn. No torch

It imports the model floor's transformer and cache.
"""
