"""The foundation of every other floor; it imports no floor and never torch.

errors     every exception, and the exit code of each
spec       `Spec`, the frozen and closed base of all settings; canon: canonical JSON and fingerprints
streams    named random streams: the only source of randomness
files      atomic files and strict reading; folders: the same for folders; locks: one command at a time in a folder
yamlfile   YAML with the line of every key, and overrides such as `model.d_model=128`: what is read, and what is refused
text       text from outside, for messages; `say` and `make_console`, by which everything is printed
env        environment variables set at start
hardware, search, units, version    small helpers

Door: every module.
"""
