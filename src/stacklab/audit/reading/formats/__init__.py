"""What single programs print: one file per format.

Door: the `FORMAT` of each file, which `programs.load_formats` loads by name.

Lines that begin with a counter and go on with names and numbers need no file here: `pairs` reads them.
May import: entry, names, pairs, number, build, log and base.
"""
