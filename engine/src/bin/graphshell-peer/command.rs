//! What a session can be asked to do, as a value: it is carried out in this process, or sent to the
//! `watch` that holds the profile.

use std::path::PathBuf;

use graphshell_sync::{Position, Trigger};
use serde::{Deserialize, Serialize};

use crate::args::Format;

/// One command of a person. Pages, devices and conflicts are named as people name them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Command {
    /// Show a ticket and wait for whoever has it.
    Invite { read_only: bool },
    /// Join with a ticket.
    Join { ticket: String },
    /// Change what a paired device may do.
    Share { peer: String, access: Share },
    /// Add a page.
    Add { url: String, title: Option<String>, at: Option<Position> },
    /// Change a page.
    Edit(Edit),
    /// Record a visit.
    Visit { from: String, to: String, trigger: Trigger },
    /// Link one page to another.
    Link { from: String, to: String },
    /// Take away what leads from one page to another.
    Unlink { from: String, to: String },
    /// Remove a page.
    Remove { node: String },
    /// List the pages that `search` is found in.
    List { search: Option<String> },
    /// Show one page.
    Show { node: String },
    /// Add what a bookmarks file holds. The path is absolute: whoever carries it out may stand elsewhere.
    Import { file: PathBuf },
    /// One round with one device, or with all.
    Sync { peer: Option<String> },
    /// Tell what happens until the asking side goes away.
    Watch,
    /// What this device has.
    Status,
    /// List disagreements.
    Conflicts,
    /// Settle one.
    Resolve { conflict: String, choice: String },
    /// The whole graph as a text.
    Export { format: Format },
    /// List devices.
    Peers,
    /// Withdraw a device's access and forget it.
    Forget { peer: String },
    /// A new key for this device.
    Rotate,
}

/// The changes of [`Command::Edit`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Edit {
    /// The page.
    pub(crate) node: String,
    /// Its new address.
    pub(crate) url: Option<String>,
    /// Its new title.
    pub(crate) title: Option<String>,
    /// Its new place.
    pub(crate) at: Option<Position>,
    /// Whether it is pinned.
    pub(crate) pin: Option<bool>,
}

/// What a device may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Share {
    /// Everything.
    Full,
    /// See the graph, and not change it.
    ReadOnly,
    /// Nothing.
    Stopped,
}

impl Command {
    /// Whether it needs other devices, and so the network.
    pub(crate) fn needs_network(&self) -> bool {
        matches!(
            self,
            Command::Invite { .. } | Command::Join { .. } | Command::Sync { .. } | Command::Watch
        )
    }
}

/// What the asking side says while a command runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    /// The digits are the same.
    Confirm,
    /// They are not, or nobody wants it.
    Decline,
}
