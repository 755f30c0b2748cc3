"""One run on several cards, one process per card.

Door: `launch` starts the ranks with torchrun and waits for them; `rank` is the program of each. The first rank does
what `execute` does, the others take part in its steps. May import: everything else in run, and the floors below it.
"""
