"""The specs of a study (question, base, arms, grid, claims, scales) and of a request to run it.

Door: load.read_study (from a file to a StudySpec), study.StudySpec, request.StudyRequest.
May import: the specs of lower floors, and the names of the engines. No torch.
"""
