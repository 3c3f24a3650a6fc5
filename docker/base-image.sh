#!/usr/bin/env bash
# Makes a base image for the Dockerfile where none can be pulled: base-image.sh [NAME]
# A minimal Debian from this machine's own package source, with this machine's certificates, pip settings and the
# folder of wheels they point to. Needs root, debootstrap and a Docker engine; takes about a minute.
set -euo pipefail
name=${1:-hothouse-base}
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

# shellcheck disable=SC2016 # apt-get fills in $(REPO_URI)
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Identifier: Packages' 'Codename: bookworm' | sed -n 1p)
# shellcheck disable=SC2086 # without a mirror debootstrap has its own
debootstrap --variant=minbase --include=python3,python3-pip,python3-venv,ca-certificates bookworm "$root" $mirror >&2
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*

cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
[ ! -f /etc/pip.conf ] || cp /etc/pip.conf "$root/etc/"
changes=()
wheels=${PIP_FIND_LINKS:-$(python3 -m pip config get global.find-links 2>/dev/null || true)}
if [ -d "$wheels" ]; then
    mkdir -p "$root$wheels"
    cp "$wheels"/*.whl "$root$wheels/"
    changes+=(--change "ENV PIP_FIND_LINKS=$wheels")
fi
tar -C "$root" -c . | docker import "${changes[@]}" - "$name" >&2
