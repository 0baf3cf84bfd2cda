"""Pages for people: one frame, and one module per page. Self-contained, offline, deterministic."""
