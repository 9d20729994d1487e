//! Items as a person reads them.

use std::collections::BTreeMap;
use std::io::{self, Write};

use graphshell_sync::{DeviceId, NodeId};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::{conflict, style};
use crate::command::Share;
use crate::item::{Did, Happening, Item, Link, Page, Peer, Round, Status};
use crate::profile::short;
use crate::session::kind_name;
use crate::text::{ago, clean, clock, counted, grouped, wrap};

/// Under so many columns a page takes two lines.
const ROOMY: usize = 72;

/// What is remembered between items.
pub(super) struct Text {
    /// Pages of a list, until all are there.
    pages: Vec<Page>,
    /// Of the rounds under way; begun again after other output.
    bars: BTreeMap<DeviceId, ProgressBar>,
    screen: MultiProgress,
    conflicts: bool,
}

impl Text {
    pub(super) fn new() -> Self {
        Text {
            pages: Vec::new(),
            bars: BTreeMap::new(),
            screen: MultiProgress::new(),
            conflicts: false,
        }
    }

    /// Shows how far a round is, on stderr; nothing where nobody looks.
    pub(super) fn progress(&mut self, item: &Item) {
        let Item::Progress { device, name, done, total } = item else { return };
        let screen = &self.screen;
        let bar = self.bars.entry(*device).or_insert_with(|| {
            let bar = screen.add(ProgressBar::new(0));
            bar.set_message(clean(name));
            bar
        });
        let narrow = style::width(false).is_some_and(|width| width < 60);
        let template = match (narrow, total) {
            (true, Some(_)) => "{pos}/{len} operations",
            (true, None) => "{pos} operations",
            (false, Some(_)) => "{msg}  {bar:24} {pos}/{len} operations",
            (false, None) => "{msg}  {pos} operations",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("##-"));
        }
        bar.set_length(total.unwrap_or(*done));
        bar.set_position(*done);
    }

    fn end_progress(&mut self) {
        for (_, bar) in std::mem::take(&mut self.bars) {
            bar.finish_and_clear();
        }
    }

    /// What was kept back.
    pub(super) fn finish(&mut self, out: &mut impl Write) -> io::Result<()> {
        self.end_progress();
        self.write_pages(out)
    }

    pub(super) fn write(&mut self, item: &Item, out: &mut impl Write) -> io::Result<()> {
        if let Item::Page(page @ Page { did: Did::Listed, .. }) = item {
            self.pages.push(page.clone());
            return Ok(());
        }
        self.finish(out)?;
        match item {
            Item::Page(page) if page.did == Did::Shown => shown(page, out),
            Item::Page(page) => {
                let id = short(&page.id.to_string());
                let did = match page.did {
                    Did::Added => style::good("added"),
                    Did::Kept => "unchanged".to_owned(),
                    Did::Changed => style::good("changed"),
                    Did::Removed => style::bad("removed"),
                    Did::Listed | Did::Shown => String::new(),
                };
                let title = clean(&page.title);
                say(out, 2, &format!("{did} {id}  {}", join(&title, &clean(&page.url))))
            }
            Item::Link(link) => say(out, 4, &link_line(link)),
            Item::Listed { shown, pages } => listed(*shown, *pages, out),
            Item::Imported(report) => {
                let folders = counted(report.folders, "folder", "folders");
                let bookmarks = counted(report.bookmarks, "bookmark", "bookmarks");
                let added = counted(report.added, "page", "pages");
                let mut line = format!("{bookmarks} in {folders}: {added} added");
                if report.left_out > 0 {
                    line.push_str(&format!(
                        ", {} left out (scripts, the browser's own addresses, or too long)",
                        grouped(report.left_out)
                    ));
                }
                say(out, 2, &line)
            }
            Item::Created(created) => {
                let name = style::strong(&clean(&created.name));
                say(out, 2, &format!("{name} has a graph now."))?;
                field(out, "profile", &clean(&created.profile.display().to_string()))?;
                field(out, "workspace", &created.workspace.to_string())?;
                field(out, "device", &created.device.to_string())?;
                let keys = match created.key {
                    crate::args::KeyPlace::Keyring => "in the system's keyring",
                    crate::args::KeyPlace::File => {
                        "in files of the profile, which only you may read"
                    }
                    crate::args::KeyPlace::Passphrase => {
                        "sealed with your passphrase; it cannot be recovered"
                    }
                };
                field(out, "keys", keys)
            }
            Item::Peer(peer) => peer_lines(peer, out),
            Item::Round(round) => say(out, 2, &round_line(round)),
            Item::Synced { devices: 0, .. } => {
                say(out, 0, "No device to sync with. `graphshell-peer pair` takes one in.")
            }
            Item::Synced { devices, failed: 0 } if *devices > 1 => {
                say(out, 0, &format!("{devices} devices have the same now."))
            }
            Item::Synced { .. } => Ok(()),
            Item::Joining { name, device, workspace } => say(
                out,
                0,
                &format!(
                    "Joining workspace {workspace} of {} (device {}).",
                    clean(name),
                    short(&device.to_string())
                ),
            ),
            Item::Fingerprint { digits, name, device } => {
                writeln!(out)?;
                writeln!(out, "  {}", style::strong(digits))?;
                writeln!(out)?;
                let id = short(&device.to_string());
                let line = format!(
                    "{} (device {id}) must show these digits too. If it shows others, somebody sits between you.",
                    clean(name)
                );
                say(out, 0, &line)
            }
            Item::Paired { name, access, .. } => {
                let may = match access {
                    Share::ReadOnly => ", which may see and not change",
                    Share::Full | Share::Stopped => "",
                };
                let line = format!("{} with {}{may}.", style::good("Paired"), clean(name));
                say(out, 2, &line)
            }
            Item::Conflict(conflict) => {
                if std::mem::replace(&mut self.conflicts, true) {
                    writeln!(out)?;
                }
                for (indent, line) in conflict::lines(conflict) {
                    say(out, indent + 4, &format!("{}{line}", " ".repeat(indent)))?;
                }
                Ok(())
            }
            Item::Conflicts { open: 0 } => say(out, 0, "No disagreements."),
            Item::Conflicts { .. } => Ok(()),
            Item::Resolved { conflict, choice, open } => {
                let id = short(&conflict.to_string());
                let left = match open {
                    0 => "no disagreement is left".to_owned(),
                    _ => format!("{} left", counted(*open, "disagreement is", "disagreements are")),
                };
                say(out, 2, &format!("{} {id}: {choice}; {left}.", style::good("settled")))
            }
            Item::Status(status) => status_lines(status, out),
            Item::Happened { at_ms, event } => {
                let line = happening(event);
                say(out, 10, &format!("{}  {line}", style::faint(&clock(*at_ms))))
            }
            Item::Shared { name, access, .. } => {
                let may = match access {
                    Share::Full => "may see and change everything",
                    Share::ReadOnly => "may see everything and change nothing",
                    Share::Stopped => "gets nothing any more; what it has already stays there",
                };
                say(out, 2, &format!("{} {may}.", clean(name)))
            }
            Item::Forgotten { name, .. } => say(
                out,
                2,
                &format!("{} is forgotten. What it has already stays there.", clean(name)),
            ),
            Item::Rotated { old, new, peers } => {
                let (old, new) = (short(&old.to_string()), short(&new.to_string()));
                say(out, 2, &format!("The key of this device was {old} and is {new} now."))?;
                let peers = counted(*peers, "device", "devices");
                say(out, 2, &format!("{peers} will be told at the next sync."))
            }
            Item::Note { text } => say(out, 2, &style::faint(&clean(text))),
            // Written elsewhere.
            Item::Ticket { .. } | Item::Document { .. } | Item::Progress { .. } => Ok(()),
        }
    }

    fn write_pages(&mut self, out: &mut impl Write) -> io::Result<()> {
        let pages = std::mem::take(&mut self.pages);
        let ids = short_ids(&pages.iter().map(|page| page.id).collect::<Vec<_>>());
        let width = style::width(true);
        let roomy = width.is_none_or(|width| width >= ROOMY);
        let titles = pages.iter().map(|page| console::measure_text_width(&clean(&page.title)));
        let most = width.map_or(60, |width| width * 2 / 5);
        let column = titles.max().unwrap_or(0).min(most);
        for (page, id) in pages.iter().zip(ids) {
            let (title, url) = (clean(&page.title), clean(&page.url));
            let marks = marks(page);
            let id = style::faint(&id);
            match width {
                _ if roomy => {
                    let title = fit(&title, column);
                    let pad =
                        " ".repeat(column.saturating_sub(console::measure_text_width(&title)));
                    let room = width.map(|width| width.saturating_sub(column + 12));
                    let url = format!("{url}{marks}");
                    let url = room.map_or(url.clone(), |room| fit(&url, room));
                    writeln!(out, "{id}  {title}{pad}  {url}")?;
                }
                width => {
                    let room = width.unwrap_or(80).saturating_sub(10);
                    let name = if title.is_empty() { &url } else { &title };
                    writeln!(out, "{id}  {}", fit(&format!("{name}{marks}"), room))?;
                    if !title.is_empty() {
                        writeln!(out, "          {}", style::faint(&fit(&url, room)))?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Beginnings of ids that tell them apart, of eight characters at least.
fn short_ids(ids: &[NodeId]) -> Vec<String> {
    let texts: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let mut sorted: Vec<&str> = texts.iter().map(String::as_str).collect();
    sorted.sort_unstable();
    let common = |a: &str, b: &str| a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    let needed = sorted.windows(2).map(|pair| common(pair[0], pair[1]) + 1).max().unwrap_or(0);
    let length = needed.max(8);
    texts.iter().map(|text| text.chars().take(length).collect()).collect()
}

fn marks(page: &Page) -> String {
    let mut marks = String::new();
    if page.pinned {
        marks.push_str("  (pinned)");
    }
    if page.ghost {
        marks.push_str("  (deleted, but linked: see conflicts)");
    }
    marks
}

/// `text`, cut to so many columns with an ellipsis.
fn fit(text: &str, columns: usize) -> String {
    console::truncate_str(text, columns, "…").into_owned()
}

fn join(title: &str, url: &str) -> String {
    if title.is_empty() { url.to_owned() } else { format!("{title}  {url}") }
}

/// A line of prose, wrapped.
fn say(out: &mut impl Write, indent: usize, line: &str) -> io::Result<()> {
    match style::prose_width() {
        Some(width) => {
            wrap(line, width, indent).iter().try_for_each(|line| writeln!(out, "{line}"))
        }
        None => writeln!(out, "{line}"),
    }
}

/// A name and its value.
fn field(out: &mut impl Write, name: &str, value: &str) -> io::Result<()> {
    let name = format!("{:<11}", format!("{name}:"));
    say(out, 13, &format!("  {}{value}", style::faint(&name)))
}

fn shown(page: &Page, out: &mut impl Write) -> io::Result<()> {
    let title = if page.title.is_empty() { "(no title)" } else { &page.title };
    say(out, 2, &style::strong(&clean(title)))?;
    field(out, "address", &clean(&page.url))?;
    field(out, "id", &page.id.to_string())?;
    let pinned = if page.pinned { ", pinned" } else { "" };
    field(out, "at", &format!("{},{}{pinned}", page.position.x(), page.position.y()))?;
    if page.ghost {
        field(out, "note", "deleted, but something leads to it: see `graphshell-peer conflicts`")?;
    }
    Ok(())
}

fn link_line(link: &Link) -> String {
    let did = match link.did {
        Did::Added => style::good("added "),
        Did::Removed => style::bad("removed "),
        Did::Kept => "was there ".to_owned(),
        Did::Listed | Did::Shown | Did::Changed => String::new(),
    };
    let ends = match (link.did, link.outgoing) {
        (Did::Listed, true) => format!("  → {}", clean(&link.to_label)),
        (Did::Listed, false) => format!("  ← {}", clean(&link.from_label)),
        _ => format!("{} → {}", clean(&link.from_label), clean(&link.to_label)),
    };
    let mut facts: Vec<String> =
        link.kinds.iter().map(|kind| kind_name(*kind).to_owned()).collect();
    if link.visits > 0 {
        let last = link.last_visit_ms.map(|at| format!(", last {}", ago(at))).unwrap_or_default();
        facts.push(format!("{}{last}", counted(link.visits, "visit", "visits")));
    }
    let facts = if facts.is_empty() { String::new() } else { format!("  ({})", facts.join(", ")) };
    format!("{did}{ends}{facts}")
}

fn listed(shown: u64, pages: u64, out: &mut impl Write) -> io::Result<()> {
    match (shown, pages) {
        (_, 0) => say(
            out,
            0,
            "No pages yet. `graphshell-peer add URL` adds one, `import FILE` those of a browser.",
        ),
        (0, _) => say(out, 0, &format!("None of {}.", counted(pages, "page", "pages"))),
        _ => Ok(()),
    }
}

fn round_line(round: &Round) -> String {
    let name = clean(&round.name);
    match &round.failure {
        Some(failure) => {
            let next = failure.next.as_ref().map(|next| format!(" ({next})")).unwrap_or_default();
            format!("{name}: {}{}", style::bad(&clean(&failure.what)), clean(&next))
        }
        None if round.sent == 0 && round.received == 0 => {
            format!("{name}: nothing new on either side")
        }
        None => {
            let sent = counted(round.sent, "operation", "operations");
            format!("{name}: {sent} sent, {} received", grouped(round.received))
        }
    }
}

fn access_name(access: Share) -> &'static str {
    match access {
        Share::Full => "may change everything",
        Share::ReadOnly => "may only see",
        Share::Stopped => "gets nothing",
    }
}

fn peer_lines(peer: &Peer, out: &mut impl Write) -> io::Result<()> {
    let id = short(&peer.device.to_string());
    let synced = match peer.synced_ms {
        Some(at) => format!("synced {}", ago(at)),
        None => "never synced".to_owned(),
    };
    let connected = match peer.connected {
        Some(true) => style::good("connected, "),
        Some(false) => "not connected, ".to_owned(),
        None => String::new(),
    };
    let name = style::strong(&clean(&peer.name));
    let access = access_name(peer.access);
    say(out, 2, &format!("{name}  {}  {access}, {connected}{synced}", style::faint(&id)))
}

fn status_lines(status: &Status, out: &mut impl Write) -> io::Result<()> {
    say(out, 2, &style::strong(&clean(&status.name)))?;
    let pages = counted(status.pages, "page", "pages");
    let links = counted(status.links, "link", "links");
    let operations = counted(status.operations, "operation", "operations");
    field(out, "graph", &format!("{pages}, {links}, made by {operations}"))?;
    let conflicts = match status.conflicts {
        0 => "none".to_owned(),
        open => style::bad(&format!("{open} (see `graphshell-peer conflicts`)")),
    };
    field(out, "conflicts", &conflicts)?;
    if !status.quarantined.is_empty() {
        let who = clean(&status.quarantined.join(", "));
        field(out, "shut out", &style::bad(&format!("{who}, since it has two histories")))?;
    }
    let watching = match status.watching {
        true if status.addresses.is_empty() => "yes".to_owned(),
        true => format!("yes, at {}", status.addresses.join(", ")),
        false => "no: others cannot reach this device".to_owned(),
    };
    field(out, "watching", &watching)?;
    let mdns = if status.mdns { ", looks for devices of the local network" } else { "" };
    field(out, "relay", &format!("{}{mdns}", clean(&status.relay)))?;
    field(out, "profile", &clean(&status.profile.display().to_string()))?;
    field(out, "workspace", &status.workspace.to_string())?;
    field(out, "device", &status.device.to_string())?;
    if status.peers.is_empty() {
        return field(out, "peers", "none; `graphshell-peer pair` takes one in");
    }
    field(out, "peers", &status.peers.len().to_string())?;
    status.peers.iter().try_for_each(|peer| peer_lines(peer, out))
}

fn happening(event: &Happening) -> String {
    match event {
        Happening::Watching { name, addresses, pages, peers } => {
            let pages = counted(*pages, "page", "pages");
            let peers = counted(*peers, "peer", "peers");
            let at = if addresses.is_empty() {
                String::new()
            } else {
                format!(" at {}", addresses.join(", "))
            };
            format!(
                "{} watches{at}: {pages}, {peers}. Ctrl-C ends it.",
                style::strong(&clean(name))
            )
        }
        Happening::Connected { name, path, .. } => {
            format!("{} {} ({})", style::good("connected"), clean(name), clean(path))
        }
        Happening::Gone { name, .. } => format!("{} {}", style::bad("gone"), clean(name)),
        Happening::Moved { name, sent, received, .. } => {
            let sent = counted(*sent, "operation", "operations");
            format!("{}: {sent} sent, {} received", clean(name), grouped(*received))
        }
        Happening::Failed { name, why, .. } => {
            format!("{}: {}; it is tried again", clean(name), style::bad(&clean(why)))
        }
        Happening::Changed { pages, links } => {
            let pages = counted(*pages, "page", "pages");
            format!("graph: {pages}, {}", counted(*links, "link", "links"))
        }
        Happening::ConflictOpened { conflict, label } => {
            let id = short(&conflict.to_string());
            format!(
                "{} {id} about {:?}: see `graphshell-peer conflicts`",
                style::bad("disagreement"),
                clean(label)
            )
        }
        Happening::ConflictSettled { conflict } => {
            format!("{} {}", style::good("settled"), short(&conflict.to_string()))
        }
        Happening::Warning { text } => format!("{} {}", style::bad("warning:"), clean(text)),
        Happening::Ended => "ended".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn short_ids_tell_pages_apart() {
        let ids = [1u128 << 96, 2 << 96, (2 << 96) + (1 << 90)].map(|n| NodeId(Uuid::from_u128(n)));
        let short = short_ids(&ids);
        assert!(short.iter().all(|id| id.len() >= 8), "{short:?}");
        assert_ne!(short[1], short[2]);
        assert!(short_ids(&[]).is_empty());
    }
}
