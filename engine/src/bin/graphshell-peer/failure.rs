//! Why a command failed, and the exit code that says so to a script.

use serde::{Deserialize, Serialize};

use crate::text;

/// What kind of failure it is; each has an exit code of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// Anything without a kind of its own: a disk that is full, a file that is no bookmarks file.
    Failed,
    /// Arguments that make no sense. clap's own code, too.
    Usage,
    /// There is no profile, or it cannot be used.
    Profile,
    /// No page, device or conflict is named so, or more than one is.
    NotFound,
    /// A device could not be reached, or a round ended before its goal.
    Sync,
    /// One of both sides did not confirm, or the ticket is of no use.
    Declined,
    /// Another program holds the profile.
    InUse,
    /// Ended by Ctrl-C or SIGTERM.
    Interrupted,
}

/// The exit codes, as the help shows them.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0    done; `watch` also when it is ended by Ctrl-C
  1    failed: the message says what to do
  2    wrong arguments
  3    no profile there, or it cannot be used
  4    no page, device or conflict is named so, or several are
  5    a device cannot be reached, or sync ended too early
  6    not confirmed, or the ticket is of no use
  7    another program uses the profile
  130  ended by Ctrl-C";

impl Kind {
    /// The process's exit code.
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Kind::Failed => 1,
            Kind::Usage => 2,
            Kind::Profile => 3,
            Kind::NotFound => 4,
            Kind::Sync => 5,
            Kind::Declined => 6,
            Kind::InUse => 7,
            Kind::Interrupted => 130,
        }
    }
}

/// A command was not carried out, or not whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{what}")]
pub(crate) struct Failure {
    /// For scripts.
    pub(crate) kind: Kind,
    /// What happened, where, and what had been expected; may have several lines.
    pub(crate) what: String,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

impl Failure {
    /// A failure of which nothing better is known than its text.
    pub(crate) fn new(kind: Kind, what: impl Into<String>) -> Self {
        Failure { kind, what: what.into(), next: None }
    }

    /// [`Kind::Failed`].
    pub(crate) fn failed(what: impl Into<String>) -> Self {
        Failure::new(Kind::Failed, what)
    }

    /// The same, with what to do next.
    pub(crate) fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// The lines that a person sees. Texts of others in it are made harmless.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.what.lines().map(text::clean).collect();
        if let Some(first) = lines.first_mut() {
            first.insert_str(0, "error: ");
        }
        for (index, line) in self.next.iter().flat_map(|next| next.lines()).enumerate() {
            let lead = if index == 0 { "  next: " } else { "        " };
            lines.push(format!("{lead}{}", text::clean(line)));
        }
        lines
    }
}

/// What commands return.
pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;
