#!/bin/sh
# Joins the Ray cluster without lending it a processor, and runs the scenario on it.
set -eu
ray start --address ray-head:6379 --num-cpus 0
exec hothouse run "/app/$SCENARIO" --ray-address auto \
    ${ROUNDS:+--set "federation.rounds=$ROUNDS"} $(for change in $SET; do echo "--set $change"; done)
