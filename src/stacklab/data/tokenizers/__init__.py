"""Tokenizers.

Door: `files` (read, download or train a tokenizer.json), `codec.Codec` (text -> ids -> text) and `library` (calls of
the package `tokenizers`, bounded, its errors ours). llama2c: the tokenizer.bin of llama2.c. Imports the record template
and the sources.
"""
