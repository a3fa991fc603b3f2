"""What people look at: the fleet, and the last day of a gateway.

Rendered here, with our own script and stylesheet and plotly from its package: nothing is loaded
from anywhere else.
"""
