"""Plant documents as evidence: read, split into passages, found again and quoted word for word."""
