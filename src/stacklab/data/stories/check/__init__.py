"""Consistency of a story, judged from its text alone.

Door: `story.faults`. people: names, pronouns and places. Shares the word lists with the
generator and nothing else. Serves tests and pages only: no command calls it. May import: words of stories.
"""
