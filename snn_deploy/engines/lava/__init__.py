"""The integer network as Lava processes, run in a supervised child process.

``engine`` is what the rest of the package sees. It cuts the network into causal parts
(``segments``), hands them to a child over files (``job``), and watches it (``supervisor``). Only
the child (``worker``) imports Lava: importing it fixes how a whole program starts processes, and
it runs on Python 3.10 only. ``builder`` wires one segment from stock LIF and Dense and from our
own ``processes``, whose behaviour is in ``models``; ``recorder`` writes down what they send.
"""
