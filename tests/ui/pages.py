"Pages of JupyterLab in a browser, for the tests."
import contextlib, json, os, time
from pathlib import Path

from playwright.sync_api import expect

expect.set_options(timeout=20_000)   # a busy machine takes its time

_run = """async ([path]) => {
  const until = async (f, what) => { const end = Date.now() + 60000; for (;;) { const x = f(); if (x) return x; if (Date.now() > end) throw new Error('timeout: ' + what); await new Promise(r => setTimeout(r, 50)); } };
  const app = await until(() => window.jupyterapp, 'window.jupyterapp'); await app.started; await app.restored; await app.serviceManager.ready;
  const panel = await app.commands.execute('docmanager:open', { path }); await panel.context.ready; await panel.sessionContext.ready;
  const kernel = await until(() => panel.sessionContext.session?.kernel, 'kernel'); await kernel.info; await until(() => kernel.connectionStatus === 'connected', 'connection');
  await panel.revealed; app.shell.activateById(panel.id);
  window.kernel_ = kernel;
  await app.commands.execute('notebook:run-all-cells');
  return panel.content.widgets.filter(c => c.model.type === 'code').flatMap(c => [...Array(c.model.outputs.length).keys()].map(i => c.model.outputs.get(i).toJSON()).filter(o => o.output_type === 'error').map(o => o.ename + ': ' + o.evalue));
}"""

_execute = """async ([code]) => {
  const future = window.kernel_.requestExecute({ code }); let out = '';
  future.onIOPub = m => { if (m.header.msg_type === 'stream') out += m.content.text; if (m.header.msg_type === 'error') out += m.content.ename + ': ' + m.content.evalue; };
  await future.done; return out;
}"""


def notebook_of(*cells):
    "A notebook of these cells, as text."
    cells = [dict(cell_type="code", execution_count=None, id=f"c{i}", metadata={}, outputs=[], source=c) for i, c in enumerate(cells)]
    return json.dumps(dict(cells=cells, metadata=dict(kernelspec=dict(name="python3", display_name="Python 3", language="python")), nbformat=4, nbformat_minor=5))


class Notebook:
    "A notebook in JupyterLab, run in a kernel of its own."
    def __init__(self, page, lab): self.page, self.lab = page, lab
    def open(self, path):
        url, token = self.lab
        self.page.goto(f"{url}/lab?token={token}&reset")
        errors = self.page.evaluate(_run, [path])
        assert not errors, errors
        return self.page
    def run(self, code): return self.page.evaluate(_execute, [code]).strip()
    def until(self, code, wanted, seconds=20):
        "Wait until the kernel prints what is wanted."
        end = time.monotonic() + seconds
        while (said := self.run(code)) != wanted: assert time.monotonic() < end, (code, said)
    def close(self):
        self.page.evaluate("""async () => { const x = (document.cookie.match(/_xsrf=([^;]+)/) || [])[1] || '';
            for (const s of await (await fetch('/api/sessions')).json()) await fetch('/api/sessions/' + s.id, { method: 'DELETE', headers: { 'X-XSRFToken': x } }); }""")


@contextlib.contextmanager
def opened(browser, name, **context):
    "A page of its own; what it throws fails the test; a screenshot is left in UI_SHOTS if that is set."
    ctx = browser.new_context(**{"viewport": dict(width=1280, height=1000), **context})
    page, thrown = ctx.new_page(), []
    page.on("pageerror", lambda e: thrown.append(str(e)))
    try: yield page
    finally:
        if shots := os.environ.get("UI_SHOTS"): Path(shots).mkdir(parents=True, exist_ok=True); page.screenshot(path=Path(shots) / f"{name}.png", full_page=True)
        ctx.close()
    assert not thrown, thrown
