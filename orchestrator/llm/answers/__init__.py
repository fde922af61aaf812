"""Plain answers: what results, values and records say, in words, without a model; each with its evidence."""
