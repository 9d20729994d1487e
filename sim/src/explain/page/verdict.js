// The top of the page: what failed, what was expected and found, and the commands that lead on.

function command(words, text) {
  const code = make("code", {}, text);
  const copy = async (event) => {
    const button = event.currentTarget;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code);
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  };
  return make("div", { class: "command" }, make("span", {}, words), code,
    make("button", { type: "button", "aria-label": `Copy the command: ${words}`, onclick: copy }, "Copy"));
}

function fact(name, value) {
  return make("div", {}, make("dt", {}, name), make("dd", {}, value));
}

// One line under the headline: when, who, since when.
function sinceWhen() {
  const parts = [];
  if (verdict.outcome === "failed") {
    parts.push(make("p", {}, "Seen at ", make("strong", {}, seconds(verdict.at_ms)),
      verdict.peers.length > 0 ? ` at ${peerNames(verdict.peers)}. ` : ". ",
      eventLink(verdict.event, "Go there")));
  }
  for (const [event, { peer, rows, more }] of wrongSince) {
    const first = rows.slice(0, 3).map((row) =>
      `${row.field} of ${row.subject}: the model expects ${row.values[0]}, it shows ${row.values[1]}`);
    const others = rows.length + more - first.length;
    parts.push(make("p", { class: "since" }, `${peers[peer].name} is wrong since `,
      make("strong", {}, seconds(events[event].t)), `, when it ${events[event].l}. `,
      eventLink(event, "Go there")),
      make("ul", { class: "since" }, first.map((text) => make("li", {}, text)),
        others > 0 ? make("li", {}, `and ${others} more`) : null));
  }
  return parts;
}

function expectedAndFound() {
  if (findings.rows.length === 0) {
    return verdict.detail === "" ? [] : [make("p", { class: "detail" }, verdict.detail)];
  }
  const rows = findings.rows.map((row) => make("tr", {},
    make("th", { scope: "row" }, `${row.field} of ${row.subject}`),
    row.values.map((value, column) => make("td", {
      class: column > 0 && value !== row.values[0] ? "wrong" : "",
    }, value))));
  const columns = findings.columns.map((who, column) => column === 0 ? `${who} expects` : `${who} shows`);
  const more = findings.more > 0 ? [make("p", {}, `and ${findings.more} more`)] : [];
  return [make("p", {}, "When it was seen:"), table("Expected and found", ["What", ...columns], rows), ...more];
}

function namedEntries() {
  const named = story.suspects.length > 0 && story.suspects.length <= 8 ? story.suspects : verdict.entries.slice(0, 8);
  if (named.length === 0) return [];
  const items = named.map((entry) => {
    const { words, clock_ms: clock } = entries[entry];
    const when = typeof clock === "number" ? ` (its author's clock: ${seconds(clock)})` : "";
    return make("li", {}, entryLink(entry), ` ${words}${when}`);
  });
  return [make("ul", { class: "named", "aria-label": "Entries concerned" }, items)];
}

function drawVerdict() {
  const { outcome } = verdict;
  const headline = make("h1", {}, `${story.about.title} `,
    make("span", { class: `outcome ${outcome}` }, outcome),
    verdict.what === "" ? null : ` ${verdict.what}`);
  const counts = Object.entries(verdict.counts);
  const counted = make("details", {}, make("summary", {}, "The whole run in numbers"),
    make("dl", { class: "facts counts" }, counts.map(([what, times]) => fact(what, String(times)))));
  const faults = verdict.faults.length > 0 ? verdict.faults.join(", ") : "none";
  const why = (recorded || outcome !== "failed") && verdict.why !== "" ? [make("p", { class: "why" }, verdict.why)] : [];
  byId("verdict").append(
    make("div", { class: "found" }, headline,
      ...why, ...sinceWhen(), ...expectedAndFound(), ...namedEntries()),
    make("div", { class: "further" }, make("div", { class: "commands" },
      command("Replay", story.about.replay),
      outcome === "failed" && story.about.shrink !== null ? command("Shrink", story.about.shrink) : null),
      make("dl", { class: "facts" },
      fact("Peers", peers.map((peer) => peer.name).join(", ")),
      recorded ? null : fact("Faults in the plan", faults),
      fact(recorded ? "Time" : "Virtual time", seconds(verdict.virtual_ms)),
      fact("Fingerprint", verdict.fingerprint ?? "none"),
      fact("Engine", verdict.engine),
      recorded ? null : fact("Trace hash", make("code", {}, verdict.trace_hash))),
    counted));
}
