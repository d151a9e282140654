"""The values of the Helm chart as models, and what of `deploy/chart` is made from them and from other folders.

`python -m deploy.chart_values` writes the files anew. The templates, and what they make of a value, are in the chart.
"""
