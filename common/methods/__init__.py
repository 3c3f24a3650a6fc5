"""The methods: for each `federation.strategy` what a scenario can choose of it, and its halves on server and clients.

A package is a method: `options.py` declares it, `server.py` and `client.py` are halves of its own.
"""
