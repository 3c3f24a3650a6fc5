#!/usr/bin/env bash
# Runs a command with a Docker engine and an image for the demo to build on: with-engine.sh COMMAND…
# Where there is an engine it is used. Else root installs one and starts it, with a folder, a socket and a pid file of
# its own that go with it. Where neither can be, says so and fails.
set -euo pipefail

main() {
    docker info >/dev/null 2>&1 || start_engine || refuse "no Docker engine runs here and none can be started"
    if ! command -v docker-compose >/dev/null && ! docker compose version >/dev/null 2>&1; then
        install_packages docker-compose || refuse "there is neither docker compose nor docker-compose"
    fi
    base_image || refuse "there is no image python:3.11-slim, and no base image can be made"
    "$@"
}

refuse() {
    echo "with-engine.sh: $1" >&2
    exit 1
}

start_engine() {
    [ "$(id -u)" = 0 ] || return 1
    command -v dockerd >/dev/null || install_packages docker.io docker-compose iproute2 || return 1
    home=$(mktemp -d)
    export DOCKER_HOST="unix://$home/docker.sock"
    dockerd --host "$DOCKER_HOST" --data-root "$home/data" --exec-root "$home/exec" --pidfile "$home/pid" \
        >"$home/log" 2>&1 &
    engine=$!
    trap 'kill "$engine"; wait "$engine" || true; rm -rf "$home"' EXIT
    for _ in $(seq 60); do
        docker info >/dev/null 2>&1 && return
        kill -0 "$engine" 2>/dev/null || break
        sleep 1
    done
    tail -3 "$home/log" >&2
    return 1
}

base_image() {
    docker image inspect python:3.11-slim >/dev/null 2>&1 && return
    timeout 120 docker pull -q python:3.11-slim >/dev/null 2>&1 && return
    export BASE_IMAGE=hothouse-base TORCH_BACKEND=
    docker image inspect "$BASE_IMAGE" >/dev/null 2>&1 && return
    command -v debootstrap >/dev/null || install_packages debootstrap || return 1
    "$(dirname "$0")/base-image.sh" "$BASE_IMAGE" >/dev/null 2>&1
}

install_packages() {
    command -v apt-get >/dev/null && apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$@" >/dev/null
}

main "$@"
