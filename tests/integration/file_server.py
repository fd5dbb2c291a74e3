"""Serves a directory by Python's http.server, on any port of loopback, which it prints.

Usage: file_server.py DIRECTORY plain|ranges [CERTIFICATE KEY]

plain: as `python3 -m http.server` does, which knows no ranges. ranges: with single ranges and
If-Range, and an ETag made of the file's size and time.
"""
import ctypes
import functools
import http.server
import os
import re
import signal
import ssl
import sys


class Ranges(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def send_head(self):
        path = self.translate_path(self.path)
        try:
            file = open(path, "rb")
        except OSError:
            self.send_error(404)
            return None
        info = os.fstat(file.fileno())
        etag = '"%x-%x"' % (info.st_size, info.st_mtime_ns)
        first, last = 0, info.st_size - 1
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        partial = wanted and self.headers.get("If-Range", etag) == etag
        if partial:
            first = int(wanted[1])
            last = min(int(wanted[2] or last), last)
        if partial and first > last:
            self.send_response(416)
            self.send_header("Content-Range", "bytes */%d" % info.st_size)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return None
        self.send_response(206 if partial else 200)
        if partial:
            self.send_header("Content-Range", "bytes %d-%d/%d" % (first, last, info.st_size))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", etag)
        self.send_header("Content-Length", str(last - first + 1))
        self.end_headers()
        self.range = (first, last - first + 1)
        return file

    def copyfile(self, source, outputfile):
        source.seek(self.range[0])
        left = self.range[1]
        while left > 0:
            piece = source.read(min(left, 1 << 16))
            if not piece:
                break
            outputfile.write(piece)
            left -= len(piece)

    def log_message(self, *_):
        pass


class Plain(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


PR_SET_PDEATHSIG = 1  # prctl(2)


def main():
    # Not longer than the test, however that ends.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    directory, kind = sys.argv[1:3]
    handler = functools.partial(Ranges if kind == "ranges" else Plain, directory=directory)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.handle_error = lambda *_: None  # clients hang up on what they do not want
    if len(sys.argv) > 3:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[3], sys.argv[4])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    print(server.server_address[1], flush=True)
    server.serve_forever()


main()
