"""Step Preflight: the checks that cost nothing, before anything is bought."""
