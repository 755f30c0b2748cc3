"""The command line: one file per command, and what commands share (options, request, tables).

Door: main.main. Commands import what they need when they run, so that --help is quick.
May import: every floor below.
"""
