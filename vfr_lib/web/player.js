// The player's browser half. All times in here are those of Python (`Frame.time`); only `media` knows the file's own clock.

const SVG = "http://www.w3.org/2000/svg";

function make(tag, name, parent, attributes = {}) {
  const e = document.createElement(tag);
  if (name) e.className = name;
  for (const k in attributes) e.setAttribute(k, attributes[k]);
  parent?.append(e);
  return e;
}

function clock(t, decimals = 0) {
  const ticks = Math.round(Math.max(0, t) * 10 ** decimals), whole = Math.floor(ticks / 10 ** decimals);
  const h = Math.floor(whole / 3600), m = Math.floor(whole / 60) % 60, s = String(whole % 60).padStart(2, "0");
  const part = decimals ? "." + String(ticks % 10 ** decimals).padStart(decimals, "0") : "";
  return (h ? `${h}:${String(m).padStart(2, "0")}` : `${m}`) + `:${s}${part}`;
}

// A <video>: waits for its metadata before it seeks.
function fileMedia(model, parent, on) {
  const v = make("video", "vp-video", parent, { controls: "", preload: "metadata", playsinline: "", crossorigin: "anonymous", "aria-label": "video" });
  const offset = () => model.get("offset");
  let blob = null, parts = null, loads = 0, order = null;   // where to go once the file's metadata is here
  const drop = () => { if (blob) URL.revokeObjectURL(blob); blob = null; parts = null; };
  const inPieces = () => { parts = []; model.send({ kind: "want", i: 0 }); };
  const onMessage = (m, buffers) => {
    if (m.kind !== "chunk" || !parts || m.src !== model.get("src") || m.i !== parts.length) return;
    parts.push(buffers[0]);
    if (m.i + 1 < m.n) { on.loading((m.i + 1) / m.n); return model.send({ kind: "want", i: m.i + 1 }); }
    on.loading(1);
    blob = URL.createObjectURL(new Blob(parts, { type: m.type })); parts = null; v.src = blob;
  };
  async function load() {
    const src = model.get("src"), mine = ++loads;
    drop(); order = null;
    v.removeAttribute("src"); v.load();
    v.toggleAttribute("crossorigin", model.get("ours"));
    if (!src) return;
    if (src.startsWith("bytes:")) return inPieces();
    if (!model.get("ours")) { v.src = src; return; }
    const reached = mode => fetch(src, { method: "HEAD", mode }).then(r => r.ok || r.type === "opaque", () => null);   // null: another machine, a closed door, or a page that may show but not read
    let there = await reached("cors");
    if (there === null && await reached("no-cors")) { there = true; v.removeAttribute("crossorigin"); }
    if (mine !== loads) return;
    if (there) v.src = src;
    else if (model.get("chunks")) inPieces();
    else on.problem("unreachable");
  }
  const jump = (t, play) => { v.currentTime = Math.max(0, t + offset() + 0.001); if (play) v.play().catch(() => {}); };   // a millisecond into the frame, not on its edge
  v.onloadedmetadata = () => {
    on.problem(v.videoWidth ? "" : "unplayable");   // sound alone: the picture's codec is unknown here
    if (order) jump(...order);
    order = null;
  };
  v.onerror = () => { if (v.getAttribute("src")) on.problem(v.error?.code === 2 ? "lost" : "unplayable"); };
  v.ontimeupdate = () => on.time(false);
  v.onseeked = () => on.time(true);
  v.onplay = v.onpause = () => on.time(true);
  v.onended = () => on.ended();
  return {
    element: v, load, onMessage,
    time: () => v.currentTime - offset(),
    length: () => Number.isFinite(v.duration) ? v.duration - offset() : 0,
    paused: () => v.paused,
    go: (t, play) => { if (v.readyState) jump(t, play); else order = [t, play]; },
    play: () => v.play().catch(() => {}), pause: () => v.pause(),
    close: () => { loads++; v.ontimeupdate = v.onseeked = v.onpause = null; v.pause(); v.removeAttribute("src"); v.load(); drop(); },
  };
}

// YouTube's own player, driven by messages; no script of theirs runs in this page.
function youtubeMedia(model, parent, on) {
  const home = "https://www.youtube.com";
  const f = make("iframe", "vp-video vp-youtube", parent, { title: "YouTube video", allow: "autoplay; encrypted-media; fullscreen; picture-in-picture", referrerpolicy: "strict-origin-when-cross-origin" });
  let now = 0, long = 0, state = -1, heard = false, order = null, hello = 0;   // before YouTube is heard it heeds no order
  const post = o => f.contentWindow?.postMessage(JSON.stringify(o), home);
  const call = (func, ...args) => post({ event: "command", func, args });
  const go = (t, play) => {
    now = t;
    if (!heard) { order = [t, play]; return on.place(); }
    call("seekTo", Math.max(0, t), true);
    play ? call("playVideo") : state === 1 || call("pauseVideo");
    on.time(true);
  };
  const listen = e => {
    if (e.origin !== home || e.source !== f.contentWindow) return;
    let data; try { data = JSON.parse(e.data); } catch { return; }
    heard = true; clearInterval(hello);
    const info = data.info ?? {};
    if (typeof info.currentTime === "number") now = info.currentTime;
    if (typeof info.duration === "number") long = info.duration;
    if (typeof info.playerState === "number") { state = info.playerState; if (state === 0) on.ended(); }
    if (data.event === "onError") on.problem("refused");
    if (order) go(...order); else on.time(false);
    order = null;
  };
  window.addEventListener("message", listen);
  return {
    element: f, onMessage() {},
    load: () => {
      hello = setInterval(() => post({ event: "listening", id: "vfr", channel: "widget" }), 300);
      f.src = `${home}/embed/${encodeURIComponent(model.get("youtube"))}?enablejsapi=1&playsinline=1&rel=0&origin=${encodeURIComponent(location.origin)}`;
    },
    time: () => now, length: () => long, paused: () => state !== 1,
    go, play: () => call("playVideo"), pause: () => call("pauseVideo"),
    close: () => { clearInterval(hello); window.removeEventListener("message", listen); f.remove(); },
  };
}

const problems = {
  unplayable: "This browser cannot play this file",
  unreachable: "The video lies on the kernel's machine, which this browser cannot reach, and it is too large to be sent through the notebook: give a smaller copy, or open the notebook on that machine",
  lost: "The connection to the video was lost: is the kernel still running?",
  refused: "YouTube does not let this video be played here: open it there, or download it",
};

function render({ model, el }) {
  const get = k => model.get(k), set = o => { for (const k in o) model.set(k, o[k]); model.save_changes(); };
  const root = make("div", "vp", el, { tabindex: "0", role: "region", "aria-label": "video player: arrow keys jump between moments, space plays, L loops" });
  root.dataset.lmSuppressShortcuts = "true";   // JupyterLab keeps its own keys to itself
  const stage = make("div", "vp-stage", root), note = make("div", "vp-note", root, { role: "status" });
  const said = make("span", "", note), offer = make("button", "vp-button", note, { type: "button" });
  const line = make("div", "vp-line", root), svg = line.appendChild(document.createElementNS(SVG, "svg"));
  svg.setAttribute("viewBox", "0 0 1000 100"); svg.setAttribute("preserveAspectRatio", "none"); svg.setAttribute("aria-hidden", "true");
  const shape = name => { const p = svg.appendChild(document.createElementNS(SVG, "path")); p.setAttribute("class", name); return p; };
  const heat = shape("vp-heat"), area = shape("vp-area"), curve = shape("vp-curve");
  const title = root.insertBefore(make("div", "vp-title"), stage);
  const spans = make("div", "vp-spans", line), head = make("div", "vp-head", line), pointer = make("div", "vp-pointer", line);
  const chapters = make("div", "vp-chapters", root), speech = make("div", "vp-speech", root, { "aria-hidden": "true" });
  const speechSvg = speech.appendChild(document.createElementNS(SVG, "svg")), speechPath = speechSvg.appendChild(document.createElementNS(SVG, "path"));
  speechSvg.setAttribute("viewBox", "0 0 1000 10"); speechSvg.setAttribute("preserveAspectRatio", "none");
  const saying = make("div", "vp-saying", root), bar = make("div", "vp-bar", root);
  const button = (text, name, label) => { const b = make("button", `vp-button ${name}`, bar, { type: "button", "aria-label": label, title: label }); b.textContent = text; return b; };
  const back = button("◀ moment", "vp-back", "previous moment (left arrow)"), next = button("moment ▶", "vp-next", "next moment (right arrow)");
  const loop = button("⟳ loop", "vp-loop", "loop over one moment (L)"), where = make("span", "vp-where", bar);
  const cards = make("ol", "vp-cards", root, { "aria-label": "moments, best first" });

  let loading = 1, last = 0, before = 0, frame = 0, drawn = 0, media = null, shown = null;
  const on = {
    time: at_once, place, ended: () => { if (get("loop")) again(); }, loading: part => { loading = part; tell(); },
    problem: p => { if (get("problem") !== p) set({ problem: p }); tell(); },
  };
  const length = () => get("duration") || media.length() || 1, share = t => 100 * Math.min(1, Math.max(0, t / length()));
  const here = m => m && m.film === get("film"), chosen = () => [get("moments")[get("selected")]].find(here);   // moments of other films have their own clock
  const several = () => get("moments").some(m => !here(m));

  function show() {   // another video, perhaps of the other kind; a new view of an old one goes where it was sent last, and waits there
    const tube = get("youtube"), wanted = tube || get("src"), target = get("target");
    if (wanted === shown) return;
    shown = wanted; loading = 1;
    if (tube || media?.element.tagName !== "VIDEO") { media?.close(); stage.replaceChildren(); media = (tube ? youtubeMedia : fileMedia)(model, stage, on); }
    media.load();
    if (length() !== drawn) draw();
    tell();
    if (target.n) media.go(target.time, false);
  }
  function at_once(now) {   // how Python learns the time: at most four times a second, and after each seek
    if (length() !== drawn) draw(); else place();   // the browser knows by now how long the video is
    if (now || Date.now() - last > 250) { last = Date.now(); set({ time: Math.max(0, media.time()), playing: !media.paused() }); }
  }
  function place() {
    const t = media.time();
    head.style.left = `${share(t)}%`;
    where.textContent = `${clock(Math.floor(t))} / ${clock(length())}`;
    const i = sayingAt(t), text = i < 0 ? "" : get("lines")[i][2];
    if (saying.textContent !== text) saying.textContent = text;
  }
  function sayingAt(t) {
    const lines = get("lines");
    let a = 0, b = lines.length;
    while (a < b) { const m = (a + b) >> 1; lines[m][0] <= t ? a = m + 1 : b = m; }
    return a && t < lines[a - 1][1] ? a - 1 : -1;
  }
  function pick(i, play) {
    const m = get("moments")[i];
    if (!m) return;
    set({ selected: i });
    if (here(m)) media.go(m.time, play);   // otherwise Python turns to its film
  }
  function step(direction) {   // to the next or previous moment in time
    const t = media.time(), order = get("moments").map((m, i) => [m.time, i, here(m)]).filter(x => x[2]).sort((a, b) => a[0] - b[0]);
    const found = direction > 0 ? order.find(([x]) => x > t + 0.05) : order.findLast(([x]) => x < t - (media.paused() ? 0.05 : 1));
    if (found) pick(found[1]);
  }
  function again() { const m = chosen(); if (m) media.go(m.start, true); }
  function watch() {   // the loop, looked at once per screen refresh
    cancelAnimationFrame(frame);
    if (!get("loop")) return;
    const m = chosen(), t = media.time();
    if (m && !media.paused() && before < m.end && t >= m.end - 0.02 && t < m.end + 1) again();
    before = t;
    frame = requestAnimationFrame(watch);
  }
  function toggleLoop() {
    const first = get("moments").findIndex(here);
    if (first < 0) return;
    if (!chosen()) set({ selected: first });
    set({ loop: !get("loop") });
    if (get("loop")) again();
  }

  const path = (points, top) => "M" + points.map(([t, y]) => `${(10 * share(t)).toFixed(1)},${(100 - top * y).toFixed(1)}`).join("L");
  function drawCurves() {
    const scores = get("curve"), values = scores.map(p => p[1]), lo = Math.min(...values), hi = Math.max(...values);
    const points = scores.map(([t, s]) => [t, hi > lo ? (s - lo) / (hi - lo) : 0.5]), hot = get("heat");
    curve.setAttribute("d", points.length ? path(points, 92) : "");
    area.setAttribute("d", points.length ? `${path(points, 92)}L${10 * share(points.at(-1)[0])},100L${10 * share(points[0][0])},100Z` : "");
    heat.setAttribute("d", hot.length ? `${path(hot, 60)}L${10 * share(hot.at(-1)[0])},100L${10 * share(hot[0][0])},100Z` : "");
    speechPath.setAttribute("d", get("lines").map(([a, b]) => `M${(10 * share(a)).toFixed(1)},0V10H${(10 * share(b)).toFixed(1)}V0Z`).join(""));
    speech.hidden = saying.hidden = !get("lines").length;
  }
  function drawChapters() {
    chapters.replaceChildren(); chapters.hidden = !get("chapters").length;
    for (const c of get("chapters")) {
      const b = make("button", "vp-chapter", chapters, { type: "button", "aria-label": `chapter ${c.title}, ${clock(c.start)}`, title: `${clock(c.start)} ${c.title}` });
      b.textContent = c.title;
      b.style.left = `${share(c.start)}%`; b.style.width = `${share(c.end) - share(c.start)}%`;
      b.onclick = () => media.go(c.start);
    }
  }
  const labelOf = (m, i) => `moment ${i + 1}: ${clock(m.start, 1)} to ${clock(m.end, 1)}, best at ${clock(m.time, 1)}, score ${m.score.toFixed(2)}${m.p && `, ${m.p}`}${m.guess ? ", a guess" : ""}${several() ? `, in ${m.title}` : ""}`;
  function drawSpans() {
    spans.replaceChildren();
    title.textContent = get("title"); title.hidden = !several();
    get("moments").forEach((m, i) => {
      if (!here(m)) return;
      const label = labelOf(m, i), s = make("button", m.guess ? "vp-span vp-guess" : "vp-span", spans, { type: "button", tabindex: "-1", "data-moment": i, "aria-label": label, title: label });
      s.style.left = `${share(m.start)}%`; s.style.width = `${Math.max(0, share(m.end) - share(m.start))}%`;
      make("i", "vp-best", s).style.left = `${m.end > m.start ? 100 * (m.time - m.start) / (m.end - m.start) : 0}%`;
      make("b", "", s).textContent = i + 1;
      s.onclick = () => pick(i);
    });
    for (const b of [back, next, loop]) b.disabled = !get("moments").some(here);
    mark();
  }
  function drawMoments() {
    cards.replaceChildren();
    const mixed = several();
    get("moments").forEach((m, i) => {
      const label = labelOf(m, i);
      const card = make("li", m.guess ? "vp-card vp-guess" : "vp-card", cards), open = make("button", "vp-open", card, { type: "button", "aria-label": label });
      if (m.picture) make("img", "", open, { src: m.picture, alt: "" }); else make("div", "vp-blank", open);
      const words = make("span", "vp-words", open);
      make("strong", "", words).textContent = `${i + 1}. ${clock(m.time, 1)}`;
      make("span", "vp-score", words).textContent = m.score.toFixed(2) + (m.p && ` · ${m.p}`);
      make("span", "vp-range", open).textContent = `${clock(m.start, 1)} to ${clock(m.end, 1)}${m.guess ? " · guess" : ""}`;
      if (mixed) make("span", "vp-from", open).textContent = m.title;
      if (m.said) make("span", "vp-said", open).textContent = `“${m.said}”`;
      open.onclick = () => pick(i);
      if (m.link) {
        const row = make("span", "vp-links", card), a = make("a", "", row, { href: m.link, target: "_blank", rel: "noopener" });
        a.textContent = "link";
        const copy = make("button", "vp-copy", row, { type: "button", "aria-label": `copy the link to ${clock(m.time)}` });
        copy.textContent = "copy";
        copy.onclick = () => copyText(m.link).then(ok => { copy.textContent = ok ? "copied" : "select the link"; setTimeout(() => { copy.textContent = "copy"; }, 1500); });
      }
    });
    drawSpans();
  }
  async function copyText(text) {
    try { await navigator.clipboard.writeText(text); return true; } catch { /* not a secure page, or not allowed */ }
    const t = make("textarea", "", document.body); t.value = text; t.select();
    const ok = document.execCommand("copy"); t.remove();
    return ok;
  }
  function mark() {
    const i = get("selected");
    [...spans.children].forEach(e => e.classList.toggle("on", Number(e.dataset.moment) === i));
    [...cards.children].forEach((e, k) => { e.classList.toggle("on", k === i); e.firstChild.setAttribute("aria-current", String(k === i)); });
    loop.setAttribute("aria-pressed", String(get("loop")));
    before = media.time();
    watch();
  }
  function tell() {
    const p = get("problem"), about = p === "unplayable" && get("about") ? ` (${get("about")})` : "";
    const text = get("notice") || (p ? `${problems[p] ?? p}${about}.` : loading < 1 ? `Loading ${Math.round(100 * loading)} %` : "");
    if (said.textContent !== text) said.textContent = text;
    offer.textContent = get("busy") ? "Cancel" : "Make a copy that plays";
    offer.hidden = !(get("busy") || (p === "unplayable" && get("can_copy")));
    note.hidden = !text && offer.hidden;
    note.classList.toggle("vp-wrong", !!p && !get("busy"));
    if (media.element.tagName === "VIDEO") media.element.hidden = !get("src") || p === "unplayable" || p === "unreachable";
  }
  function draw() { drawn = length(); drawCurves(); drawChapters(); drawSpans(); place(); }

  offer.onclick = () => model.send({ kind: get("busy") ? "cancel" : "copy" });
  back.onclick = () => step(-1); next.onclick = () => step(1); loop.onclick = toggleLoop;
  const timeAt = (e, box) => { const r = box.getBoundingClientRect(); return length() * Math.min(1, Math.max(0, (e.clientX - r.left) / r.width)); };
  line.onclick = e => { if (!e.target.closest("button")) { if (get("loop")) set({ loop: false }); media.go(timeAt(e, line)); } };
  line.onpointermove = e => { const t = timeAt(e, line); pointer.style.left = `${share(t)}%`; pointer.textContent = clock(Math.floor(t)); };
  speech.onclick = e => { const i = sayingAt(timeAt(e, speech)); media.go(i < 0 ? timeAt(e, speech) : get("lines")[i][0]); };
  root.onkeydown = e => {
    if (e.ctrlKey || e.altKey || e.metaKey || e.target.closest("input, textarea, select")) return;
    const right = e.key === "ArrowRight", left = e.key === "ArrowLeft";
    if (right || left) e.shiftKey ? media.go(Math.min(length() - 0.05, media.time() + (right ? 5 : -5))) : step(right ? 1 : -1);
    else if (e.key === " " && !e.target.closest("button, a")) media.paused() ? media.play() : media.pause();
    else if (e.key === "l" || e.key === "L") toggleLoop();
    else return;
    e.preventDefault(); e.stopPropagation();
  };
  const target = () => { const g = get("target"); if (g.n) media.go(g.time, g.play); };
  const events = {
    "change:src": show, "change:youtube": show, "change:target": target, "msg:custom": (...message) => media.onMessage(...message),
    "change:duration": draw, "change:curve": drawCurves, "change:heat": drawCurves, "change:lines": drawCurves, "change:chapters": drawChapters,
    "change:moments": drawMoments, "change:film": drawSpans, "change:title": drawSpans,   // the cards stay, and with them what is in focus
    "change:selected": mark, "change:loop": mark,
    "change:problem": tell, "change:notice": tell, "change:busy": tell, "change:can_copy": tell,
  };
  for (const k in events) model.on(k, events[k]);
  show(); drawMoments();
  return () => { for (const k in events) model.off(k, events[k]); cancelAnimationFrame(frame); media.close(); };
}

export default { render };
