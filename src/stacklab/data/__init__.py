"""Corpora and tokenizers: from a source of records to memory-mapped blocks of token ids.

Door: `spec.DataSpec` (what to read), `prepare.prepare` (build it in the cache, or open it there),
`prepared.PreparedData` (the result) and `batches` (which blocks a step trains on). `novelty` compares generated
text with the training split; `unigram` is the loss of a model of word frequencies.

`cover` is what the loss covers: where records begin and which tokens are targets.

sources       files, the hub and token files -> records
tokenizers    tokenizer files, training a tokenizer, encoding and decoding
pipeline      one pass: drop duplicates, split, encode, count
procedural    the corpus `procedural-cot`
stories       the corpus `generated-stories`

Imports base; never torch.
"""
