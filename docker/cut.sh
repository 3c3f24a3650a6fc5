#!/bin/sh
# Cuts the scenario's data into a volume for each node; what an earlier scenario left there makes room.
set -eu
export HOTHOUSE_CACHE=/tmp/cache
nodes=$(find /nodes -mindepth 1 -maxdepth 1 -name 'node-*' | wc -l)
# shellcheck disable=SC2046 # one --set for each word
cut() { hothouse cut "/app/$SCENARIO" --nodes "$nodes" --out /nodes $(for change in $SET; do echo "--set $change"; done); }
cut || {
    find /nodes -mindepth 2 -maxdepth 2 ! -name keys -exec rm -rf {} +
    cut
}
