"""Where records come from.

Door: `source.open_source`, for every kind of source; spec: their settings. readers: local files as rows. hub: data sets
of the Hugging Face hub. survey: what the columns of all rows hold. form: which of them are read. records: rows as
records, broken ones counted. token_file: files of token ids. May import: the specs of data, its generated corpora, and
base.
"""
