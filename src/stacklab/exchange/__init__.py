"""Models in and out: imported from other programs, exported to them, opened by name; text from any, scores of any.

Door: import_.import_model, export.export_model, open_model.open_model, generate.stream_texts, evaluate.evaluate_file.
May import: run and the floors below it (the formats of other programs are in model.port). Nothing in run imports it.
"""
