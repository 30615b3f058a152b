"""The peers, each in a process of its own, run by the Python of the peers' environment.

The benchmarks start `python -m tests.benchmarks.peers.NAME` and ask it for figures, a turn at a
time: see `serve`.  Nothing here imports interstate or paramiko,
but `ourselves`, which is ours and run by our own Python.
"""
