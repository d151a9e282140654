"""`python -m presets.prices refresh`: writes the price table anew from Azure's Retail Prices API."""
