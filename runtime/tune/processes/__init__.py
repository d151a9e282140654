"""Starts and supervises the processes of a training and reads their messages."""
