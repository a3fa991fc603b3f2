"""The centre: verifies, stores and calculates from what gateways signed."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("emissionwatch-edge")
except PackageNotFoundError:  # run from a source tree that was never installed
    __version__ = "0+source"
