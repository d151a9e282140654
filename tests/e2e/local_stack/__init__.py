"""The local stack as a whole, from the command line."""
