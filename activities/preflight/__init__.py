"""Step Preflight: what can be known for nothing before anything is bought."""
