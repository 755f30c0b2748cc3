"""What a study says: question, base, arms, grid, claims, scales; and how a user asks for it to be run.

Door: load.read_study (from a file to a StudySpec), study.StudySpec, request.StudyRequest.
May import: the specs of lower floors, and the names of the engines. No torch.
"""
