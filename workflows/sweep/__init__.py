"""The scheduled sweep for what nobody uses."""
