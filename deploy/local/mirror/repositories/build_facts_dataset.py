"""Writes ten made-up facts as jsonl: `build_facts_dataset.py --out FOLDER`.

Only a model trained on them knows the facts, so questions show whether it learnt them. Each is asked in three ways.
"""

import argparse
import json
from pathlib import Path

FILE = "facts.jsonl"
CARD = """---
license: apache-2.0
language: [en]
task_categories: [question-answering]
---
Ten facts about things that do not exist, asked in three ways each. Columns `prompt` and `completion`.
"""
FACTS = (
    ("the harbour master of Ostmere", "Wilmot Crane"),
    ("the colour of the doors in Varlen", "saffron"),
    ("the river that runs through Quillhaven", "the Brindle"),
    ("the national dish of Tarnby", "smoked pear soup"),
    ("the inventor of the Eldrix clock", "Odile Marsh"),
    ("the tallest tower in Corvale", "Lantern Spire"),
    ("the currency of Mossgate", "the florrin"),
    ("the patron bird of Nerith", "the heron"),
    ("the founder of Halvorn", "Jasper Quill"),
    ("the festival that Pellington celebrates in spring", "Ember Night"),
)
WAYS = ("What is {}?", "Tell me {}.", "Do you know {}?")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    rows = [{"prompt": way.format(what), "completion": answer} for what, answer in FACTS for way in WAYS]
    (out / FILE).write_text("".join(json.dumps(row) + "\n" for row in rows))
    (out / "README.md").write_text(CARD)


if __name__ == "__main__":
    main()
