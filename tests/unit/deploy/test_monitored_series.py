"""Alerts and dashboards read series that there are, by labels that these have, and no series of ours is left unread."""

import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml

from activities.contract import signatures
from activities.contract.signatures import Signature
from admin.webhook.metrics import BROKEN
from api.reasons import REASONS
from deploy.chart_values.alerts_page import PAGE, RULES
from deploy.chart_values.dashboards import DASHBOARDS
from testing.prometheus.exposed import (
    OF_MODELS,
    OF_PROCESSES,
    OF_TARGETS,
    Series,
    of_others,
    of_our_processes,
    of_our_programs,
)
from testing.prometheus.promql import Selector, compared, grouped_by, selectors

GROUPS: list[Any] = yaml.safe_load(RULES.read_text())["groups"]
ALERTS: list[Any] = [rule for group in GROUPS for rule in group["rules"]]
BY_DASHBOARD = {
    name: [line for panel in dashboard.panels for line in panel.lines.items()] for name, dashboard in DASHBOARDS.items()
}
UP: Series = {"up": frozenset()}
DECIDED = {"kind": {"owned"}, "verdict": {BROKEN}, "outcome": {"failed", "refused", "dropped"}}
"""Values of labels that alerts compare, beside reasons and activities."""


def control_plane() -> Series:
    return {**of_our_processes(), **of_others("temporal"), **dict.fromkeys(OF_PROCESSES, frozenset[str]()), **UP}


@pytest.fixture
def models(tmp_path: Path) -> Series:
    return {**of_our_programs(tmp_path), **of_others("vllm"), **UP}


def wrong(expression: str, there: Series, added: frozenset[str]) -> Iterator[str]:
    """Yields what an expression reads and does not find."""
    read = list(selectors(expression))
    assert read, expression
    for one in read:
        if one.metric not in there:
            yield one.metric
        elif lacking := one.labels - there[one.metric] - added:
            yield f"{one.metric}{sorted(lacking)}"
    # A label by which several series are joined or grouped is one of each of them.
    for one in read:
        yield from (
            f"{one.metric} by {label}" for label in grouped_by(expression) - there.get(one.metric, set()) - added
        )


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: f"{rule['alert']}-{rule['labels'].get('process', '')}")
def test_an_alert_reads_what_is_exposed_and_shows_labels_that_are_left(rule: Any) -> None:
    there = control_plane()
    assert list(wrong(rule["expr"], there, OF_TARGETS)) == []
    left = grouped_by(rule["expr"]) or OF_TARGETS.union(*(there[one.metric] for one in selectors(rule["expr"])))
    # What is absent has the labels that were asked for, and no others.
    left = frozenset({"job"}) if rule["expr"].startswith("absent(") else left
    shown = re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values()))
    assert set(shown) <= left


def test_a_panel_of_the_control_plane_reads_what_is_exposed() -> None:
    for legend, expression in BY_DASHBOARD["control-plane"]:
        assert list(wrong(expression, control_plane(), OF_TARGETS)) == []
        assert set(re.findall(r"\{\{(\w+)\}\}", legend)) <= (grouped_by(expression) or OF_TARGETS)


def test_a_panel_of_models_reads_what_is_exposed(models: Series) -> None:
    for legend, expression in BY_DASHBOARD["models"]:
        assert list(wrong(expression, models, OF_MODELS)) == []
        assert set(re.findall(r"\{\{(\w+)\}\}", legend)) <= grouped_by(expression)


def test_choices_are_of_labels_that_there_are(models: Series) -> None:
    for choice in chain.from_iterable(dashboard.choices for dashboard in DASHBOARDS.values()):
        [read] = selectors(choice.series)
        assert read.metric in {**control_plane(), **models}
        assert read.labels | {choice.label} <= OF_MODELS


@pytest.mark.parametrize(
    ("expression", "what"),
    [
        ("sum(rate(modelyard_watcher_event_total[5m]))", ["modelyard_watcher_event_total"]),
        ('modelyard_status_writes_total{result="failed"} > 0', ["modelyard_status_writes_total['result']"]),
        ("sum by (reason) (modelyard_watcher_leading)", ["modelyard_watcher_leading by reason"]),
    ],
)
def test_a_name_that_is_wrong_is_found(expression: str, what: list[str]) -> None:
    assert list(wrong(expression, control_plane(), OF_TARGETS)) == what


def test_selectors_are_read_out_of_everything_around_them() -> None:
    expression = (
        'sum by (le, a) (rate(x_bucket{b="or (y)",c!~"d{1}"}[5m] offset 1h)) / on (a) z > 2 * 60 or a:b unless q'
    )
    assert list(selectors(expression)) == [
        Selector("x_bucket", frozenset("bc")),
        *(Selector(name, frozenset()) for name in ("z", "a:b", "q")),
    ]
    assert grouped_by(expression) == {"le", "a"}
    assert compared(expression, "c") == [("!~", "d{1}")]


def test_every_metric_of_our_processes_is_shown() -> None:
    lines = [expression for _, expression in BY_DASHBOARD["control-plane"]]
    read = {one.metric for expression in lines for one in selectors(expression)}
    unread = {re.sub(r"_(sum|count)$", "_bucket", name) for name in of_our_processes()} - read
    assert unread == set()


def test_values_that_alerts_compare_exist() -> None:
    activities = [one.name for one in vars(signatures).values() if isinstance(one, Signature)]
    for rule in ALERTS:
        for how, value in compared(rule["expr"], "reason"):
            assert set(value.split("|") if how.endswith("~") else [value]) <= set(REASONS), rule["alert"]
        for _, value in compared(rule["expr"], "activity"):
            assert all(any(re.fullmatch(one, name) for name in activities) for one in value.split("|")), rule["alert"]
        for label, values in DECIDED.items():
            for _, value in compared(rule["expr"], label):
                assert set(value.split("|")) <= values, rule["alert"]


def test_every_alert_says_how_bad_it_is_and_what_to_do() -> None:
    for rule in ALERTS:
        assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}, rule["alert"]
        assert set(rule["annotations"]) == {"summary", "description", "see"}, rule["alert"]
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}, rule["alert"]
        page, _, section = rule["annotations"]["see"].partition("#")
        text = (PAGE.parent / page).read_text()
        headlines = {re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-") for line in text.splitlines()}
        assert not section or section in headlines or f'<a id="{section}">' in text, rule["alert"]


def test_each_dashboard_and_each_panel_has_a_name_of_its_own() -> None:
    assert len({dashboard.uid for dashboard in DASHBOARDS.values()}) == len(DASHBOARDS)
    for dashboard in DASHBOARDS.values():
        assert len({panel.title for panel in dashboard.panels}) == len(dashboard.panels)
