"""The reference pages below docs/, generated from the tables that the programs use: `python -m api.reference PAGE`.

A test fails when a page differs from its tables. The hand-written introduction to Workspaces is docs/concepts.md.
"""
