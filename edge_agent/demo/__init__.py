"""A plant, a gateway and a centre on one machine: real processes, real protocols, one folder.

Everything the demonstration knows it asks of the product as a stranger would: commands with --json
and the centre's HTTP interface. It ends with an account of every reading.
"""
