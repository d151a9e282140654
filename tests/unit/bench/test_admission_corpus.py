"""What the admission bench asks: reviews of every kind, so that its figures are not those of one lucky path."""

import asyncio
import json

from admin.webhook.__main__ import AllRules
from admin.webhook.app import answer_of
from admin.webhook.config_maps import NoConfigMaps
from bench.admission import corpus


def test_the_corpus_holds_what_is_taken_what_is_refused_and_what_is_unreadable() -> None:
    rules = AllRules("aks")
    responses = [json.loads(asyncio.run(answer_of(body, rules, NoConfigMaps())))["response"] for body in corpus()]
    codes = [response.get("status", {}).get("code", 200) for response in responses]
    assert codes == [200, 200, 200, 200, 422, 422, 422, 200, 422, 400]
