import pytest

# The helpers of `fixtures` assert too: without this a failure in one would say nothing but "AssertionError".
pytest.register_assert_rewrite("fixtures")

# `fixtures` itself cannot be named here: pytest takes that name for its own module.
pytest_plugins = [
    "gateproof.verdict.plugin",
    "fixtures.target",
    "fixtures.upstream",
    "fixtures.routing",
    "fixtures.outages",
    "fixtures.tenants",
    "fixtures.limits",
    "fixtures.model",
    "fixtures.quotas",
    "fixtures.refusals",
    "fixtures.isolation",
    "fixtures.watches",
    "fixtures.parallel",
]
