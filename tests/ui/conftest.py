"A real browser against real servers: JupyterLab as `vfr demo` starts it, and the demo alone as `vfr demo --app` serves it."
import contextlib, json, os, re, shutil, signal, socket, subprocess, sys, time, urllib.request
from pathlib import Path

import pytest
from vfr_lib.media.download import PracticeServer
from vfr_lib.media.synthetic import brick_wall, make_clip

chromium = os.environ.get("UI_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--mute-audio"]


@pytest.fixture(scope="session")
def browser():
    if not chromium: pytest.skip("no Chromium here: install it, or name it in UI_CHROMIUM")
    from playwright.sync_api import sync_playwright
    with sync_playwright() as p:
        b = p.chromium.launch(executable_path=chromium, headless=True, args=flags)
        yield b
        b.close()


@pytest.fixture(scope="session")
def videos(tmp_path_factory):
    "A folder where a user works: clips of three walls, red, blue and green, two seconds each, in several guises."
    home, walls = tmp_path_factory.mktemp("videos"), [(brick_wall(c), 2) for c in ("red", "blue", "lime")]
    make_clip(home / "walls.mp4", walls, camera=False, options={"g": "1", "qp": "12"})   # keyframes alone: all frames of a wall are the same
    make_clip(home / "late.webm", walls, fps=25, retime=lambda t: t + 7.3, camera=False, options={"g": "1", "crf": "12", "b": "0", "deadline": "realtime"})
    make_clip(home / "hevc.mkv", walls, codec="libx265", options={"x265-params": "log-level=none:keyint=1:qp=12"}, camera=False)
    make_clip(home / "hours.mp4", [(brick_wall(c), 20) for c in ("red", "lime", "black", "white", "yellow", "blue") * 5], fps=5, camera=False)
    shutil.copy(home / "hours.mp4", home / "stalls.mp4")
    (home / "walls.vtt").write_text("WEBVTT\n\n00:02.000 --> 00:04.000\nNow it is <b>blue</b>.\n")
    return home


@pytest.fixture(scope="session")
def site(videos):
    "The same folder behind HTTP, with a page and a playlist."
    (videos / "page.html").write_text('<!doctype html><title>Three walls</title><video src="walls.mp4"><track kind="subtitles" srclang="en" src="walls.vtt"></video>')
    from vfr_lib.media.download import ffmpeg
    subprocess.run([ffmpeg(), "-v", "error", "-y", "-i", videos / "walls.mp4", "-c", "copy", "-f", "hls", "-hls_time", "2", "-hls_list_size", "0", videos / "list.m3u8"], check=True)
    with PracticeServer(videos) as server: yield server


def _environment(home, cache):
    jupyter = dict(JUPYTER_CONFIG_DIR="config", JUPYTER_DATA_DIR="data", JUPYTER_RUNTIME_DIR="runtime", IPYTHONDIR="ipython", JUPYTERLAB_SETTINGS_DIR="settings", JUPYTERLAB_WORKSPACES_DIR="workspaces")
    return {**os.environ, **{k: str(home / v) for k, v in jupyter.items()}, "VFR_CACHE": str(cache), "PYDEVD_DISABLE_FILE_VALIDATION": "1", "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


@contextlib.contextmanager
def _serving(command, cwd, env, log):
    "Run a server; it is interrupted at the end, as a user would."
    with open(log, "wb") as out:
        p = subprocess.Popen(command, cwd=cwd, env=env, stdout=out, stderr=out, stdin=subprocess.DEVNULL, start_new_session=True)
        try: yield p
        finally:
            with contextlib.suppress(ProcessLookupError): os.killpg(p.pid, signal.SIGTERM)
            try: p.wait(15)
            except subprocess.TimeoutExpired: os.killpg(p.pid, signal.SIGKILL); p.wait()


def _until(what, p, log, seconds=90):
    "The first true value of `what()`; fails with the server's log."
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert p.poll() is None, f"the server ended with {p.returncode}:\n{log.read_text()[-2000:]}"
        try:
            if value := what(): return value
        except (OSError, ValueError): pass
        time.sleep(0.1)
    raise AssertionError(f"the server did not answer:\n{log.read_text()[-2000:]}")


@pytest.fixture(scope="session")
def cache(tmp_path_factory): return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def lab(browser, tmp_path_factory, videos, cache):
    "`vfr demo`: JupyterLab in the folder of the videos. Yields its address and token."
    home = tmp_path_factory.mktemp("lab")
    (home / "config/labconfig").mkdir(parents=True)
    (home / "config/labconfig/page_config.json").write_text('{"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": true}}')
    log = home / "log"
    args = ["--no-browser", "--allow-root", "--ip=127.0.0.1", "--ServerApp.port=0", "--expose-app-in-browser", "--LabApp.extension_manager=readonly",
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate", "--ServerApp.terminals_enabled=False"]
    with _serving([Path(sys.executable).parent / "vfr", "demo", "--", *args], videos, _environment(home, cache), log) as p:
        def answered():
            info = json.loads(next((home / "runtime").glob("jpserver-*.json"), Path("none")).read_text())
            urllib.request.urlopen(f"{info['url']}api/status?token={info['token']}", timeout=5).read()
            return info["url"].rstrip("/"), info["token"]
        yield _until(answered, p, log)


@pytest.fixture(scope="session")
def app(browser, tmp_path_factory, videos, cache):
    "`vfr demo --app`: yields its address, with the token."
    home = tmp_path_factory.mktemp("app")
    with socket.socket() as s: s.bind(("127.0.0.1", 0)); port = s.getsockname()[1]
    log = home / "log"
    with _serving([Path(sys.executable).parent / "vfr", "demo", "--app", "--", "--no-browser", f"--port={port}"], videos, _environment(home, cache), log) as p:
        def listening():
            found = re.search(r"http://\S+\?token=\w+", log.read_text())
            with socket.create_connection(("127.0.0.1", port), 2): return found and found[0].replace("localhost", "127.0.0.1")
        yield _until(listening, p, log)
