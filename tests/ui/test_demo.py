"The demo as people use it, in JupyterLab and as a page of its own: typed, clicked, and looked at in a real browser."
import time

import pytest
from helpers import within
from pages import Notebook, notebook_of, opened
from playwright.sync_api import expect

colour = """() => { const v = document.querySelector('.vp video'), c = document.createElement('canvas'); c.width = c.height = 1;
  c.getContext('2d').drawImage(v, 0, 0, 1, 1); return [...c.getContext('2d').getImageData(0, 0, 1, 1).data].slice(0, 3); }"""


class Panel:
    "One demo on a page, addressed as a person would: by its labels."
    def __init__(self, page, n=0): self.page, self.box = page, page.locator(".vfr-demo").nth(n)
    def ask(self, query, video=None):
        if video is not None: self.box.get_by_label("Video", exact=True).fill(str(video))
        self.box.get_by_label("Look for").fill(query)
        self.box.evaluate("box => box.querySelectorAll('p[role]').forEach(e => e.remove())")   # what the last search said
        self.box.get_by_role("button", name="Go", exact=True).click()
    def answered(self, seconds=60):
        expect(self.box.locator("[role=status]", has_text="moment").first).to_be_visible(timeout=1000 * seconds)
        expect(self.box.get_by_role("button", name="Go", exact=True)).to_be_enabled()
    def alert(self, text, seconds=30): expect(self.box.get_by_role("alert")).to_contain_text(text, timeout=1000 * seconds)
    def card(self, n): return self.box.locator(".vp-cards button.vp-open").nth(n - 1)
    def at(self, time, tolerance=0.1):
        self.page.wait_for_function("([v, t, d]) => v.readyState >= 2 && !v.seeking && Math.abs(v.currentTime - t) < d",
                                    arg=[self.box.locator("video").element_handle(), time, tolerance], timeout=30000)
    def shows(self, name):
        r, g, b = self.page.evaluate(colour)
        assert {"red": r > 180 > 60 > g + b - 60, "blue": b > 180 and r < 60, "lime": g > 180 and r < 60}[name], (name, r, g, b)


@pytest.fixture(scope="module")
def notebook(browser, lab):
    "`vfr demo`'s notebook, opened and run; the tests of this file go on in it, one after the other."
    with opened(browser, "lab", permissions=["clipboard-read", "clipboard-write"]) as page:
        nb = Notebook(page, lab)
        nb.open("vfr-demo.ipynb")
        yield nb
        nb.close()


@pytest.fixture(scope="module")
def panel(notebook): return Panel(notebook.page)


def test_search_shows_the_moment(panel, notebook):
    expect(panel.box).to_contain_text("Paste a link or the path of a file")
    panel.ask("a red wall", "walls.mp4")
    panel.answered()
    panel.box.get_by_role("button", name="moment 2:").first.click()
    assert panel.page.evaluate("() => document.querySelector('.vp video').currentTime") >= 2   # not the red one
    panel.ask("a blue wall")
    panel.answered()
    panel.at(2); panel.shows("blue")
    expect(panel.card(1)).to_contain_text("1. 0:02.0")
    expect(panel.box.locator(".vp-saying")).to_have_text("Now it is blue.")   # from walls.vtt beside it, as text
    for name in ("Download speed", "Extraction speed", "Frames per second", "CPU", "Memory", "Frames processed"): expect(panel.box.locator("details")).to_contain_text(name)


def test_keys_jump_play_and_loop(panel):
    page = panel.page
    page.locator(".vp").focus()
    page.keyboard.press("Shift+ArrowLeft"); panel.at(0); panel.shows("red")
    page.keyboard.press("ArrowRight"); panel.at(2); panel.shows("blue")
    page.keyboard.press("Space"); page.wait_for_function("() => !document.querySelector('.vp video').paused")
    page.keyboard.press("Space"); page.wait_for_function("() => document.querySelector('.vp video').paused")
    panel.card(1).click(); page.locator(".vp").focus()
    page.keyboard.press("l")
    page.evaluate("() => { const v = document.querySelector('.vp video'); v.muted = true; window.times_ = []; v.ontimeupdate_ = v.addEventListener('timeupdate', () => times_.push(v.currentTime)); v.playbackRate = 1; }")
    page.wait_for_function("() => times_.some((t, i) => i && t < times_[i - 1] - 1)", timeout=20000)   # it went round
    assert page.evaluate("() => Math.max(...times_) < 4.3 && Math.min(...times_) > 1.9")
    page.keyboard.press("l"); page.evaluate("() => document.querySelector('.vp video').pause()")
    line = panel.box.locator(".vp-line").bounding_box()
    page.mouse.click(line["x"] + line["width"] * 5 / 6, line["y"] + line["height"] - 5)
    page.wait_for_function("() => document.querySelector('.vp video').currentTime > 3.9")


def test_python_seeks_and_hears_the_time(panel, notebook):
    notebook.run("d = [w for w in __import__('gc').get_objects() if type(w).__name__ == 'Demo'][0]; p = d.player; heard = []; p.observe(lambda c: heard.append(c.new), 'time')")
    notebook.run("p.seek(4.5)")
    panel.at(4.5); panel.shows("lime")
    notebook.until("print(abs(p.time - 4.5) < 0.1)", "True")
    assert notebook.run("print(p.target['n'], d.player.target['time'])").endswith("4.5")   # the browser's time is no order: no echo
    time.sleep(0.5)
    panel.at(4.5)


def test_second_question_and_history(panel, notebook):
    def question():
        panel.ask("a red wall")
        expect(panel.card(1)).to_contain_text("1. 0:00.0")
        began = time.monotonic()
        panel.ask("a green wall")
        expect(panel.card(1)).to_contain_text("1. 0:04.0")
        return time.monotonic() - began
    within(5, question)
    notebook.until("print(d.job.over and (d.report.extracted, d.job.progress['held']))", "(0, True)")
    panel.box.locator(".vd-history button", has_text="a blue wall").click()
    expect(panel.card(1)).to_contain_text("1. 0:02.0")
    panel.at(2)


def test_mistakes_are_said_in_plain_words(panel, site):
    panel.ask("a wall", ""); panel.alert("There is no video yet")
    panel.ask("", "walls.mp4"); panel.alert("Type what should be seen")
    panel.ask("a wall", "gone.mp4"); panel.alert("gone.mp4 does not exist")
    panel.ask("a wall", "walls.vtt"); panel.alert("video")
    panel.ask("a wall", site.url("404")); panel.alert("the server answered 404")
    panel.ask("a wall", "http://127.0.0.1:9/a.mp4"); panel.alert("cannot be reached")
    panel.ask("a wall", "<img src=x onerror=alert(1)>"); panel.alert("<img src=x onerror=alert(1)> does not exist")
    assert not panel.box.locator("img[src=x]").count() and "Traceback" not in panel.page.content()


@pytest.mark.parametrize("name", ["walls.mp4", "page.html", "list.m3u8"])
def test_links_are_downloaded_by_yt_dlp(panel, site, name):
    panel.ask("a blue wall", site.url(name))
    panel.answered()
    panel.at(2); panel.shows("blue")
    if name == "page.html":
        expect(panel.box.locator("h3")).to_contain_text("Three walls")
        expect(panel.box.locator(".vp-saying")).to_have_text("Now it is blue.")


def test_a_download_that_broke_off_is_resumed(panel, site, videos, notebook):
    size = (videos / "hours.mp4").stat().st_size
    site.cut = size // 2
    panel.ask("a red wall", site.url("hours.mp4")); panel.alert("run it again, it will resume", 60)
    site.cut = None
    panel.ask("a red wall")
    panel.answered()
    assert 0 < int(notebook.run("print(d.report.received)")) < 0.7 * size
    assert notebook.run("print(all(m.time % 120 < 20 for m in d.moments))") == "True"   # every sixth scene is red


def test_a_server_that_stalls_is_cancelled(panel, site, videos):
    site.slow = 20
    def cancelled():
        panel.ask("a blue wall", site.url("stalls.mp4"))
        expect(panel.box.locator(".vd-stages")).to_contain_text(f" kB of {(videos / 'stalls.mp4').stat().st_size / 1000:.1f} kB", timeout=30000)
        began = time.monotonic()
        panel.box.get_by_role("button", name="Cancel").click()
        expect(panel.box.get_by_role("note")).to_contain_text("Cancelled", timeout=20000)
        expect(panel.box.get_by_role("button", name="Go", exact=True)).to_be_enabled()
        return time.monotonic() - began
    within(2.5, cancelled)   # the browser and the test driver take their time, too
    site.slow = 0


def test_cancel_while_embedding(panel, notebook):
    notebook.run("d.every.value = 0.1")
    def awake():
        began = time.monotonic()
        assert notebook.run("print('awake')") == "awake"
        return time.monotonic() - began
    def cancelled():
        panel.ask("a black wall", "hours.mp4")
        expect(panel.box.locator(".vd-stages")).to_contain_text(" of 10:0", timeout=30000)
        within(1, awake)   # the kernel has time for others
        began = time.monotonic()
        panel.box.get_by_role("button", name="Cancel").click()
        expect(panel.box.get_by_role("note")).to_contain_text("Cancelled", timeout=20000)
        return time.monotonic() - began
    within(2.5, cancelled)
    notebook.run("d.every.value = 1")


def test_late_start_is_played_at_its_own_time(panel):
    panel.ask("a blue wall", "late.webm")
    panel.answered()
    expect(panel.card(1)).to_contain_text("1. 0:02.0")
    panel.at(9.3); panel.shows("blue")


def test_a_file_that_does_not_play_gets_a_copy(panel, notebook):
    panel.ask("a blue wall", "hevc.mkv")
    panel.answered()
    note = panel.box.locator(".vp-note")
    expect(note).to_contain_text("This browser cannot play this file (hevc, 320x180)")
    note.get_by_role("button", name="Make a copy that plays").click()
    expect(note).to_be_hidden(timeout=30000)
    panel.card(1).click()
    panel.at(2); panel.shows("blue")


def test_two_demos_in_one_notebook(browser, lab, videos):
    (videos / "two.ipynb").write_text(notebook_of("import vfr_lib as vfr\na = vfr.demo('walls.mp4', 'a blue wall'); a", "b = vfr.demo('late.webm', 'a red wall'); b"))
    with opened(browser, "two", viewport=dict(width=1000, height=2400)) as page:
        nb = Notebook(page, lab)
        nb.open("two.ipynb")
        one, two = Panel(page, 0), Panel(page, 1)
        for p in (one, two): p.box.get_by_role("button", name="Go", exact=True).click()
        for p in (one, two): p.answered()
        one.at(2); two.at(7.3)
        two.card(2).click()
        nb.until("print(a.player.selected, b.player.selected)", "0 1")
        one.at(2)
        nb.close()


def test_player_without_a_reachable_server(browser, lab, videos):
    "A kernel on another machine: the browser does not reach its 127.0.0.1, the file comes in pieces through the notebook."
    (videos / "far.ipynb").write_text(notebook_of("import vfr_lib as vfr\np = vfr.Player('walls.mp4', piece=1000); p", "q = vfr.Player('walls.mp4', most=1000); q"))
    with opened(browser, "far") as page:
        page.route(lambda url: "/video.mp4" in url, lambda route: route.abort())
        nb = Notebook(page, lab)
        nb.open("far.ipynb")
        page.wait_for_function("() => document.querySelector('.vp video')?.readyState >= 1")
        assert page.evaluate("() => document.querySelector('.vp video').src.startsWith('blob:')")
        nb.run("p.seek(2.5)")
        page.wait_for_function("() => { const v = document.querySelector('.vp video'); return v.readyState >= 2 && !v.seeking && Math.abs(v.currentTime - 2.5) < 0.1; }")
        r, g, b = page.evaluate(colour)
        assert b > 180 and r < 60
        expect(page.locator(".vp-note").nth(1)).to_contain_text("this browser cannot reach")
        nb.close()


def test_youtubes_own_player_is_driven_by_messages(browser, lab, videos):
    "YouTube is not reached from here: a page that speaks its protocol stands in, so this shows our half only."
    (videos / "tube.ipynb").write_text(notebook_of("import vfr_lib as vfr\nfrom vfr_lib.core import Moment\n"
                                                   "p = vfr.Player('https://youtu.be/dQw4w9WgXcQ', [Moment('https://youtu.be/dQw4w9WgXcQ', 40, 50, 42, 0.3)]); p"))
    standin = """<script>let t = 0; window.onmessage = e => { const m = JSON.parse(e.data); if (m.func === 'seekTo') t = m.args[0];
        parent.postMessage(JSON.stringify({ event: 'infoDelivery', info: { currentTime: t, duration: 212, playerState: 2 } }), '*'); };</script>"""
    with opened(browser, "tube", permissions=["clipboard-read", "clipboard-write"]) as page:
        asked = []
        def answer(route):
            asked.append((route.request.url, route.request.headers.get("referer")))
            route.fulfill(content_type="text/html", body=standin)
        page.route("https://www.youtube.com/**", answer)
        nb = Notebook(page, lab)
        nb.open("tube.ipynb")
        page.locator(".vp-cards button.vp-open").click()
        page.wait_for_function("() => document.querySelector('.vp-where').textContent.startsWith('0:42 / 3:32')")   # YouTube has said how long it is
        span = page.locator(".vp-span").bounding_box()
        assert 30 < span["width"] < 60   # 10 s of 212, although only YouTube knows how long the video is
        assert "/embed/dQw4w9WgXcQ?" in asked[0][0] and asked[0][1]   # YouTube refuses pages that do not say where they come from
        nb.until("print(p.time)", "42.0")
        page.locator(".vp-copy").click()
        expect(page.locator(".vp-copy")).to_have_text("copied")
        assert page.evaluate("() => navigator.clipboard.readText()") == "https://youtu.be/dQw4w9WgXcQ?t=42"
        nb.close()


def test_the_app_alone_and_only_with_its_token(browser, app):
    with opened(browser, "app") as page:
        page.goto(app, timeout=60000)
        panel = Panel(page)
        expect(panel.box).to_be_visible(timeout=60000)
        panel.box.get_by_role("button", name="Use the sample").click()
        panel.box.get_by_label("Look for").fill("a cat")
        panel.box.get_by_label("Look for").press("Enter")
        panel.answered()
        expect(panel.card(1)).to_contain_text("1. 0:1")
        page.wait_for_function("() => { const t = document.querySelector('.vp video').currentTime; return t >= 10 && t < 15; }")
        panel.ask("a cat", "gone.mp4"); panel.alert("gone.mp4 does not exist")
    with opened(browser, "app-stranger") as page:
        answer = page.goto(app.partition("?")[0])
        assert page.locator(".vfr-demo").count() == 0 and ("login" in page.url or answer.status == 403)


@pytest.mark.parametrize("width, scheme", [(360, "light"), (360, "dark"), (1920, "dark")])
def test_narrow_wide_and_dark(browser, app, width, scheme):
    with opened(browser, f"app-{width}-{scheme}", viewport=dict(width=width, height=900), color_scheme=scheme) as page:
        page.goto(app + "&theme=" + scheme, timeout=60000)
        panel = Panel(page)
        expect(panel.box).to_be_visible(timeout=60000)
        panel.ask("a cat", "sample")
        panel.answered()
        panel.box.evaluate("box => box.style.overflow = 'visible'")   # hidden, it would only hide what is cut off
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
        assert not page.evaluate("width => [...document.querySelectorAll('.vfr-demo *')].filter(e => e.getBoundingClientRect().right > width + 0.5).map(e => `${e.tagName} ${e.className}`)", width)
        for name in ("Video", "Look for", "Results", "Every (s)", "Encoder"):
            box = panel.box.get_by_label(name, exact=True).bounding_box()
            assert 0 <= box["x"] and box["x"] + box["width"] <= width, name
        order = []
        panel.box.get_by_label("Video", exact=True).focus()
        for _ in range(7):
            order.append(page.evaluate("() => document.activeElement.placeholder || document.activeElement.textContent.trim() || document.activeElement.type"))
            page.keyboard.press("Tab")
        assert order == ["YouTube link, or the path of a file", "Use the sample", "what should be seen, e.g. a dog catches a frisbee", "Go", "number", "number", "embedded, a folder, or a hub id"]
