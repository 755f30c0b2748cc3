"""Kernels: functions of tensors that do not depend on the model.

attention              attention, the door: masked attention with and without dropout; attention_scores, its formula.
                       Dropout is applied in pieces that fit the cache; piece_size determines their sizes
flex                   attention under windows and patterns of long sequences on a card
dropout                dropout whose mask comes from a seed; keep_masks draws such masks
linear_cross_entropy   the loss of a linear head without its logits; tied_lookup, one gradient for a table that is
                       embedding and head. chunked_loss computes it in low precision and on cards

It imports torch, and of the model floor the masks alone.
"""
