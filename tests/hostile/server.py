"""A server on this machine that misbehaves, each path in its own way."""
import socketserver, threading, time, zlib
from functools import cache
from urllib.parse import urlsplit

WAYS = {}   # name of a path -> function of a connection

def way(f):
    WAYS[f.__name__.replace("_", "-")] = f
    return f

class Connection(socketserver.StreamRequestHandler):
    "One connection: the request's path and headers, and what is needed to answer oddly."
    def handle(self):
        self.verb, self.path, _ = (self.rfile.readline().decode("latin-1") + "  ").split(" ", 2)
        self.headers = dict((k.strip().lower(), v.strip()) for k, _, v in (line.decode("latin-1").partition(":") for line in iter(self.rfile.readline, b"\r\n") if line))
        self.name = urlsplit(self.path).path.strip("/").split("/")[0].split(".")[0]
        self.server.log.append((self.verb, self.path, self.headers))
        WAYS.get(self.name, nothing)(self)

    def head(self, kind="text/html", status="200 OK", **headers):
        lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", "Connection: close", *(f"{k.replace('_', '-')}: {v}" for k, v in headers.items())]
        self.wfile.write("\r\n".join(lines).encode() + b"\r\n\r\n")

    def answer(self, body, kind="text/html", status="200 OK", **headers):
        self.head(kind, status, **{"Content_Length": len(body)} | headers)
        if self.verb != "HEAD": self.wfile.write(body)

    def for_ever(self, part, pause=0.0):
        while not self.server.closed.is_set():
            self.wfile.write(part)
            if pause: self.server.closed.wait(pause)

class HostileServer(socketserver.ThreadingTCPServer):
    daemon_threads, request_queue_size, allow_reuse_address = True, 50, True

    def __init__(self, film=b""): # the bytes of a video that is right
        super().__init__(("127.0.0.1", 0), Connection)
        self.film, self.log, self.closed, self.state = film, [], threading.Event(), {}
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def url(self, path): return f"http://127.0.0.1:{self.server_address[1]}/{path}"
    def handle_error(self, *a): pass   # clients break off, as they should
    def __exit__(self, *a): self.closed.set(); self.shutdown(); self.server_close()

@cache
def bomb(kind, layers=1, size=1 << 28): # zlib's window bits
    "Zeros, a quarter of a gigabyte of them, packed."
    part, packer = bytes(1 << 20), zlib.compressobj(9, zlib.DEFLATED, kind)
    packed = b"".join([packer.compress(b"<html>"), *(packer.compress(part) for _ in range(size >> 20)), packer.flush()])
    for _ in range(layers - 1):
        packer = zlib.compressobj(9, zlib.DEFLATED, kind)
        packed = packer.compress(packed) + packer.flush()
    return packed

def nothing(c): c.answer(b"not here", "text/plain", "404 Not Found")
def hls(c, *lines, end=True): c.answer("\n".join(["#EXTM3U", "#EXT-X-TARGETDURATION:4", *lines, "#EXT-X-ENDLIST" * end]).encode(), "application/vnd.apple.mpegurl")
def rss(c, body, before=""): c.answer(f"<?xml version='1.0'?>{before}<rss version='2.0'><channel><title>L</title>{body}</channel></rss>".encode(), "application/rss+xml")
def moved(c, to): c.answer(b"", status="302 Found", Location=to)

@way
def endless_page(c): c.head(); c.for_ever(b"<p>aaaaaaa" * 10_000)
@way
def endless_chunks(c): c.head(Transfer_Encoding="chunked"); c.for_ever(b"8000\r\n" + b"<b>wor</b>" * 3276 + b"12345678\r\n")
@way
def endless_head(c): c.wfile.write(b"HTTP/1.1 200 OK\r\n"); c.for_ever(b"X-More: of the same\r\n" * 100)
@way
def endless_line(c): c.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: "); c.for_ever(b"a" * 100_000)
@way
def endless_continue(c): c.for_ever(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)
@way
def gzip_page(c): c.answer(bomb(31), Content_Encoding="gzip")
@way
def deflate_page(c): c.answer(bomb(15), Content_Encoding="deflate")
@way
def gzip_twice(c): c.answer(bomb(31, 2), Content_Encoding="gzip, gzip")
@way
def gzip_feed(c): c.answer(bomb(31), "application/rss+xml", Content_Encoding="gzip")
@way
def strange_packing(c): c.answer(b"\x81" * 100_000, Content_Encoding="br, zstd, gzip")
@way
def gzip_error(c): c.answer(bomb(31), status="404 Not Found", Content_Encoding="gzip")
@way
def many_tags(c): c.answer(b"<html>" + b"<video src=a.mp4></video>" * 100_000)
@way
def json_page(c): c.answer(b"<html><script type='application/ld+json'>[" + b"[]," * 2_000_000 + b"[]]</script>")
@way
def deep_json(c): c.answer(b"<html><script type='application/ld+json'>" + b"[" * 500_000 + b"</script>")
@way
def entities(c):
    parts = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 10))
    rss(c, "<item><title>&a9;</title><link>http://127.0.0.1:1/a.mp4</link></item>", f'<!DOCTYPE l [<!ENTITY a0 "aaaaaaaaaa">{parts}]>')
@way
def outer_entity(c): rss(c, "<item><title>&x;</title><link>http://127.0.0.1:1/&x;</link></item>", '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>')
@way
def dash_bomb(c):
    parts = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 10))
    c.answer(f'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a0 "aaaaaaaaaa">{parts}]><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><BaseURL>&a9;</BaseURL></Period></MPD>'.encode(), "application/dash+xml")
@way
def long_feed(c): rss(c, "".join(f"<item><title>v{i}</title><link>http://127.0.0.1:1/{i}.mp4</link></item>" for i in range(200_000)))
@way
def bad_feed(c): rss(c, "".join(f"<item><title>v</title><link>{link}</link></item>" for link in ("file:///etc/passwd", "javascript:alert(1)", "-rf", "ftp://127.0.0.1/a.mp4")))
@way
def drip_page(c): c.head(); c.for_ever(b"a", 0.3)
@way
def silence(c): c.server.closed.wait(100)
@way
def loop(c): moved(c, c.path)
@way
def stairs(c): moved(c, f"/stairs/{len(c.server.log)}")
@way
def refresh(c): c.answer(f'<html><head><meta http-equiv="refresh" content="0;url=/refresh/{len(c.server.log)}.html"></head></html>'.encode())
@way
def to_file(c): moved(c, "file:///etc/passwd")
@way
def to_ftp(c): moved(c, "ftp://127.0.0.1:1/film.mp4")
@way
def to_data(c): moved(c, "data:video/mp4;base64,AAAA")
@way
def to_script(c): moved(c, "javascript:alert(1)")
@way
def to_option(c): moved(c, "-oProxyCommand=x")
@way
def page_of_file(c): c.answer(b'<html><head><title>t</title></head><video src="file:///etc/passwd"></video></html>')
@way
def hls_file(c): hls(c, "#EXTINF:4,", "file:///etc/passwd")
@way
def hls_key(c): hls(c, '#EXT-X-KEY:METHOD=AES-128,URI="file:///etc/hostname"', "#EXTINF:4,", "/film.ts")
@way
def hls_sample_key(c): hls(c, '#EXT-X-KEY:METHOD=SAMPLE-AES,URI="file:///etc/hostname"', "#EXTINF:4,", "file:///etc/passwd")
@way
def hls_map(c): hls(c, '#EXT-X-MAP:URI="file:///etc/hostname"', "#EXTINF:4,", "/film.ts")
@way
def hls_live(c): hls(c, f"#EXT-X-MEDIA-SEQUENCE:{len(c.server.log)}", "#EXTINF:1,", f"/film.ts?{len(c.server.log)}", end=False)
@way
def hls_many(c): hls(c, *["#EXTINF:4,", "/film.ts"] * 100_000)
@way
def endless_key(c): hls(c, '#EXT-X-KEY:METHOD=AES-128,URI="/endless-page"', "#EXTINF:4,", "/film.ts")
@way
def endless_film(c): c.head("video/mp4"); c.for_ever(bytes(1 << 20))
@way
def drip_film(c): c.head("video/mp4", Content_Length=1_000_000); c.for_ever(b"a", 0.3)
@way
def gzip_film(c): c.answer(bomb(31), "video/mp4", Content_Encoding="gzip")
@way
def huge_length(c): c.answer(bytes(1000), "video/mp4", Content_Length=10 ** 15)
@way
def absurd_length(c): c.answer(bytes(1000), "video/mp4", Content_Length="9" * 5000)
@way
def negative_length(c): c.answer(c.server.film, "video/mp4", Content_Length=-5)
@way
def worded_length(c): c.answer(c.server.film, "video/mp4", Content_Length="abc")
@way
def cut_film(c): c.answer(c.server.film[:len(c.server.film) // 2], "video/mp4", Content_Length=len(c.server.film))
@way
def empty(c): c.answer(b"", "video/mp4")
@way
def escapes(c): c.answer(b"", status="418 \x1b[31mEVIL\x1b[0m")
@way
def film(c): c.answer(c.server.film, "video/mp4")
@way
def captions_page(c): c.answer(b'<html><head><title>t</title></head><video src="film.mp4"><track kind="subtitles" srclang="en" src="/endless-page.vtt"></video></html>')
@way
def captions_bomb(c): c.answer(b'<html><head><title>t</title></head><video src="film.mp4"><track kind="subtitles" srclang="en" src="/gzip-page.vtt"></video></html>')
@way
def picture_page(c): c.answer(b'<html><head><title>t</title><meta property="og:image" content="/endless-page.jpg"></head><video src="film.mp4" poster="/gzip-page.jpg"></video></html>')
@way
def stall(c):
    "Most of a film, and then nothing; what is asked for later comes from whatever `film` is then."
    data, wanted, state = c.server.film, c.headers.get("range", ""), c.server.state
    if state.get("honest") and c.headers.get("if-range", state.get("etag")) != state.get("etag"): wanted = ""
    span = wanted.removeprefix("bytes=").split("-")
    first, last = (int(span[0]), int(span[1] or len(data) - 1)) if wanted else (0, len(data) - 1)
    if first >= len(data): return c.answer(b"", status="416 Range Not Satisfiable", Content_Range=f"bytes */{len(data)}")
    last = min(last, len(data) - 1)
    named = {k: v for k, v in dict(ETag=state.get("etag"), Last_Modified=state.get("modified"), Content_Range=wanted and f"bytes {first}-{last}/{len(data)}").items() if v}
    c.head("video/mp4", "206 Partial Content" if wanted else "200 OK", Content_Length=last + 1 - first, **named)
    if c.verb == "HEAD": return
    if state.get("stalls"): c.wfile.write(data[:len(data) * 9 // 10]); c.wfile.flush(); return c.server.closed.wait(100)
    c.wfile.write(data[first:last + 1])
