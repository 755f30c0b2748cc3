"""How numbers, verdicts, tables and arms are written: text and colours, without layout.

Doors: `numbers` (values and differences by style), `verdicts` (marks and reasons), `table` (tables as text and as CSV),
`palette` (the colour and marker of an arm). It imports the facts.
"""
