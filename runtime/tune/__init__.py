"""Trains adapters with trl and peft, inside a pod."""
