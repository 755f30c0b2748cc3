"""What was run and where: configuration and matched controls, architecture, provenance, limits; a section each."""
