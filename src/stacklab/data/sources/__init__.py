"""Where records come from.

Door: `source.open_source`, for every kind of source, whose columns it turns into records. readers: local files as rows.
hub: data sets of the Hugging Face hub. token_file: files of token ids. May import: the specs of data, its generated
corpora, and base.
"""
