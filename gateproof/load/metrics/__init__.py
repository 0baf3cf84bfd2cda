"""What the servers say of themselves while a run lasts: scraped, kept on the run's clock, compared with what we saw."""
