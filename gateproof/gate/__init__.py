"""The gate: may this release ship? Bounds from a file against the runs that were made, judged on confidence bounds."""
