// How values and times are written. The units come from the server (dkumonitor/dashboards/units.py); this applies them
// just as write_value() there does, and a test compares the two.

const DIGITS = 3;
const MAX_DECIMALS = 6;
export const NO_VALUE = "-";

// `unit`: {scales: [{factor, suffix}, ...], base, age}. Without decimals: three digits, no closing zeros.
export function writeValue(value, unit, decimals = null, nowSeconds = Date.now() / 1000) {
  if (value === null || value === undefined || Number.isNaN(value)) return NO_VALUE;
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "-∞";
  if (!unit.age) return scaled(value, unit.scales, decimals);
  const age = nowSeconds - value / 1000;
  const text = scaled(Math.abs(age), unit.scales, decimals);
  return age >= 0 ? `${text} ago` : `in ${text}`;
}

// A tick of an axis: as many decimals as its neighbours are apart.
export function writeTick(value, unit, apart) {
  const scale = scaleOf(value, unit.scales);
  const places = Math.min(MAX_DECIMALS, Math.max(0, Math.ceil(-Math.log10(apart / scale.factor) - 1e-9)));
  return withoutZeros((value / scale.factor).toFixed(places)) + scale.suffix;
}

function scaled(value, scales, decimals) {
  const scale = scaleOf(value, scales);
  return rounded(value / scale.factor, decimals) + scale.suffix;
}

function scaleOf(value, scales) {
  let scale = scales[0];
  for (const larger of scales.slice(1)) if (Math.abs(value) >= larger.factor) scale = larger;
  if (value === 0 && scale.factor < 1) scale = scales.find((one) => one.factor === 1) ?? scale;
  return scale;
}

function rounded(number, decimals) {
  const text = number.toFixed(decimals ?? placesOf(Math.abs(number)));
  return unsigned(decimals === null ? withoutZeros(text) : text);
}

function withoutZeros(text) {
  if (!text.includes(".") || text.includes("e")) return unsigned(text);
  return unsigned(text.replace(/0+$/, "").replace(/\.$/, ""));
}

// Nothing is never less than nothing.
function unsigned(text) {
  return /^-[0.]+$/.test(text) ? text.slice(1) : text;
}

function placesOf(size) {
  let places = DIGITS - 1;
  for (; size >= 10 && places > 0; places -= 1) size /= 10;
  for (; size > 0 && size < 1 && places < MAX_DECIMALS; places += 1) size *= 10;
  return places;
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const two = (number) => String(number).padStart(2, "0");

// The fields of a moment (UTC seconds) in a zone: "utc" or "local".
export function partsOf(seconds, zone) {
  const date = new Date(seconds * 1000);
  const of = (name) => (zone === "utc" ? date[`getUTC${name}`]() : date[`get${name}`]());
  return {
    year: of("FullYear"), month: of("Month") + 1, day: of("Date"),
    clock: `${two(of("Hours"))}:${two(of("Minutes"))}`, second: two(of("Seconds")),
  };
}

// 2026-11-23 18:25:40
export function writeTime(seconds, zone) {
  const at = partsOf(seconds, zone);
  return `${at.year}-${two(at.month)}-${two(at.day)} ${at.clock}:${at.second}`;
}

// What a field of the type datetime-local holds.
export function writeField(seconds, zone) {
  return writeTime(seconds, zone).replace(" ", "T");
}

// The moment that such a field means, or null.
export function readField(text, zone) {
  const moment = Date.parse(zone === "utc" ? `${text}Z` : text);
  return Number.isNaN(moment) ? null : Math.floor(moment / 1000);
}

// The ticks of a time axis; the day stands below the first one and wherever it changes.
export function writeTimeTicks(ticks, apart, zone) {
  let before = "";
  return ticks.map((seconds) => {
    const at = partsOf(seconds, zone);
    const day = `${at.day} ${MONTHS[at.month - 1]}`;
    if (apart >= 28 * 86400) return `${MONTHS[at.month - 1]}\n${at.year}`;
    if (apart >= 86400) return day;
    const clock = apart < 60 ? `${at.clock}:${at.second}` : at.clock;
    const text = day === before ? clock : `${clock}\n${day}`;
    before = day;
    return text;
  });
}
