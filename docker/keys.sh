#!/bin/sh
# A private certificate authority, the SuperLink's certificate, a key for each node in /nodes, each put into the volume
# of who will use it. What is there already stays. Runs as root, to give files away, and without a network.
set -eu
service="-o 1000 -g 1000" # the image's user, who runs everything but the SuperLink
owner="-o $(stat -c %u /checkout) -g $(stat -c %g /checkout)"
nodes=$(find /nodes -mindepth 1 -maxdepth 1 -name 'node-*' | wc -l)

# shellcheck disable=SC2086 # owners are several words
{
    hothouse keys --nodes "$nodes" --out /authority --host superlink --host gate --host 127.0.0.1
    install $owner -m 700 -d /superlink
    install $owner -m 600 /authority/server.key /superlink/
    install $owner -m 644 /authority/server.pem /authority/ca.crt /superlink/
    install $service -m 700 -d /gate
    install $service -m 600 /authority/server.key /gate/
    install $service -m 644 /authority/server.pem /authority/ca.crt /gate/
    install $service -m 755 -d /data /public
    install $service -m 644 /authority/ca.crt /public/
    for folder in /nodes/node-*; do
        name=$(basename "$folder")
        install $service -m 700 -d "$folder" "$folder/keys"
        install $service -m 600 "/authority/$name" "$folder/keys/node"
        install $service -m 644 /authority/ca.crt "$folder/keys/"
        install $service -m 644 "/authority/$name.pub" /public/
    done
    install $owner -d /runs
    [ -s /ray/token ] || od -An -tx1 -N32 /dev/urandom | tr -d ' \n' >/ray/token
}
