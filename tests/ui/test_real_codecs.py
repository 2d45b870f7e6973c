"Real videos of many codecs in a real browser: each plays at the right time, or says that it cannot and gets a copy that does."
import json, os, shutil

from pages import Notebook, notebook_of, opened

names = ["big_buck_bunny_0_30.webm", "bikes.mp4", "bunny_60fps.ts", "av1_video.mkv", "h264_10bits.mp4", "h265_video.mp4", "flipping_a_pancake.mkv", "video_90.mov", "nasa_13013.mp4", "no_duration.webm"]
state = "() => { const v = document.querySelector('.vp video'); return { time: v.currentTime, width: v.videoWidth, hidden: v.hidden }; }"


def test_each_plays_or_gets_a_copy(browser, lab, videos, data):
    for name in names: shutil.copy(data / "videos" / name, videos)
    (videos / "real.ipynb").write_text(notebook_of("import vfr_lib as vfr\nd = vfr.demo(); d"))
    seen = {}
    with opened(browser, "real") as page:
        nb = Notebook(page, lab)
        nb.open("real.ipynb")
        for name in names:
            nb.run(f"d.search('a person', {name!r}); d.wait(120)")
            assert nb.run("print(d.job.progress['name'])") == name, nb.run("print(d.message.value)")
            found = int(nb.run("print(len(d.moments or []))"))
            assert found or name == "no_duration.webm", name   # which shows one colour from start to end
            page.wait_for_function("name => document.querySelector('.vfr-demo h3')?.textContent === name", arg=name)
            page.wait_for_function("() => { const v = document.querySelector('.vp video'); return v.hidden || (v.readyState >= 2 && !v.seeking && v.videoWidth); }", timeout=20000)
            seen[name] = "plays"
            if page.evaluate(state)["hidden"]:
                seen[name] = page.locator(".vp-note span").inner_text()
                page.get_by_role("button", name="Make a copy that plays").click()
                page.wait_for_function("() => { const v = document.querySelector('.vp video'); return !v.hidden && v.readyState >= 2; }", timeout=60000)
                if found: page.locator(".vp-cards button.vp-open").first.click()
            if not found: continue
            best, offset = json.loads(nb.run("import json; print(json.dumps([d.moments[0].time, d.player.offset]))"))
            page.wait_for_function("t => { const v = document.querySelector('.vp video'); return !v.seeking && Math.abs(v.currentTime - t) < 0.05; }", arg=best + offset)
            if shots := os.environ.get("UI_SHOTS"): page.screenshot(path=f"{shots}/real-{name}.png")
        nb.close()
    print(json.dumps(seen, indent=1))
    assert sum(v == "plays" for v in seen.values()) >= 6
