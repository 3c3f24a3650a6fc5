#!/bin/sh
# A SuperNode: /node is its own volume, with its key and its clients' data, and it knows of nothing else.
set -eu
config='data-dir="/node"'
if [ "${WORKERS:-1}" -gt 1 ]; then
    # Workers that stay up from message to message; who does not know this container's token cannot use them.
    RAY_AUTH_TOKEN=$(od -An -tx1 -N32 /dev/urandom | tr -d ' \n')
    export RAY_AUTH_TOKEN RAY_AUTH_MODE=token
    ray start --head --port 6379 --num-cpus "$WORKERS" --include-dashboard false --object-store-memory 100000000
    config="$config ray-address=\"auto\""
fi
exec hothouse supernode --superlink gate:8000 --root-certificates /node/keys/ca.crt \
    --auth-supernode-private-key /node/keys/node --node-config "$config" --health-server-address 127.0.0.1:9000
