"""Pages that send the browser which shows them to forbidden addresses, in every way a page has."""

from __future__ import annotations

import json
import socket

from tests.site import Answer, LocalSite

# Counts what came of it in the page's text, which keeps the page from seeming settled until all have been tried.
_RUN = """
const urls = %s, kinds = %s;
const queue = urls.flatMap(url => kinds.map(kind => [url, kind])), all = queue.length;
const h = document.getElementById('h');
let done = 0;
const show = () => { h.textContent = 'tried ' + done + ' of ' + all; };
const awake = setInterval(() => { show(); if (done === all) clearInterval(awake); }, 100);
const element = (tag, name) => url => new Promise(end => {
  const made = document.createElement(tag);
  if (tag === 'link') made.rel = 'stylesheet';
  made.onload = made.onerror = end;
  made[name] = url;
  document.body.append(made);
  setTimeout(end, 4000);
});
const opened = make => url => new Promise(end => {
  const s = make(url);
  s.onerror = s.onopen = end;
  setTimeout(end, 4000);
});
const ways = {
  fetch: url => fetch(url, {mode: 'no-cors'}),
  post: url => fetch(url, {mode: 'no-cors', method: 'POST', body: 'x'}),
  script: element('script', 'src'),
  frame: element('iframe', 'src'),
  style: element('link', 'href'),
  object: element('object', 'data'),
  module: url => import(url),
  events: opened(url => new EventSource(url)),
  socket: opened(url => new WebSocket(url.replace(/^http/i, 'ws'))),
  beacon: async url => navigator.sendBeacon(url, 'x'),
  worker: url => new Promise(end => {
    const code = `try { importScripts(${JSON.stringify(url)}) } catch (e) {} postMessage(1)`;
    const worker = new Worker(URL.createObjectURL(new Blob([code], {type: 'text/javascript'})));
    worker.onmessage = () => { worker.terminate(); end(); };
  }),
};
const lane = async () => {
  while (queue.length) {
    const [url, kind] = queue.pop();
    try { await ways[kind](url); } catch (error) {}
    done += 1;
  }
};
for (let n = 0; n < 16; n++) lane();
"""
KINDS = ("fetch", "post", "script", "frame", "style", "object", "module", "events", "socket", "beacon", "worker")


def page_that_loads(urls: list[str], *kinds: str) -> str:
    """Says "tried N of N" when it has tried each address in each of these ways."""
    script = _RUN % (json.dumps(urls).replace("</", "<\\/"), json.dumps(kinds))
    return f"<h1 id=h>tried 0</h1><p>{'Words. ' * 60}<script>{script}</script>"


def page_that_calls(port: int) -> str:
    """WebRTC and WebTransport speak UDP, which no HTTP proxy carries; prefetches resolve names."""
    return (
        f"<link rel=dns-prefetch href='http://127.0.0.1:{port}'><link rel=preconnect href='http://127.0.0.1:{port}'>"
        f"<link rel=prefetch href='http://127.0.0.1:{port}/p'><h1>Calls</h1><p>{'Words. ' * 60}<script>"
        f"const peer = new RTCPeerConnection({{iceServers: [{{urls: 'stun:127.0.0.1:{port}'}},"
        f"{{urls: 'turn:127.0.0.1:{port}?transport=tcp', username: 'u', credential: 'p'}}]}});"
        "peer.createDataChannel('x'); peer.createOffer().then(offer => peer.setLocalDescription(offer));"
        f"try {{new WebTransport('https://127.0.0.1:{port}/')}} catch (error) {{}}"
        "</script>"
    )


def with_redirects(site: LocalSite, urls: list[str]) -> list[str]:
    """An address of the site for each, which redirects there."""
    for number, url in enumerate(urls):
        site.routes[f"/to/{number}"] = Answer("", 302, {"Location": url.replace("\n", "%0a")})
    return [f"{site.url}/to/{number}" for number in range(len(urls))]


class Datagrams:
    """The canary's ear for UDP, at the port where it listens for connections."""

    def __init__(self, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("0.0.0.0", port))
        self._socket.setblocking(False)

    def received(self) -> int:
        count = 0
        try:
            while self._socket.recv(2048):
                count += 1
        except BlockingIOError:
            pass
        return count

    def close(self) -> None:
        self._socket.close()
