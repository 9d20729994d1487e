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
    const where = verdict.peers.length > 0 ? ` at ${peerNames(verdict.peers)}` : "";
    const [[before] = []] = recorded && story.slice.length === 0 ? events[verdict.event].c ?? [] : [];
    parts.push(make("p", {}, "Seen at ", make("strong", {}, seconds(verdict.at_ms)), where,
      ...(before === undefined ? [". "] : [" after: ", eventLink(before, events[before].l), ". "]),
      leadTo(verdict.event, "Go there", "to the failure")));
  }
  for (const [event, { peer, rows, more }] of wrongSince) {
    const first = more === 0 && rows.every((row) => isTabled(row, peer)) ? [] : rows.slice(0, 3).map((row) =>
      `${row.field} of ${row.subject}: the model expects ${row.values[0]}, it shows ${row.values[1]}`);
    const others = first.length === 0 ? 0 : rows.length + more - first.length;
    parts.push(make("p", { class: "since" }, `${peers[peer].name} is wrong since `,
      make("strong", {}, seconds(events[event].t)), `, when it ${events[event].l}. `,
      leadTo(event, "Go there", "to where it went wrong")));
    if (first.length === 0) continue;
    parts.push(make("ul", { class: "since" }, first.map((text) => make("li", {}, text)),
      others > 0 ? make("li", {}, `and ${others} more`) : null));
  }
  return parts;
}

// Whether what differed at first stands in the table of what differs at the failure.
function isTabled({ subject, field, values }, peer) {
  const column = findings.columns.indexOf(peers[peer].name);
  return findings.rows.some((row) => row.subject === subject && row.field === field
    && row.values[0] === values[0] && row.values[column] === values[1]);
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
  return [table("Expected and found", ["When it was seen", ...columns], rows), ...more];
}

function namedEntries() {
  const named = story.suspects.length > 0 && story.suspects.length <= 8 ? story.suspects : verdict.entries.slice(0, 8);
  if (named.length === 0) return [];
  const items = named.map((entry) => {
    const { words, clock_ms: clock } = entries[entry];
    const when = typeof clock === "number" ? ` (its author's clock: ${clockText(clock)})` : "";
    return make("li", {}, entryLink(entry), ` ${words}${when}`);
  });
  return [make("ul", { class: "named", "aria-label": "Entries concerned" }, items)];
}

// Why peers need not show the same in the end, if they do not.
function whyApart() {
  if (verdict.apart === undefined) return [];
  return [make("div", { class: "apart" },
    make("p", {}, "Not all need to show the same in the end:"),
    make("ul", {}, verdict.apart.map((why) => make("li", {}, why))))];
}

function drawVerdict() {
  const { outcome } = verdict;
  const headline = make("h1", {}, `${story.about.title} `,
    make("span", { class: `outcome ${outcome}` }, outcome),
    ...(outcome === "failed" ? [" ", make("small", {}, "property:")] : []),
    verdict.what === "" ? null : ` ${verdict.what}`);
  const why = (recorded || outcome !== "failed") && verdict.why !== "" ? [make("p", { class: "why" }, verdict.why)] : [];
  byId("verdict").append(
    make("div", { class: "found" }, headline,
      ...why, ...whyApart(), ...sinceWhen(), ...expectedAndFound(), ...namedEntries()),
    make("div", { class: "commands" },
      command("Replay", story.about.replay),
      outcome === "failed" && story.about.shrink !== null ? command("Shrink", story.about.shrink) : null),
    wholeRun());
}

// What is rarely asked for.
function wholeRun() {
  const { counts, faults, fingerprint } = verdict;
  return make("details", { class: "whole" }, make("summary", {}, "The whole run in numbers"),
    make("dl", { class: "facts" },
      fact("Peers", peers.map((peer) => peer.name).join(", ")),
      recorded ? null : fact("Faults in the plan", faults.length > 0 ? faults.join(", ") : "none"),
      fact(recorded ? "Time" : "Virtual time", seconds(verdict.virtual_ms)),
      fingerprint === undefined ? null : fact("Fingerprint", make("code", {}, fingerprint)),
      fact(recorded ? "Played by" : "Engine", verdict.engine),
      recorded ? null : fact("Trace hash", make("code", {}, verdict.trace_hash))),
    make("dl", { class: "facts counts" },
      Object.entries(counts).map(([what, times]) => fact(what, String(times)))));
}
