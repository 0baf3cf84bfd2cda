"""Kubernetes objects of a target, and backends that are taken away for a while; `kubernetes` is imported on use."""
