#!/usr/bin/env python3
"""A client in the words of Packice's older versions: a Unix socket, JSON lines, a descriptor.

    client.py SOCKET put ID < bytes
    client.py SOCKET get ID > bytes
"""
import array
import json
import os
import shutil
import socket
import sys


def ask(node, **request):
    """The response line, and the descriptor that came with it, or None."""
    node.sendall(json.dumps(request).encode() + b"\n")
    line, fds = b"", array.array("i")
    while not line.endswith(b"\n"):
        data, ancillary, _, _ = node.recvmsg(65536, socket.CMSG_SPACE(fds.itemsize))
        if not data:
            sys.exit("the node is gone")
        line += data
        for level, kind, value in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds.frombytes(value)
    response = json.loads(line)
    if "error" in response:
        sys.exit("{kind}: {message}".format(**response["error"]))
    return response, fds[response["attachment_fd"]] if "attachment_fd" in response else None


def main(path, command, objid):
    node = socket.socket(socket.AF_UNIX)
    node.connect(path)
    intent = {"put": "create", "get": "read"}[command]
    lease, fd = ask(node, objid=objid, intent=intent, ttl_seconds=60)
    assert lease["objid"] == objid
    with os.fdopen(fd, "r+b" if command == "put" else "rb", buffering=0) as attachment:
        if command == "put":
            shutil.copyfileobj(sys.stdin.buffer, attachment)
            ask(node, command="seal", lease_id=lease["lease_id"])
        else:
            shutil.copyfileobj(attachment, sys.stdout.buffer)
    ask(node, command="release", lease_id=lease["lease_id"])


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[2] not in ("put", "get"):
        sys.exit(__doc__)
    main(*sys.argv[1:])
