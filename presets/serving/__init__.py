"""Which machines a model can be served on, and how."""
