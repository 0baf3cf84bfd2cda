# `fixtures` itself cannot be named here: pytest takes that name for its own module.
pytest_plugins = [
    "gateproof.verdict.plugin",
    "fixtures.target",
    "fixtures.upstream",
    "fixtures.tenants",
]
