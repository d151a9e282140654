"""Which reference pages there are; the page `fields` is the file docs/fields.md, and so on."""

from collections.abc import Callable, Mapping
from typing import Final

from api.reference.admission import admission_page
from api.reference.config_keys import config_keys_page
from api.reference.fields import fields_page
from api.reference.policy import policy_page
from api.reference.reasons import reasons_page

PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "admission": admission_page,
    "fields": fields_page,
    "reasons": reasons_page,
    "config-keys": config_keys_page,
    "policy": policy_page,
}
