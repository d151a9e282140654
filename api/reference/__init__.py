"""The reference pages below docs/, generated from the tables that the programs use: `python -m api.reference PAGE`.

A test fails when a page differs from its tables, so the pages are never behind. What a Workspace is and how it goes is
told by hand, in docs/concepts.md.
"""
