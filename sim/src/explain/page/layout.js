// Where events stand: time runs down, a lane per peer. Idle time is short however long it was.

// Pixels between two events on one lane.
const ROW = 22;
const ROW_OF_DOT = 12;
// Between two moments: at least, and at most.
const LEAST_STEP = 10;
const MOST_STEP = 40;
// Idle time that is said in words, in milliseconds.
const PAUSE_MS = 1000;
const TOP = 16;

const hasLabel = (event) => event.k !== "send";

// Pixels for so many milliseconds without an event.
const step = (ms) => Math.min(MOST_STEP, LEAST_STEP + 6 * Math.log2(1 + ms / 8));

// Places the events: y of each, the moments (time, first y, last y), pauses and the height.
function arrange(places) {
  const y = new Map();
  const moments = [];
  const pauses = [];
  const busy = peers.map(() => -Infinity);
  let top = TOP;
  let bottom = TOP;
  let last = null;
  for (const place of places) {
    const event = events[place];
    // The story is told in the order in which it happened; a fault may be told a moment late.
    const now = Math.max(event.t, last ?? event.t);
    if (last !== null && now > last) {
      const idle = now - last;
      top = bottom + step(idle);
      if (idle >= PAUSE_MS) {
        pauses.push({ y: bottom + (top - bottom + 12) / 2, ms: idle });
        top += 12;
      }
    }
    const wide = isWide(event);
    const lanes = wide ? peers.keys() : event.p;
    let at = wide ? Math.max(top, bottom + (bottom > TOP ? ROW : 0)) : top;
    for (const lane of lanes) at = Math.max(at, busy[lane]);
    y.set(place, at);
    const room = hasLabel(event) ? ROW : ROW_OF_DOT;
    for (const lane of wide ? peers.keys() : event.p) busy[lane] = at + room;
    bottom = Math.max(bottom, at);
    if (now !== last) moments.push({ t: now, first: at, last: at });
    const moment = moments.at(-1);
    moment.first = Math.min(moment.first, at);
    moment.last = Math.max(moment.last, at);
    last = now;
  }
  return { y, moments, pauses, height: bottom + 2 * ROW };
}

// Whether an event takes the whole width.
function isWide(event) {
  return event.p.length === 0 || event.k === "fail" || event.k === "fault" && event.p.length > 1;
}

// The y of a time: `end` says that what lasts until then is meant.
function yAt(arranged, ms, end = false) {
  const { moments, height } = arranged;
  let low = 0;
  let high = moments.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (moments[middle].t < ms) low = middle + 1;
    else high = middle;
  }
  const after = moments[low];
  const before = moments[low - 1];
  if (after?.t === ms) return end ? after.last : after.first;
  if (!before) return 0;
  if (!after) return height;
  const share = (ms - before.t) / (after.t - before.t);
  return before.last + share * (after.first - before.last);
}
