"""The methods: for each `federation.strategy` what a scenario can choose of it, and its halves on server and clients.

A package is a method: `options.py` declares it, `server.py` and `client.py` are halves of its own.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

# Flower's own first: FedAvg opens every list.
for _name in sorted((found.name for found in iter_modules(__path__)), key=lambda name: (name != "flower", name)):
    import_module(f"{__name__}.{_name}.options")
