"""The corpus `generated-stories`: short stories with a consistent state behind the text.

Door: `spec.StoriesSpec`, `corpus` (`generate`, `story`), `check.story.faults`. stage: one story while it is written,
its names and pronouns; world: what is true in it; events and words: what plots share; plots: the plots. Imports base
and the draws of the procedural corpus."""
