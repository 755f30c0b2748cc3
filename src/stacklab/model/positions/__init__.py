"""Positional encodings: what distinguishes the positions of a sequence.

kind       PositionKind: what every kind declares. No torch in this block
kinds      the kinds, and Position, the type of ModelSpec.position
build      BUILDERS, the torch modules by kind; position_rows and positions_in_attention, the door for models;
           rotary positions
rows       modules that add rows to the token embeddings

A kind is a class of kinds and an entry of BUILDERS; everything else follows from what the class declares.
It imports base alone, and torch where it computes.
"""
