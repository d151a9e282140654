"""The admission rules that need nothing but the document, by subject."""
