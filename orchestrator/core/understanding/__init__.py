"""Reads requests in words without a language model: names, times, clauses, and what each clause wants."""
