#!/bin/sh
# A SuperNode: /node is its own volume, with its key and its clients' data, and it knows of nothing else.
set -eu
exec hothouse supernode --workers "${WORKERS:-1}" --superlink gate:8000 --root-certificates /node/keys/ca.crt \
    --auth-supernode-private-key /node/keys/node --node-config 'data-dir="/node"' --health-server-address 127.0.0.1:9000
