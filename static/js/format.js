/* Figures as volbal/common/templatetags/figures.py writes them. Only looks are decided here, never numbers. */
const NOTHING = "—";
const UNIT = "\u00a0%";

const grouped = (value, places, roundingMode = "halfExpand") =>
  new Intl.NumberFormat("en-US", { minimumFractionDigits: places, maximumFractionDigits: places, roundingMode })
    .format(value).replace(/^-(0(\.0*)?)$/, "$1").replace("-", "−");
const trimmed = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
const signed = (value, places) => {
  const text = grouped(value, places);
  return text.startsWith("−") || !/[1-9]/.test(text) ? text : `+${text}`;
};

export const direction = (ratio) => {
  const rounded = Math.round(ratio * 1e4);
  return rounded > 0 ? "up" : rounded < 0 ? "down" : "";
};

export const ageOf = (iso) => {
  const seconds = Math.max(0, Math.floor((Date.now() - Date.parse(iso)) / 1000));
  if (seconds < 120) return `${seconds}\u00a0s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)}\u00a0min`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)}\u00a0h`;
  return `${Math.floor(seconds / 86400).toLocaleString("en-US")}\u00a0days`;
};

const places = (value) => (Math.abs(value) >= 1 ? 2 : 4);

const FORMATS = {
  money: (value) => grouped(value, 2),
  price: (value) => grouped(value, places(value)),
  "buy-price": (value) => grouped(value, places(value), "floor"),
  "sell-price": (value) => grouped(value, places(value), "ceil"),
  shares: (value) => trimmed(grouped(value, 6)),
  quantity: (value) => trimmed(grouped(value, 3)),
  percent: (value) => grouped(value * 100, 1) + UNIT,
  percent2: (value) => grouped(value * 100, 2) + UNIT,
  "signed-percent": (value) => signed(value * 100, 2) + UNIT,
  count: (value) => grouped(value, 0),
  "signed-money": (value) => signed(value, 2),
};

/* No line ends between a number and its percent sign. */
export const unbroken = (sentence) => sentence.replaceAll(" %", UNIT);

export const format = (value, form) => {
  if (value === null || value === undefined || value === "") return NOTHING;
  if (form === "words") return value[0].toUpperCase() + value.slice(1).replaceAll("_", " ");
  return form in FORMATS ? FORMATS[form](Number(value)) : String(value);
};

export const moment = (iso, zone, seconds = false) => {
  const parts = Object.fromEntries(
    new Intl.DateTimeFormat("en-CA", {
      timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit",
      hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
    }).formatToParts(new Date(iso)).map(({ type, value }) => [type, value]),
  );
  const clock = `${parts.hour}:${parts.minute}${seconds ? `:${parts.second}` : ""}`;
  const name = zone.includes("/") ? zone.split("/").pop().replaceAll("_", " ") : zone;
  return { day: `${parts.year}-${parts.month}-${parts.day}`, clock, zone: name };
};
