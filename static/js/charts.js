/* Draws what the server describes: lines, bands and marks over time. No number is computed here. */
import {
  createChart, createSeriesMarkers, CrosshairMode, LineSeries, LineStyle, LineType, TickMarkType,
} from "../vendor/lightweight-charts/5.2.1/lightweight-charts.standalone.production.mjs";
import { BandSeries } from "./band.js";
import { format, moment } from "./format.js";

const REFRESH_MS = 800;
const FEWEST_BARS = 60; // a young chart fills up from the right
const charts = new Map();

/* A token's colour as the canvas can use it. */
const colour = (name, alpha = 1) => {
  const probe = document.createElement("span");
  probe.style.color = `color-mix(in srgb, var(--${name}) ${alpha * 100}%, transparent)`;
  document.body.append(probe);
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  canvas.fillStyle = getComputedStyle(probe).color;
  canvas.fillRect(0, 0, 1, 1);
  probe.remove();
  const [red, green, blue, opacity] = canvas.getImageData(0, 0, 1, 1).data;
  return `rgba(${red}, ${green}, ${blue}, ${(opacity / 255).toFixed(3)})`;
};

const look = () => ({
  layout: {
    attributionLogo: false, // it would add a style element; the credit stands in the page
    background: { color: "transparent" },
    textColor: colour("muted"),
    fontFamily: getComputedStyle(document.body).fontFamily,
    fontSize: 12,
  },
  grid: { vertLines: { visible: false }, horzLines: { color: colour("line", 0.6) } },
  rightPriceScale: { borderColor: colour("line"), scaleMargins: { top: 0.1, bottom: 0.08 } },
  timeScale: { borderColor: colour("line") },
});

const bandLook = (band) => ({ color: colour(band.colour, 0.14) });

class Chart {
  constructor(node) {
    this.node = node;
    this.chart = createChart(node, {
      ...look(),
      autoSize: true,
      crosshair: { mode: CrosshairMode.Magnet },
      handleScroll: { vertTouchDrag: false },
      timeScale: { borderColor: colour("line"), rightOffset: 3, minBarSpacing: 0.05 },
    });
    this.lines = new Map();
    this.bands = new Map();
    this.marks = new Map();
    this.last = 0;
  }

  async load() {
    const url = new URL(this.node.dataset.chart, location.href);
    if (this.last) url.searchParams.set("after", String(this.last));
    const response = await fetch(url, { headers: { Accept: "application/json" } });
    if (response.ok) this.draw(await response.json());
  }

  draw(spec) {
    const first = this.last === 0;
    this.spec = spec;
    if (first) this.localise(spec);
    for (const band of spec.bands || []) this.band(band, spec, first);
    for (const line of spec.lines) this.line(line, spec, first);
    this.levels(spec);
    for (const mark of spec.marks || []) this.marks.set(mark.id, mark);
    this.drawMarks(spec);
    if (spec.time.length) this.last = spec.time.at(-1);
    if (first && spec.time.length) this.showRecent(spec.time.length);
  }

  localise(spec) {
    const places = (value) => format(value, spec.format || "price");
    const clock = (time) => {
      const at = moment(new Date(time * 1000).toISOString(), spec.zone);
      return spec.daily ? at.day : `${at.day} ${at.clock} ${at.zone}`;
    };
    /* The axis counts in the exchange's time, as the tables do; days keep the chart's own marks. */
    const tick = (time, kind) => {
      if (kind < TickMarkType.Time) return null;
      return moment(new Date(time * 1000).toISOString(), spec.zone, kind === TickMarkType.TimeWithSeconds).clock;
    };
    this.chart.applyOptions({
      localization: { priceFormatter: places, timeFormatter: clock },
      timeScale: spec.daily ? { timeVisible: false } : { timeVisible: true, tickMarkFormatter: tick },
    });
  }

  points(values, time) {
    return time.map((at, index) => (values[index] === null ? { time: at } : { time: at, value: values[index] }));
  }

  line(line, spec, first) {
    if (!this.lines.has(line.name)) {
      const series = this.chart.addSeries(LineSeries, {
        color: colour(line.colour),
        lineWidth: line.width || 1,
        lineStyle: { dashed: LineStyle.Dashed, dotted: LineStyle.Dotted }[line.style] ?? LineStyle.Solid,
        lineType: line.step ? LineType.WithSteps : LineType.Simple,
        priceLineVisible: false,
        lastValueVisible: Boolean(line.labelled),
        title: line.labelled ? line.label : "",
        crosshairMarkerVisible: Boolean(line.labelled),
      });
      this.lines.set(line.name, { series, line });
    }
    this.put(this.lines.get(line.name).series, this.points(line.values, spec.time), first);
  }

  band(band, spec, first) {
    if (!this.bands.has(band.name)) {
      const series = this.chart.addCustomSeries(new BandSeries(), {
        ...bandLook(band),
        priceLineVisible: false,
        lastValueVisible: false,
      });
      this.bands.set(band.name, { series, band });
    }
    const points = spec.time.map((time, index) => (band.upper[index] === null || band.lower[index] === null
      ? { time } : { time, upper: band.upper[index], lower: band.lower[index] }));
    this.put(this.bands.get(band.name).series, points, first);
  }

  put(series, points, first) {
    if (first) series.setData(points);
    else points.filter(({ time }) => time >= this.last).forEach((point) => series.update(point));
  }

  /* Prices of now, across the whole chart; they never stretch its scale. */
  levels(spec) {
    const base = this.base(spec);
    if (!base) return;
    for (const { line } of this.shownLevels ?? []) base.series.removePriceLine(line);
    this.shownLevels = (spec.levels || []).map((level) => ({
      level,
      line: base.series.createPriceLine({
        price: level.price, title: level.label, color: colour(level.colour), lineWidth: 1, lineStyle: LineStyle.Dotted,
        axisLabelVisible: false,
      }),
    }));
  }

  base(spec) {
    return this.lines.get(spec.marked || spec.lines[0]?.name);
  }

  drawMarks(spec) {
    const base = this.base(spec);
    if (!base) return;
    const marks = [...this.marks.values()].sort((a, b) => a.time - b.time).map(({ time, side, text }) => ({
      time,
      position: side === "BUY" ? "belowBar" : "aboveBar",
      shape: side === "BUY" ? "arrowUp" : "arrowDown",
      color: colour(side === "BUY" ? "buy" : "sell"),
      text: this.marks.size <= 12 ? text : "",
    }));
    if (this.markers) this.markers.setMarkers(marks);
    else this.markers = createSeriesMarkers(base.series, marks);
  }

  showRecent(count) {
    const most = Number(this.node.dataset.bars || 0);
    const shown = most ? Math.min(most, Math.max(FEWEST_BARS, count)) : count;
    if (shown === count) this.chart.timeScale().fitContent();
    else this.chart.timeScale().setVisibleLogicalRange({ from: count - shown, to: count + 2 });
  }

  recolour() {
    this.chart.applyOptions(look());
    this.lines.forEach(({ series, line }) => series.applyOptions({ color: colour(line.colour) }));
    this.bands.forEach(({ series, band }) => series.applyOptions(bandLook(band)));
    this.shownLevels?.forEach(({ level, line }) => line.applyOptions({ color: colour(level.colour) }));
    if (this.spec) this.drawMarks(this.spec);
  }

  /* At once, then no oftener than REFRESH_MS, and never missing the last. */
  refresh() {
    if (this.waiting) return;
    this.waiting = setTimeout(async () => {
      this.due = Date.now() + REFRESH_MS;
      this.waiting = 0;
      await this.load();
    }, Math.max(0, (this.due || 0) - Date.now()));
  }

  remove() {
    clearTimeout(this.waiting);
    this.chart.remove();
  }
}

const find = () => {
  charts.forEach((chart, node) => {
    if (node.isConnected) return;
    chart.remove();
    charts.delete(node);
  });
  document.querySelectorAll("[data-chart]").forEach((node) => {
    if (charts.has(node)) return;
    const chart = new Chart(node);
    charts.set(node, chart);
    chart.load();
  });
};

document.addEventListener("htmx:load", find);
document.addEventListener("volbal:theme", () => charts.forEach((chart) => chart.recolour()));
document.body.addEventListener("volbal:tick", () => charts.forEach((chart) => {
  if (chart.node.hasAttribute("data-follow")) chart.refresh();
}));
find();
