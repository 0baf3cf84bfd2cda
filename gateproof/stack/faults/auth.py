"""AUTH: what goes wrong with keys."""

from __future__ import annotations

from gateproof.stack.faults import Fault

FAULTS = (
    Fault(
        "restricted_keys_refused",
        where="gateway",
        breaks=("AUTH-001",),
        stands_for="a key with a list of models is refused for the very models on it",
        shows="'restricted': 401",
    ),
    Fault(
        "models_open_to_all",
        where="gateway",
        breaks=("AUTH-002",),
        stands_for="a filter that answers the model list before anybody asked for the key",
        shows="200",
    ),
    Fault(
        "wrong_key_is_forbidden",
        where="gateway",
        breaks=("AUTH-003",),
        stands_for="a wrong key taken for a key without rights, so that SDKs raise the wrong error",
        shows="403",
    ),
    Fault(
        "no_challenge",
        where="gateway",
        breaks=("AUTH-004", "AUTH-005"),
        stands_for="401 without WWW-Authenticate",
        link="https://github.com/Kuadrant/docs.kuadrant.io/issues/253",
        shows="no WWW-Authenticate",
    ),
    Fault(
        "missing_token_called_invalid",
        where="gateway",
        breaks=("AUTH-005",),
        stands_for="one challenge for every refusal, blaming a token that nobody sent",
        shows="invalid_token",
    ),
    Fault(
        "scheme_case_matters",
        where="gateway",
        breaks=("AUTH-006",),
        stands_for="the scheme compared as text: `bearer` is unknown",
        shows="401",
    ),
    Fault(
        "other_scheme_crashes",
        where="gateway",
        breaks=("AUTH-007",),
        stands_for="an Authorization field of another form ends in an exception",
        link="https://github.com/BerriAI/litellm/issues/20482",
        shows="500",
    ),
    Fault(
        "any_credential_counts",
        where="gateway",
        breaks=("AUTH-008",),
        stands_for="of several credentials whichever is good is taken, and the log tells of the first",
        shows="['served', 'served']",
    ),
    Fault(
        "keys_ignore_case",
        where="gateway",
        breaks=("AUTH-009",),
        stands_for="keys looked up in a table with a case-insensitive collation",
        shows="200",
    ),
    Fault(
        "key_in_query",
        where="gateway",
        breaks=("AUTH-013",),
        stands_for="a key taken from the URL, where every log keeps it",
        shows="200",
    ),
)
