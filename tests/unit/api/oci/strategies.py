"""Docker configs as people and programs write them, and as nobody should."""

import json
from base64 import b64encode
from typing import Any

from hypothesis import strategies as st

HOST = "team.azurecr.io"
SECRET = "s3cret"
"""Is in every credential that is generated."""

_texts = st.text(max_size=8).map(lambda text: f"{text}{SECRET}")
_auths = st.one_of(
    st.tuples(_texts, _texts).map(lambda pair: b64encode(f"{pair[0]}:{pair[1]}".encode(errors="replace")).decode()),
    _texts,
    st.binary(max_size=12).map(lambda raw: b64encode(raw).decode()),
).flatmap(lambda text: st.sampled_from([text, f"{text}\n", text.rstrip("="), f" {text[:4]}\r\n{text[4:]}"]))
_values = st.one_of(_texts, st.none(), st.integers(), st.just(""), st.lists(_texts, max_size=1))
entries = st.one_of(
    st.fixed_dictionaries(
        {}, optional={"username": _values, "password": _values, "auth": st.one_of(_auths, _values),
                      "identitytoken": _values}
    ),
    _values,
)  # fmt: skip
keys = st.sampled_from(
    [HOST, f"https://{HOST}", f"http://{HOST}/v1/", f"{HOST}/team", f"{HOST}/team/a", f"{HOST}/v2/", f"{HOST}/other",
     "*.azurecr.io", "*.*.io", "t??m.azurecr.io", "[t]eam.azurecr.io", "[.azurecr.io", f"{HOST}:443",
     "*", "", "docker.io"]
) | st.text(max_size=20)  # fmt: skip
_json: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def documents() -> st.SearchStrategy[bytes]:
    """The content of one Secret."""
    written = st.one_of(
        st.dictionaries(keys, entries, max_size=5).map(lambda auths: {"auths": auths}),
        _json.map(lambda auths: {"auths": auths}),
        _json,
    )
    return written.map(lambda document: json.dumps(document).encode()) | st.binary(max_size=40)
