"""Who is at the other end of a Unix socket."""

from __future__ import annotations

import socket
import struct


def peer_user(connected: socket.socket) -> int:
    """The user id of the process at the other end (Linux: SO_PEERCRED, see unix(7)).

    That is who called `connect`, or `listen`, whoever uses the socket since.
    """
    _, user, _ = struct.unpack("3i", connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return int(user)
