#!/usr/bin/env python3
"""Tests/HTTPTests' rows against nginx and uvicorn, with the routes of its own handler."""

import pathlib
import re
import subprocess
import sys
import tempfile

from bench_servers import Served, free_port

# The second server takes what the first has read whole, as before any application.
NGINX = """
worker_processes 1;
pid nginx.pid;
error_log stderr crit;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  client_max_body_size 1m;
  server {
    listen 127.0.0.1:PORT;
    location = /health {
      if ($request_method !~ ^(GET|HEAD)$) { return 405; }
      return 200 "ok\\n";
    }
    location = /host { return 200 "$host"; }
    location = /fields { return 200 "fields"; }
    location = /echo { proxy_pass http://127.0.0.1:BEHIND/; proxy_http_version 1.1; }
    location / { return 404; }
  }
  server { listen 127.0.0.1:BEHIND; location / { return 200 "echo"; } }
}
"""

UVICORN = """
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    body = b""
    while True:
        event = await receive()
        body += event.get("body", b"")
        if not event.get("more_body"):
            break
    path, method = scope["path"], scope["method"]
    known = {"/health": b"ok\\n", "/host": b"host", "/fields": b"fields", "/echo": body}
    allowed = ["POST"] if path == "/echo" else ["GET", "HEAD"]
    status = 404 if path not in known else 200 if method in allowed else 405
    await send({"type": "http.response.start", "status": status,
                "headers": [(b"content-length", b"%d" % len(known.get(path, b"")))]})
    await send({"type": "http.response.body", "body": known.get(path, b"")})
"""


def rows(port):
    done = subprocess.run(
        ["env", f"HTTP_PEER_PORT={port}", "swift", "test", "--disable-xctest", "--filter",
         "PeerBehaviourTests"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    print(*re.findall(r"^ROW differs.*", done.stdout, re.M), sep="\n")
    return re.search(r"^TOTAL (.*)", done.stdout, re.M)[1]


def main():
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        nginx = NGINX.replace("PORT", str(port)).replace("BEHIND", str(free_port()))
        (pathlib.Path(folder) / "nginx.conf").write_text(nginx)
        command = ["nginx", "-p", folder, "-c", "nginx.conf", "-g", "daemon off;"]
        with Served(command, port):
            print(f"nginx: {rows(port)}", flush=True)
        (pathlib.Path(folder) / "peer.py").write_text(UVICORN)
        port = free_port()
        command = [sys.executable, "-m", "uvicorn", "peer:app", "--port", port, "--http", "httptools"]
        with Served(command, port, folder=folder):
            print(f"uvicorn: {rows(port)}", flush=True)


if __name__ == "__main__":
    main()
