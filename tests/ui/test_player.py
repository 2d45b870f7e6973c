"The player in a real browser when one video follows another, and when it is seen twice."
import pytest
from pages import Notebook, notebook_of, opened
from playwright.sync_api import expect

tube = """<script>let t = 0, on = false; window.onmessage = e => { const m = JSON.parse(e.data);
  if (m.event === 'listening') setTimeout(() => { on = true; tell(); }, 1000);   // deaf for a while, as YouTube is
  if (on && m.func === 'seekTo') { t = m.args[0]; tell(); } };
  const tell = () => parent.postMessage(JSON.stringify({ event: 'infoDelivery', info: { currentTime: t, duration: 212, playerState: 2 } }), '*');</script>"""


@pytest.fixture(scope="module")
def opened_notebook(browser, lab, videos):
    (videos / "players.ipynb").write_text(notebook_of("import vfr_lib as vfr, ipywidgets as w\nfrom vfr_lib.core import Moment, Moments\nbox = w.VBox(); box"))
    with opened(browser, "players") as page:
        page.route("https://www.youtube.com/**", lambda route: route.fulfill(content_type="text/html", body=tube))
        nb = Notebook(page, lab)
        nb.open("players.ipynb")
        yield nb
        nb.close()


@pytest.fixture
def notebook(opened_notebook):
    "A notebook with an empty `box` on its page."
    yield opened_notebook
    opened_notebook.run("box.children = []; p.close()")


def shows(page, length, time=0, n=0):
    "Wait until the n-th video is this long, in seconds, and stands there."
    page.wait_for_function("""([length, time, n]) => { const v = document.querySelectorAll('.vp video')[n];
        return v && v.readyState >= 2 && !v.seeking && Math.abs(v.duration - length) < 0.3 && Math.abs(v.currentTime - time) < 0.1; }""", arg=[length, time, n], timeout=30000)


def test_in_pieces_one_video_follows_another(notebook):
    notebook.run("p = vfr.Player('walls.mp4', mode='bytes', piece=20000); box.children = [p]")
    shows(notebook.page, 6)
    late = "p.send(dict(kind='chunk', src='bytes:1', i=0, n=1, type='video/mp4'), [b'late'])"   # of the file before
    notebook.run(f"p.load('late.webm'); {late}")
    shows(notebook.page, 13.3, 7.3)
    notebook.run("p.seek(2)")
    shows(notebook.page, 13.3, 9.3)


def test_a_copy_in_pieces(notebook):
    notebook.run("p = vfr.Player('hevc.mkv', mode='bytes'); box.children = [p]")
    notebook.page.get_by_role("button", name="Make a copy that plays").click()
    shows(notebook.page, 6)


def test_file_and_youtube_by_turns(notebook):
    page, frame = notebook.page, notebook.page.locator(".vp iframe")
    notebook.run("p = vfr.Player('walls.mp4'); box.children = [p]")
    shows(page, 6)
    notebook.run("p.load('https://youtu.be/aaaaaaaaaaa'); p.seek(42)")   # before YouTube listens
    page.wait_for_function("() => document.querySelector('.vp iframe')?.src.includes('/embed/aaaaaaaaaaa?')")
    assert page.locator(".vp-stage > *").count() == 1
    notebook.until("print(p.time)", "42.0")
    notebook.run("p.load('https://youtu.be/bbbbbbbbbbb'); p.seek(43)")
    page.wait_for_function("() => document.querySelector('.vp iframe').src.includes('/embed/bbbbbbbbbbb?')")
    notebook.until("print(p.time)", "43.0")
    notebook.run("p.load('late.webm'); p.seek(2)")
    shows(page, 13.3, 9.3)
    assert not frame.count() and page.locator(".vp-stage > *").count() == 1


def test_a_second_view_neither_plays_nor_resets_the_time(notebook):
    notebook.run("p = vfr.Player('hours.mp4'); box.children = [p]; p.seek(100, play=True)")
    notebook.page.wait_for_function("() => document.querySelector('.vp video').currentTime > 100.5")
    notebook.page.evaluate("() => document.querySelector('.vp video').pause()")
    notebook.until("print(p.playing)", "False")
    notebook.run("heard = []; p.observe(lambda c: heard.append(c.new), 'time'); box.children = [p, w.VBox([p])]")
    shows(notebook.page, 600, 100, n=1)
    notebook.page.wait_for_timeout(500)
    assert notebook.page.evaluate("() => [...document.querySelectorAll('.vp video')].every(v => v.paused)")
    assert notebook.run("print(all(t >= 100 for t in heard))") == "True"


def test_an_order_for_a_video_that_never_came_is_forgotten(notebook):
    notebook.run("p = vfr.Player('hevc.mkv'); box.children = [p]; p.seek(5)")
    expect(notebook.page.locator(".vp-note")).to_contain_text("cannot play")
    notebook.run("p.load('walls.mp4')")
    shows(notebook.page, 6, 0)
    notebook.page.wait_for_timeout(500)
    shows(notebook.page, 6, 0)


def test_cards_say_how_sure_they_are(notebook):
    notebook.run("p = vfr.Player('walls.mp4', Moments([Moment('walls.mp4', 2, 4, 2, 0.31, 0.0001), Moment('walls.mp4', 4, 6, 4, 0.2, 0.4, text='<img src=x>blue')])); box.children = [p]")
    sure, guess = notebook.page.locator(".vp-card").nth(0), notebook.page.locator(".vp-card").nth(1)
    expect(sure).to_contain_text("0.31 · p < 0.001")
    expect(guess).to_contain_text("p 0.4"); expect(guess).to_contain_text("guess"); expect(guess).to_contain_text("“<img src=x>blue”")
    assert "guess" not in sure.inner_text() and not notebook.page.locator("img[src=x]").count()
    assert notebook.page.evaluate("() => [...document.querySelectorAll('.vp-span')].map(e => getComputedStyle(e).opacity < 1)") == [False, True]
    expect(notebook.page.get_by_role("button", name="p 0.4, a guess").first).to_be_visible()


def test_a_moment_of_another_film_brings_that_film(notebook, site):
    page, link = notebook.page, site.url("hours.mp4")
    moments = ", ".join(f"Moment({video!r}, {start}, {start + 1}, {start}, 0.3)" for video, start in (("walls.mp4", 2), ("late.webm", 4), ("gone.mp4", 1), (link, 100)))
    notebook.run(f"p = vfr.Player(moments=Moments([{moments}])); box.children = [p]")
    shows(page, 6)
    page.locator(".vp-open").nth(1).click()
    shows(page, 13.3, 11.3)
    expect(page.locator(".vp-title")).to_have_text("late.webm")
    expect(page.locator(".vp-span")).to_have_count(1)   # only its own moments have a place on its timeline
    assert page.evaluate("() => document.activeElement.matches('.vp-card.on .vp-open')")   # the keys go on working
    page.locator(".vp-open").nth(2).click()
    expect(page.locator(".vp-note")).to_contain_text("gone.mp4 does not exist")
    page.locator(".vp-open").nth(3).click()
    shows(page, 600, 100)
    expect(page.locator(".vp-note")).to_be_hidden()
    page.locator(".vp-open").nth(0).click()
    shows(page, 6, 2)
    notebook.until("print(p.title, p.selected)", "walls.mp4 0")
