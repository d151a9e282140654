"""Steps of a training: its Jobs, their pods, their progress, the finished adapter."""
