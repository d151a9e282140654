"""The operator's policy: what Workspaces of each namespace may buy, mount and run. Pure; nothing here reads a file.

`document.py` is its form, `purchases.py` judges a purchase, `rules.py` and `templates.py` judge a Workspace. Who reads
the file is `process/policy.py`'s; prices are `presets/machines`'.
"""
