#!/bin/sh
# Runs a command as whoever owns the checkout, so that what a run leaves in ./runs is theirs: as-owner.sh COMMAND…
set -eu
exec setpriv --reuid "$(stat -c %u /checkout)" --regid "$(stat -c %g /checkout)" --clear-groups \
    --inh-caps=-all --bounding-set=-all --no-new-privs "$@"
