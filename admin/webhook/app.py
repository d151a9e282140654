"""Serves POST /validate/workspace.kaito.sh: takes an AdmissionReview and returns one, with HTTP 200 for any input.

Reads at most BODY_LIMIT bytes within READ_S seconds, and so many bodies at a time as fit into memory. An exception in a
rule becomes a denial, never a closed connection: for that, the API server would not show the user a useful message.
"""

import logging
import time
from dataclasses import replace
from typing import Final

from fastapi import FastAPI, Request, Response
from starlette.requests import ClientDisconnect

from admin.webhook import answers
from admin.webhook.admission_review import BODY_LIMIT, Review, Unreadable, read_review
from admin.webhook.config_maps import ConfigMapSource
from admin.webhook.metrics import BROKEN, SECONDS, UNREADABLE, count
from admin.webhook.permissions import NOBODY_ASKED, Permissions
from admin.webhook.review import Decision, Rules, decide
from process.serving.bodies import Bodies, BodyRefused

log = logging.getLogger(__name__)

PATH: Final = "/validate/workspace.kaito.sh"
JSON: Final = "application/json"
READ_S: Final = 3.0
"""Seconds. Together with reading ConfigMaps, less than the API server waits (timeoutSeconds of the configuration)."""


def webhook_application(
    rules: Rules, config_maps: ConfigMapSource, permissions: Permissions = NOBODY_ASKED, *, read_s: float = READ_S
) -> FastAPI:
    """Returns an application with the one route. Health and metrics are on another port, without TLS."""
    app, bodies = FastAPI(openapi_url=None), Bodies()

    @app.post(PATH)
    async def validate(request: Request) -> Response:
        try:
            _check_type(request)
            async with bodies.read(request.stream(), limit=BODY_LIMIT, seconds=read_s) as body:
                with SECONDS.time():
                    return _answer(await answer_of(body, rules, config_maps, permissions))
        except Unreadable as error:
            return _answer(_refuse_unreadable(error))
        except BodyRefused as error:
            return _answer(_refuse_unreadable(Unreadable(error.status, str(error))))
        except ClientDisconnect:
            return Response(status_code=400)  # the client has disconnected and will not read it

    return app


async def answer_of(
    body: bytes, rules: Rules, config_maps: ConfigMapSource, permissions: Permissions = NOBODY_ASKED
) -> bytes:
    """Returns the response to an AdmissionReview. Does not raise."""
    try:
        review = read_review(body)
    except Unreadable as error:
        return _refuse_unreadable(error)
    began = time.perf_counter()
    try:
        decision = decide(review, rules, await config_maps.named_by(review))
        if not decision.problems:  # what is refused anyway costs the API server no question
            decision = replace(decision, problems=await permissions.problems(review))
    except RecursionError:
        return _refuse_unreadable(Unreadable(400, "the Workspace is nested too deeply to be checked", review.uid))
    except Exception:  # top level: a bug in a rule must neither allow the request nor leave the user without a response
        log.exception("a rule failed on review %s after %.3f s", review.uid, time.perf_counter() - began)
        count(review.operation, BROKEN, ())
        message = f"a bug in Modelyard prevented the check of this Workspace; see {review.uid} in the webhook's log"
        return answers.unreadable(review.uid, 500, message)
    return _answer_of_decision(review, decision)


def _answer_of_decision(review: Review, decision: Decision) -> bytes:
    rules = [problem.rule for problem in decision.problems]
    count(review.operation, "refused" if rules else "allowed", rules)
    if rules:
        return answers.refused(review.uid, decision.problems, decision.warnings)
    return answers.allowed(review.uid, decision.warnings)


def _check_type(request: Request) -> None:
    given = request.headers.get("content-type", "")
    if given.partition(";")[0].strip().lower() != JSON:
        raise Unreadable(415, f"the content type must be {JSON}")


def _refuse_unreadable(error: Unreadable) -> bytes:
    count("unknown", UNREADABLE, ())
    return answers.unreadable(error.uid, error.code, str(error))


def _answer(body: bytes) -> Response:
    return Response(body, media_type=JSON)
