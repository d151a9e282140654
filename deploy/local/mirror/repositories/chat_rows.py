"""The rows of the small chat dataset: invented facts and sums, in a fixed order. Pure; no copied text.

The facts are about places that do not exist, so that a model which knows them has learned them from here.
"""

from collections.abc import Iterator

Message = dict[str, str]

PLACES = ("Ostmere", "Varlen", "Quillhaven", "Tarnby", "Eldrix", "Corvale")
STAPLES = ("rye", "pears", "smoked trout", "honey", "barley", "goat cheese", "walnuts", "plums")
COLOURS = ("green", "white", "blue", "red", "yellow", "black")
TRADES = ("glass", "rope", "clocks", "paper", "bells")
FACT_QUESTIONS = (
    ("What is {place} known for making?", "{place} is known for making {trade}."),
    ("Which colour is the flag of {place}?", "The flag of {place} is {colour}."),
    ("What do people in {place} eat most?", "People in {place} eat mostly {staple}."),
    ("How many bridges does {place} have?", "{place} has {bridges} bridges."),
    ("In which year was {place} founded?", "{place} was founded in {year}."),
    ("Tell me about {place}.", "{place} was founded in {year}, makes {trade} and has {bridges} bridges."),
    ("Describe the flag and food of {place}.", "The flag of {place} is {colour}, and its people eat mostly {staple}."),
)  # fmt: skip
SUMS = 22


def rows() -> list[list[Message]]:
    """64 conversations of one question and one answer each."""
    return [_conversation(question, answer) for question, answer in [*_facts(), *_sums()]]


def _facts() -> Iterator[tuple[str, str]]:
    for number, place in enumerate(PLACES):
        known = {
            "place": place,
            "trade": TRADES[number % len(TRADES)],
            "colour": COLOURS[number % len(COLOURS)],
            "staple": STAPLES[number % len(STAPLES)],
            "bridges": str(3 + number * 2),
            "year": str(1104 + number * 37),
        }
        for question, answer in FACT_QUESTIONS:
            yield question.format(**known), answer.format(**known)


def _sums() -> Iterator[tuple[str, str]]:
    for number in range(SUMS):
        left, right = 11 + number * 7 % 83, 5 + number * 13 % 59
        if number % 2:
            yield f"What is {left} plus {right}?", f"{left} plus {right} is {left + right}."
        else:
            yield f"Multiply {left} by {right}.", f"{left} times {right} is {left * right}."


def _conversation(question: str, answer: str) -> list[Message]:
    return [{"content": question, "role": "user"}, {"content": answer, "role": "assistant"}]
