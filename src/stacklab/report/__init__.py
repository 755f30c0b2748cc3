"""The report of a study: facts first, then skins over them.

Inside, imports point only downward:

    pages       whole files: HTML, Markdown, the report's folder; verdicts in a terminal; attention maps, coordinates
    sections    one file per section: its text, tables, figures and CSV columns; `registry` lists them in order
    drawing     figures as plain data, drawn by matplotlib and plotly
    format      numbers, verdicts, tables and colours as text
    facts       everything that the report says, as one storable value

Doors: `pages.write.write_report` writes a report, `pages.terminal.verdict_table` prints the verdicts,
`facts.build.Facts` reads a facts.json. The report may import every floor below it, but never torch.
"""
