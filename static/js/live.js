/* Keeps figures moving: one socket for each portfolio on the page, a poll while it is away, rest in the background. */
import { show } from "./values.js";

const KINDS = new Set(["tick", "orders"]);
const HALTS = "halts";
const FORBIDDEN = 4403;
const POLL_MS = 5000;
const LONGEST_WAIT_MS = 30000;
const ANNOUNCE_MS = 10000;

/* Messages are gzipped once for everybody who watches. */
const unpacked = (blob) => new Response(blob.stream().pipeThrough(new DecompressionStream("gzip"))).json();

class Portfolio {
  constructor(id, onState) {
    this.id = id;
    this.onState = onState;
    this.failures = 0;
    this.asOf = "";
    this.state = "connecting";
  }

  open() {
    if (this.socket) return;
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/ws/portfolio/${this.id}/`);
    this.socket = socket;
    socket.binaryType = "blob";
    let before = Promise.resolve();
    socket.addEventListener("open", () => {
      this.failures = 0;
      this.stopPolling();
      this.poll(); // what was missed while it was away
      if (this.wasOpen) halted();
      this.wasOpen = true;
      this.set("connected");
    });
    socket.addEventListener("message", (event) => {
      const told = unpacked(event.data);
      before = before.then(async () => this.take(await told)); // one after the other, as they came
    });
    socket.addEventListener("close", (event) => {
      if (this.socket === socket) this.lost(event.code);
    });
  }

  lost(code) {
    this.socket = null;
    this.failures += 1;
    this.startPolling();
    if (code === FORBIDDEN) {
      this.set("refused");
      return;
    }
    this.set("polling");
    const wait = Math.min(LONGEST_WAIT_MS, 1000 * 2 ** (this.failures - 1));
    this.retry = setTimeout(() => this.open(), wait * (0.5 + Math.random() / 2));
  }

  rest() {
    clearTimeout(this.retry);
    this.stopPolling();
    const socket = this.socket;
    this.socket = null;
    if (socket) socket.close();
    this.set("resting");
  }

  startPolling() {
    if (!this.polling) this.polling = setInterval(() => this.poll(), POLL_MS);
  }

  stopPolling() {
    clearInterval(this.polling);
    this.polling = null;
  }

  async poll() {
    try {
      const response = await fetch(`/portfolios/${this.id}/live/`, { headers: { Accept: "application/json" } });
      if (response.ok) this.take(await response.json());
    } catch {
      this.set("polling"); // the server is away; the next poll or the socket will tell
    }
  }

  take(message) {
    if (message.kind === HALTS) {
      halted();
      return;
    }
    if (!KINDS.has(message.kind) || (message.as_of || "") < this.asOf) return;
    this.asOf = message.as_of || "";
    show(message);
    const detail = { detail: message };
    document.body.dispatchEvent(new CustomEvent("volbal:tick", detail));
    soon();
    later();
    if (message.fills && message.fills.length) {
      announce(message.fills);
    }
  }

  set(state) {
    this.state = state;
    this.onState();
  }
}

/* Parts that the server draws follow behind: at once, then no oftener than this, and never missing the last. */
const paced = (name, wait) => {
  let due = 0;
  let timer = 0;
  return () => {
    if (timer) return;
    timer = setTimeout(() => {
      timer = 0;
      due = Date.now() + wait;
      document.body.dispatchEvent(new CustomEvent(name));
    }, Math.max(0, due - Date.now()));
  };
};
const soon = paced("volbal:soon", 1000);
const later = paced("volbal:later", 3000);
const banners = paced("volbal:halts", 500);

/* Something was halted or resumed: every part that shows it is drawn again. */
const halted = () => {
  banners();
  soon();
  later();
};

/* Spoken to a screen reader: fills only, and no oftener than it can bear. */
let announcedAt = 0;
const announce = (fills) => {
  const region = document.getElementById("announce");
  if (!region || Date.now() - announcedAt < ANNOUNCE_MS) return;
  announcedAt = Date.now();
  region.textContent = fills
    .map((fill) => `${fill.symbol} ${fill.side === "BUY" ? "bought" : "sold"} ${fill.quantity} at ${fill.price}`)
    .join(". ");
};

const WORDS = {
  connecting: "connecting…",
  connected: "connected",
  polling: "reconnecting, polling every 5 s",
  refused: "polling every 5 s",
  resting: "resting in the background",
};

const start = () => {
  const ids = (document.body.dataset.portfolios || "").split(" ").filter(Boolean);
  const label = document.querySelector("[data-connection]");
  if (!ids.length || !label) return;
  const portfolios = ids.map((id) => new Portfolio(id, () => {
    const order = ["polling", "refused", "connecting", "resting", "connected"];
    const worst = order.find((state) => portfolios.some((one) => one.state === state));
    label.dataset.state = worst;
    label.textContent = WORDS[worst];
  }));
  const wake = () => portfolios.forEach((one) => (document.hidden ? one.rest() : one.open()));
  label.hidden = false;
  document.addEventListener("visibilitychange", wake);
  addEventListener("pagehide", () => portfolios.forEach((one) => one.rest()));
  addEventListener("pageshow", (event) => event.persisted && wake());
  wake();
};

start();
