"""For every test: properties are judged by their answers, never by how busy the machine is."""

from hypothesis import settings

settings.register_profile("modelyard", deadline=None)
settings.load_profile("modelyard")
