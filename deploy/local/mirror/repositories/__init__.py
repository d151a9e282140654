"""The models and data that the mirror serves, and the programs that build them."""
