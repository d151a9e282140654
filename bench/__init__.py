"""Measurements of what users would ask: `make bench`. One file per question, one JSON line per figure."""
