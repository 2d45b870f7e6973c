"The server that hands videos to the browser, asked as no browser would ask."
import os, socket, threading, time
from urllib.parse import urlsplit

import pytest
from vfr_lib.ui.player import MediaServer

data = bytes(range(256)) * 40


@pytest.fixture(scope="module")
def server():
    s = MediaServer()
    yield s
    s.close()


@pytest.fixture
def film(tmp_path):
    (tmp_path / "a.mp4").write_bytes(data)
    return tmp_path / "a.mp4"


class Client:
    "Says to a server exactly what it is told to say."
    def __init__(self, url): self.port, self.path = urlsplit(url).port, urlsplit(url).path
    def connect(self): return socket.create_connection(("127.0.0.1", self.port), timeout=20)
    def raw(self, text):
        with self.connect() as c:
            c.sendall(text.encode("latin1"))
            return drained(c)
    def ask(self, *lines, method="GET", path=None, host="127.0.0.1", version="HTTP/1.1"):
        host = [] if host is None else [f"Host: {host}:{self.port}"]
        head, _, body = self.raw("\r\n".join([f"{method} {path or self.path} {version}", *host, *lines, "Connection: close", "", ""])).partition(b"\r\n\r\n")
        if not head: return None, {}, b""   # hung up on
        status, *fields = head.decode("latin1").split("\r\n")
        return int(status.split()[1]), {k.lower(): v for k, v in (f.split(": ", 1) for f in fields)}, body


def drained(c):
    "All that still comes, up to the end of the connection."
    out = b""
    try:
        while part := c.recv(1 << 20): out += part
    except ConnectionError: pass   # it left something unread
    return out


@pytest.fixture
def client(server, film): return Client(server.register(film))


size, many = len(data), "9" * 5000
whole, nothing = slice(0, size), slice(0, 0)


@pytest.mark.parametrize("wanted, code, part", [
    ("bytes=0-", 206, whole), ("bytes=5-5", 206, slice(5, 6)), ("bytes=-3", 206, slice(size - 3, size)), ("bytes=-999999", 206, whole), ("Bytes= 0-1", 206, slice(0, 2)),
    (f"bytes=0-{many}", 206, whole), (f"bytes=-{many}", 206, whole), (f"bytes={'0' * 5000}7-7", 206, slice(7, 8)),
    (f"bytes={size}-", 416, nothing), (f"bytes={many}-", 416, nothing), ("bytes=-0", 416, nothing), ("bytes=-000", 416, nothing),
    *((f"bytes={wrong}", 200, whole) for wrong in ("5-2", "0-1,5-6", "", "-", "--1", "0x1-", "\xb2-", "1e3-", "+1-5")), ("lines=0-1", 200, whole), ("bytes", 200, whole)])
def test_ranges(client, wanted, code, part):
    status, fields, body = client.ask(f"Range: {wanted}")
    assert (status, body, int(fields["content-length"])) == (code, data[part], part.stop - part.start)
    assert fields.get("content-range") == {206: f"bytes {part.start}-{part.stop - 1}/{size}", 416: f"bytes */{size}"}.get(code)


def test_ranges_that_do_not_count(client, server, film):
    assert client.ask("Range: bytes=0-1", "Range: bytes=4-5")[2] == data
    assert client.ask("Range: bytes=0-1", 'If-Range: "of yesterday"')[2] == data
    tag = client.ask()[1]["etag"]
    assert client.ask("Range: bytes=0-1", f"If-Range: {tag}")[2] == data[:2]
    status, fields, body = client.ask("Range: bytes=0-1", method="HEAD")
    assert (status, fields["content-length"], body) == (200, str(len(data)), b"")
    (film.parent / "empty.mp4").touch()
    empty = Client(server.register(film.parent / "empty.mp4"))
    assert [empty.ask(f"Range: bytes={r}")[0] for r in ("-5", "0-", "-0")] == [200, 416, 416] and empty.ask()[1]["content-length"] == "0"


def test_who_may_ask_for_what(client):
    refused = dict.fromkeys(("evil.example", "127.0.0.2", "0.0.0.0", "[::1]"), 404)
    assert {host: client.ask(host=host)[0] for host in refused} == refused
    assert client.ask(host=None)[0] == client.ask(f"Host: evil.example:{client.port}")[0] == 400 and client.ask(host="LocalHost")[0] == 200
    for path in ("/", "*", "/../../etc/passwd", client.path + "/../../../etc/passwd", "/%2e%2e/etc/passwd", "/\0", "/\xff", f"http://evil.example{client.path}"): assert client.ask(path=path)[0] == 404, path
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE"): status, fields, body = client.ask(method=method); assert (status, fields["allow"], body) == (405, "GET, HEAD", b"")
    open_to = {origin: client.ask(f"Origin: {origin}")[1].get("access-control-allow-origin") for origin in ("http://evil.example", "null", "http://localhost.evil.example", "http://localhost:8888")}
    assert [o for o, may in open_to.items() if may] == ["http://localhost:8888"]


def test_heads_are_bounded(client):
    for long in ([f"X{i}: {'a' * 1000}" for i in range(50)], ["X: " + "a" * 70000], [f"X{i}: a" for i in range(150)]): assert client.ask(*long)[0] in (431, None)
    assert client.ask(path="/" + "a" * 70000)[0] in (414, 431, None) and client.ask()[0] == 200
    inner = f"GET {client.path} HTTP/1.1\r\nHost: 127.0.0.1:{client.port}\r\n\r\n"
    said = client.raw(f"GET {client.path} HTTP/1.1\r\nHost: 127.0.0.1:{client.port}\r\nContent-Length: {len(inner)}\r\n\r\n{inner}")
    assert said.startswith(b"HTTP/1.1 400") and said.count(b"HTTP/1.1 ") == 1   # what is inside of a request is none


@pytest.mark.parametrize("change", ["shrinks", "is rewritten", "grows", "is gone"])
def test_a_film_that_changes_while_it_is_sent(server, film, change):
    film.write_bytes(data * 2000)   # 20 MB: more than the system takes at once
    client = Client(server.register(film))
    with client.connect() as c:
        c.sendall(f"GET {client.path} HTTP/1.1\r\nHost: 127.0.0.1:{client.port}\r\n\r\n".encode())   # not the last request of the connection
        came = c.recv(1000)
        if change == "shrinks": os.truncate(film, 1 << 20)
        if change == "is rewritten": film.write_bytes(b"x" * len(data) * 2000)
        if change == "grows":
            with open(film, "ab") as f: f.write(data)
        if change == "is gone": film.unlink()
        if change in ("shrinks", "is rewritten"): came += drained(c)   # the end comes at once, not after a minute
        else:
            head = came.index(b"\r\n\r\n") + 4
            while len(came) < head + len(data) * 2000: came += c.recv(1 << 20)
    whole = came.partition(b"\r\n\r\n")[2]
    assert (whole == data * 2000) if change in ("grows", "is gone") else (len(whole) < len(data) * 2000 and b"xxxx" not in whole)
    if change == "is gone": assert client.ask()[0] == 404


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no such files on this system")
def test_what_lies_there_instead(client, film):
    for put in (lambda: film.symlink_to("/etc/hostname"), film.mkdir, lambda: os.mkfifo(film)):
        film.unlink() if film.is_file() or film.is_symlink() else film.rmdir()
        put()
        assert client.ask()[0] == 404


def test_connections_are_bounded_and_end(server, client, monkeypatch):
    monkeypatch.setattr(type(server._server), "most", 8)
    monkeypatch.setattr(type(server._server), "patience", 0.5)
    before, sleepers = threading.active_count(), []
    for _ in range(40):
        c = client.connect(); c.sendall(b"GET / HTTP/1.1\r\nX: "); sleepers.append(c)
    time.sleep(0.2)
    assert threading.active_count() <= before + 8
    until = time.monotonic() + 20   # whoever says no more goes: others are served
    while threading.active_count() > before and time.monotonic() < until: time.sleep(0.05)
    assert client.ask()[0] == 200 and threading.active_count() <= before + 1
    for c in sleepers: c.close()


def test_the_end_of_the_server_is_the_end_of_its_threads(film):
    before = threading.active_count()
    server = MediaServer()
    film.write_bytes(data * 2000)
    client = Client(server.register(film))
    reader, idle = client.connect(), client.connect()
    reader.sendall(f"GET {client.path} HTTP/1.1\r\nHost: 127.0.0.1:{client.port}\r\n\r\n".encode())
    reader.recv(10)   # and no more
    server.close()
    end = time.monotonic() + 20
    while threading.active_count() > before and time.monotonic() < end: time.sleep(0.02)
    assert threading.active_count() <= before
    for c in (reader, idle): c.close()
    with pytest.raises(OSError): client.connect()
