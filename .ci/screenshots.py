"Take the README's screenshots of the demo: `vfr demo --app` in headless Chromium, with the embedded sample."
import os, re, shutil, signal, socket, subprocess, sys, tempfile, time
from pathlib import Path

from playwright.sync_api import sync_playwright

root = Path(__file__).parent.parent
images = root / "nbs/images"
chromium = os.environ.get("UI_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")


def search(page, query):
    box = page.locator(".vfr-demo")
    box.wait_for(timeout=60000)
    box.get_by_label("Video", exact=True).fill("sample")
    box.get_by_label("Look for").fill(query)
    box.get_by_role("button", name="Go", exact=True).click()
    page.locator(".vfr-demo p[role=status]", has_text=" moment").wait_for(timeout=60000)
    page.wait_for_function("() => { const v = document.querySelector('.vp video'); return v.readyState >= 2 && !v.seeking && v.currentTime > 1; }")
    page.wait_for_timeout(1500)   # the browser's own wheel has gone
    return box


with tempfile.TemporaryDirectory() as home, sync_playwright() as p:
    with socket.socket() as s: s.bind(("127.0.0.1", 0)); port = s.getsockname()[1]
    log = Path(home) / "log"
    with open(log, "wb") as out:
        server = subprocess.Popen([Path(sys.executable).parent / "vfr", "demo", "--app", "--", "--no-browser", f"--port={port}"], cwd=home, stdout=out, stderr=out,
                                  start_new_session=True, env={**os.environ, "VFR_CACHE": f"{home}/cache"})
    try:
        while not (url := re.search(r"http://\S+\?token=\w+", log.read_text())): time.sleep(0.2)
        time.sleep(1)
        browser = p.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"])
        for name, theme, query in (("demo", "light", "a cat"), ("result", "dark", "a motorcycle")):
            page = browser.new_page(viewport=dict(width=1000, height=1500), color_scheme=theme)
            page.goto(f"{url[0]}&theme={theme}", timeout=60000)
            box = search(page, query)
            (box if name == "demo" else page.locator(".vp")).screenshot(path=images / f"{name}.jpg", type="jpeg", quality=80)
            page.close()
        browser.close()
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(15)
