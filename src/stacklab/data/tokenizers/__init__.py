"""Tokenizers.

Door: `files` (read, download or train a tokenizer.json) and `codec.Codec` (text -> ids -> text). llama2c: the
tokenizer.bin of llama2.c. Imports the record template and the sources.
"""
