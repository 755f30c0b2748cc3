"""Text from a model.

decode          generate and stream, the door: tokens until an end token, a count or the end of the context
                its CachedForward is the forward pass of growing sequences, padded into one batch
sampling        the next token from logits; SamplingSpec, its settings, is in sampling_spec, without torch

It imports the model floor's transformer and cache.
"""
