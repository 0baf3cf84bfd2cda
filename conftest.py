pytest_plugins = ["gateproof.verdict.plugin", "fixtures"]
