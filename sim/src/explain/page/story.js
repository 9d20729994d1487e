// The data, what is chosen of it, and what follows from what. Knows nothing of the page.

const story = JSON.parse(document.getElementById("data").textContent);
const { events, frames, entries, peers, spans, views, verdict, findings } = story;

const { recorded } = story.about;

const SUSPECTS = new Set(story.suspects);
const SLICE = new Set(story.slice);

// Kinds of events as a reader chooses among them.
const GROUPS = [
  { id: "edits", name: "Edits", kinds: ["edit"] },
  { id: "frames", name: "Frames", kinds: ["send", "arrive", "lose"] },
  { id: "views", name: "Merges", kinds: ["view"] },
  { id: "disk", name: "Disk", kinds: ["store"] },
  { id: "faults", name: "Faults and power", kinds: ["fault", "die", "start", "heal"] },
  { id: "rounds", name: "Rounds", kinds: ["round"] },
  { id: "notes", name: "Everything else", kinds: ["note", "world", "fail"] },
];
const groupOf = (kind) => GROUPS.find((group) => group.kinds.includes(kind)) ?? GROUPS.at(-1);

// What each event leads to: the causes, turned round.
const effects = events.map(() => []);
events.forEach((event, place) => {
  for (const [cause, ...about] of event.c ?? []) effects[cause].push([place, ...about]);
});

const wrongSince = new Map(findings.wrong_since.map((since) => [since.event, since]));

const choice = {
  // slice: led to the failure; main: without what repeats; all; past: led to `origin`.
  scope: story.slice.length > 1 ? "slice" : "main",
  origin: null,
  selected: null,
  hiddenPeers: new Set(),
  hiddenGroups: new Set(),
  entry: null,
};

const watchers = [];
// Calls `watcher` after every change, with the names of what changed.
function watch(watcher) {
  watchers.push(watcher);
}
function change(values) {
  Object.assign(choice, values);
  if ("scope" in values || "entry" in values || "filters" in values) visible = find();
  for (const watcher of watchers) watcher(new Set(Object.keys(values)));
}

// The events that lead to `last`, itself included. `about` are the entries whose links count.
function past(last, about) {
  const found = new Set([last]);
  const open = [last];
  while (open.length > 0) {
    for (const [cause, ...bound] of events[open.pop()].c ?? []) {
      const counts = bound.length === 0 || about.size === 0 || bound.some((entry) => about.has(entry));
      if (counts && !found.has(cause)) {
        found.add(cause);
        open.push(cause);
      }
    }
  }
  return found;
}

// The entries that the past of an event is about.
function bearing(place) {
  if (place === verdict.event) return SUSPECTS;
  const own = events[place].e ?? [];
  const suspects = own.filter((entry) => SUSPECTS.has(entry));
  return new Set(suspects.length > 0 ? suspects : own);
}

function isChosen(event, place, origin) {
  if (event.p.length > 0 && event.p.every((peer) => choice.hiddenPeers.has(peer))) return false;
  if (choice.hiddenGroups.has(groupOf(event.k).id)) return false;
  if (choice.entry !== null) {
    const about = event.e?.includes(choice.entry);
    return about || event.k === "fail";
  }
  switch (choice.scope) {
    case "slice": return SLICE.has(place);
    case "past": return origin.has(place);
    case "main": return !event.m && !event.s && event.k !== "round";
    default: return true;
  }
}

// The places of the events that are shown, in order.
function find() {
  const origin = choice.scope === "past" ? past(choice.origin, bearing(choice.origin)) : null;
  const places = [];
  events.forEach((event, place) => {
    if (isChosen(event, place, origin)) places.push(place);
  });
  return places;
}
let visible = find();

const seconds = (ms) => `${(ms / 1000).toFixed(3).replace("-", "−")} s`;
const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;
const peerNames = (places) => places.map((peer) => peers[peer].name).join(", ");

// By how much a peer's wall clock is off at a time, in milliseconds.
function clockOffset(peer, at) {
  const { clock, drift_ppm: drift } = peers[peer];
  return (clock.filter(([since]) => since <= at).at(-1)?.[1] ?? 0) + Math.trunc(at * drift / 1e6);
}

function signedMs(ms) {
  const size = Math.abs(ms);
  const units = [[3600000, "h"], [60000, "min"], [1000, "s"]];
  const [unit, name] = units.find(([unit]) => size >= 2 * unit) ?? [1, "ms"];
  const text = `${Number((size / unit).toFixed(1))} ${name}`;
  return `${ms < 0 ? "−" : "+"}${text}`;
}

// What a clock says, counted from when the story began.
function clockText(ms) {
  const hours = Math.abs(ms) / 3600000;
  if (hours < 1) return seconds(ms);
  const size = hours < 48 ? `${hours.toFixed(1)} h` : `${(hours / 24).toFixed(1)} days`;
  return `${size} ${ms < 0 ? "before" : "after"} the story began`;
}

// An event in one sentence, for those who do not see where it stands.
function sentence(place) {
  const event = events[place];
  const where = event.p.length > 0 ? `${peerNames(event.p)}: ` : "";
  const frame = frames[event.f];
  const words = {
    send: () => `sends ${event.l} to ${peers[frame.to].name}`,
    arrive: () => `gets ${event.l} from ${peers[frame.from].name}`,
    lose: () => `${event.l} from ${peers[frame.from].name} is lost`,
    fail: () => `the property fails: ${event.l}`,
  }[event.k]?.() ?? event.l;
  return `${seconds(event.t)}, ${where}${words}`;
}
