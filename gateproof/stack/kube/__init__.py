"""A stand-in for the two parts of a cluster that TokenLabs' gateway takes its tenants from.

store      Secrets in memory, as core/v1 keeps them
api        their REST API, for whoever makes keys
authorino  who a key belongs to, and Envoy's question about it

`python -m gateproof.stack.kube` serves both over one store.
"""
