"`Frame.timestamp` is what a browser shows, `Frame.time` is the same minus the file's start: checked against Chromium, frame by frame."
import pytest
from vfr_lib.media.download import PracticeServer
from vfr_lib.media.frames import iter_frames
from vfr_lib.media.synthetic import make_clip

show = """async ([t]) => {
  const v = document.querySelector("video");
  if (v.readyState < 2) await new Promise((ok, no) => { v.onloadeddata = ok; v.onerror = () => no(v.error.message); v.load(); });
  const frame = new Promise(ok => v.requestVideoFrameCallback((now, data) => ok(data.mediaTime)));
  const seeked = new Promise(ok => v.onseeked = ok);
  v.currentTime = t; await seeked;
  const time = await frame;
  const c = document.createElement("canvas"); c.width = c.height = 1;
  c.getContext("2d").drawImage(v, 0, 0, 1, 1);
  return { time, colour: Array.from(c.getContext("2d").getImageData(0, 0, 1, 1).data.slice(0, 3)) };
}"""


@pytest.mark.parametrize("name", ["late.mp4", "late.webm", "plain.mp4", "hole.webm"])
def test_timestamp_is_the_players_time(browser, tmp_path, name):
    late, hole = 7.3 if "late" in name else 0, 3 if "hole" in name else 0
    clip = make_clip(tmp_path / name, [("red", 2), ("blue", 2)], fps=25, retime=lambda t: t + late + (hole if t >= 2 else 0))
    (tmp_path / "page.html").write_text(f'<video src="{name}" muted preload="auto"></video>')
    frames = [f for f in iter_frames(clip, every=0.44) if f.time > 0]   # the first one is on screen already: no new frame would be presented
    assert len(frames) >= 8 and float(frames[0].timestamp) - frames[0].time == pytest.approx(late, abs=1e-6)
    with PracticeServer(tmp_path) as server:
        page = browser.new_page()
        page.goto(server.url("page.html"))
        for f in frames:
            stamp = float(f.timestamp)
            shown = page.evaluate(show, [stamp + 0.01])
            assert shown["time"] == pytest.approx(stamp, abs=0.0011), (name, f.time)   # WebM counts in milliseconds
            assert (shown["colour"][0] > shown["colour"][2]) == (f.image[0, 0, 0] > f.image[0, 0, 2])
        page.close()
