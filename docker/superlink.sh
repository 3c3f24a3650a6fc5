#!/bin/sh
# The SuperLink, on which the ServerApp runs: TLS, nodes that prove who they are, its state in SQLite.
set -eu
exec sh docker/as-owner.sh flower-superlink --host 0.0.0.0 --port 8000 \
    --ssl-certfile /superlink/server.pem --ssl-keyfile /superlink/server.key --ssl-ca-certfile /superlink/ca.crt \
    --enable-supernode-auth --database /superlink/state.db \
    --disable-runtime-dependency-installation --health-server-address 127.0.0.1:9000
