"""What several tasks are made of.

fields: field types. sampling: draws for a whole batch. guessing: accuracies of guesses. show: sequences as text.
templates: strings of wildcards.

Door: every module, for tasks. May import: base, `tasks.batch` and `tasks.protocol`.
"""
