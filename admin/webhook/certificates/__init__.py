"""The webhook's certificates: made, kept in a Secret, rotated."""
