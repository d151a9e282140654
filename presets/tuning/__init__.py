"""Which machines a model can be tuned on, and how."""
