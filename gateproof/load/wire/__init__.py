"""Bytes under load: connections drained in batches, stamped by the kernel, judged when they have ended."""
