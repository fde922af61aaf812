"""The soft sensor: a product property between laboratory samples, from process tags.

One way through the files: which rows and samples (``samples``), inputs made of them (``features``),
models (``ridge``, ``learners``), run forward in time with only what was known by then (``walk``), chosen
and combined by that (``choice``), with intervals (``intervals``) and a judgement of whether the inputs are
like those seen (``applicability``). ``handler`` is the operation.
"""
