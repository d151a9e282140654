"""Finds what of a conversation is the assistant's, in the text that a chat template makes of it."""
