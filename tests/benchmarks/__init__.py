"""How fast Interstate is, beside what others do in the same run on the same machine.

    python -m tests.benchmarks                     all rows, as a table
    python -m tests.benchmarks --only no-op-rate   that row alone; may be repeated
    python -m tests.benchmarks --json              the same as JSON

Each row is a function that takes the Place and returns a Row.  Our turns and the peer's alternate,
and a ratio is the median of the ratios of the turns: on a busy machine both are slow together.
Nothing here is asserted: a row says what was asked for, and whether it was reached.
"""
