//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use serde::{Deserialize, Serialize};

use crate::failure::EXIT_CODES;

const ABOUT: &str = "A graph of pages on each of your devices, kept the same without a server.";
const LONG_ABOUT: &str = "\
A graph of pages on each of your devices, kept the same without a server.

Begin with `init` on the first device. `pair` there shows a ticket; `pair TICKET` on the other device \
joins, both people compare a number, and from then on `sync` and `watch` keep both the same.

Pages are named by their address, by the beginning of their title, or by the beginning of their id.
With --json every line of the output is one object with a field `type`; errors go to stderr.";

const EXAMPLES: &str = "\
Examples:
  graphshell-peer init --name laptop
  graphshell-peer add https://www.rust-lang.org/ --title 'Rust'
  graphshell-peer import bookmarks.html
  graphshell-peer pair
  graphshell-peer watch";

/// The program's arguments.
#[derive(Debug, Parser)]
#[command(
    name = "graphshell-peer",
    version,
    about = ABOUT,
    long_about = LONG_ABOUT,
    after_help = EXAMPLES,
    after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"),
    max_term_width = 100,
    propagate_version = true,
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// Options of every command.
#[derive(Clone, Debug, Args)]
pub(crate) struct Common {
    /// Folder of the profile [default: where your system keeps a program's data]
    #[arg(long, global = true, value_name = "DIR", help_heading = "General")]
    pub(crate) profile: Option<PathBuf>,
    /// One JSON object per line instead of text
    #[arg(long, global = true, help_heading = "General")]
    pub(crate) json: bool,
    /// What the network does, on stderr; -vv tells more
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "General")]
    pub(crate) verbose: u8,
    /// Read the passphrase from the first line of FILE
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        help_heading = "General",
        conflicts_with = "passphrase_env"
    )]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Read the passphrase from the environment variable NAME
    #[arg(long, global = true, value_name = "NAME", help_heading = "General")]
    pub(crate) passphrase_env: Option<String>,
}

/// How devices find each other. Given to `init` or `pair` they are remembered.
#[derive(Clone, Debug, Default, PartialEq, Args)]
pub(crate) struct NetworkArgs {
    /// Relay that helps devices which cannot reach each other directly: `off`, `default` (those of the
    /// iroh project, which learn your network address) or an https URL of your own
    #[arg(long, value_name = "RELAY", help_heading = "Network")]
    pub(crate) relay: Option<RelayChoice>,
    /// Find devices of the local network by multicast, and be found
    #[arg(
        long, value_name = "on|off", help_heading = "Network", num_args = 0..=1,
        require_equals = true, default_missing_value = "on"
    )]
    pub(crate) mdns: Option<Switch>,
    /// Address and UDP port to listen on [default: any address, and a port that the profile remembers]
    #[arg(long, value_name = "ADDR:PORT", help_heading = "Network")]
    pub(crate) listen: Option<SocketAddr>,
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    /// Yes.
    On,
    /// No.
    Off,
}

/// Which relay is used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) enum RelayChoice {
    /// None: devices meet on a local network or by public addresses only.
    #[default]
    Off,
    /// Those of the iroh project.
    Default,
    /// One's own.
    Own(iroh::RelayUrl),
}

impl std::str::FromStr for RelayChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(RelayChoice::Off),
            "default" => Ok(RelayChoice::Default),
            url if url.starts_with("https://") || url.starts_with("http://") => url
                .parse()
                .map(RelayChoice::Own)
                .map_err(|error| format!("{error}; expected `off`, `default` or an https URL")),
            _ => Err("expected `off`, `default` or an https URL".to_owned()),
        }
    }
}

impl TryFrom<String> for RelayChoice {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl std::fmt::Display for RelayChoice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            RelayChoice::Off => f.write_str("off"),
            RelayChoice::Default => f.write_str("default"),
            RelayChoice::Own(url) => write!(f, "{url}"),
        }
    }
}

impl From<RelayChoice> for String {
    fn from(choice: RelayChoice) -> Self {
        choice.to_string()
    }
}

/// What a new profile is to be like.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct CreateArgs {
    /// What other people see this device as [default: the computer's name]
    #[arg(long, value_name = "NAME", help_heading = "A new profile")]
    pub(crate) name: Option<String>,
    /// Where the keys lie [default: the system's keyring, or files where none runs]
    #[arg(long, value_enum, value_name = "PLACE", help_heading = "A new profile")]
    pub(crate) key: Option<KeyPlace>,
}

/// Where the keys of a profile lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum KeyPlace {
    /// In the operating system's keyring.
    Keyring,
    /// In files of the profile that only you may read.
    File,
    /// The store is sealed with a passphrase; the device's own key lies in a file.
    Passphrase,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Begin a graph on this device
    #[command(
        after_help = "Examples:\n  graphshell-peer init --name laptop\n  graphshell-peer init --key passphrase --relay default"
    )]
    Init {
        #[command(flatten)]
        create: CreateArgs,
        #[command(flatten)]
        network: NetworkArgs,
    },
    /// Let another device share the graph: show a ticket, or join with one
    #[command(
        long_about = "Let another device share the graph.\n\nWithout TICKET it shows one, as text and as a QR code, and \
            waits. The other person gives it to `pair TICKET`. Both then see the same twelve digits; only if they \
            really are the same may both confirm. A ticket is good once, and for ten minutes. Whoever sees it \
            may try to join, so give it to nobody else.\n\nWhere there is no profile yet, `pair TICKET` makes one.",
        after_help = "Examples:\n  graphshell-peer pair\n  graphshell-peer pair graphshell…\n  graphshell-peer pair --read-only"
    )]
    Pair {
        /// The ticket that the other device shows
        ticket: Option<String>,
        /// The other device may see the graph, and not change it
        #[arg(long, conflicts_with = "ticket")]
        read_only: bool,
        /// Confirm without a question: whoever has the ticket is taken in. For scripts; one that compares
        /// the digits reads them from --json and answers on stdin, with `yes` or the other side's digits
        #[arg(long)]
        yes: bool,
        /// No QR code
        #[arg(long)]
        no_qr: bool,
        #[command(flatten)]
        create: CreateArgs,
        #[command(flatten)]
        network: NetworkArgs,
    },
    /// Change what a paired device may do
    #[command(
        after_help = "Examples:\n  graphshell-peer share phone --read-only\n  graphshell-peer share phone --stop"
    )]
    Share {
        /// Name of the device, or the beginning of its key
        peer: String,
        /// It may see the graph, and not change it
        #[arg(long, conflicts_with = "stop")]
        read_only: bool,
        /// It gets nothing any more; it stays known
        #[arg(long)]
        stop: bool,
    },
    /// Add a page
    #[command(
        after_help = "Examples:\n  graphshell-peer add https://www.rust-lang.org/ --title 'Rust'\n  graphshell-peer add https://example.com/ --at 120,-40"
    )]
    Add {
        /// The page's address
        url: String,
        /// Its title
        #[arg(long)]
        title: Option<String>,
        /// Where it lies on the canvas
        #[arg(long, value_name = "X,Y", allow_hyphen_values = true)]
        at: Option<At>,
    },
    /// Change a page
    #[command(
        after_help = "Examples:\n  graphshell-peer edit rust --title 'The Rust language'\n  graphshell-peer edit 3f2a9c1e --pin"
    )]
    Edit {
        /// Its address, or the beginning of its title or id
        node: String,
        /// Its new address
        #[arg(long)]
        url: Option<String>,
        /// Its new title
        #[arg(long)]
        title: Option<String>,
        /// Where it lies now
        #[arg(long, value_name = "X,Y", allow_hyphen_values = true)]
        at: Option<At>,
        /// Pin it to its place
        #[arg(long, conflicts_with = "unpin")]
        pin: bool,
        /// Let it move
        #[arg(long)]
        unpin: bool,
    },
    /// Record that you went from one page to another
    #[command(after_help = "Example:\n  graphshell-peer visit rust 'The Book' --trigger link")]
    Visit {
        /// The page you came from
        from: String,
        /// The page you went to
        to: String,
        /// What caused it
        #[arg(long, value_enum, default_value = "link")]
        trigger: TriggerChoice,
    },
    /// Say that one page belongs to another
    #[command(after_help = "Example:\n  graphshell-peer link rust 'The Book'")]
    Link {
        /// The page to link from
        from: String,
        /// The page to link to
        to: String,
    },
    /// Take away the links and visits from one page to another
    Unlink {
        /// The page they lead from
        from: String,
        /// The page they lead to
        to: String,
    },
    /// Remove a page
    #[command(after_help = "Example:\n  graphshell-peer rm 'The Book'")]
    Rm {
        /// Its address, or the beginning of its title or id
        node: String,
    },
    /// List the pages
    #[command(
        after_help = "Examples:\n  graphshell-peer list\n  graphshell-peer list rust\n  graphshell-peer list --json | jq -r .url"
    )]
    List {
        /// Only pages with this in their title or address
        search: Option<String>,
    },
    /// Show a page with its links and visits
    Show {
        /// Its address, or the beginning of its title or id
        node: String,
    },
    /// Add the pages of a bookmarks file, as any browser exports one
    #[command(
        long_about = "Add the pages of a bookmarks file (HTML), as Firefox, Chrome, Safari, Edge and others export one.\n\n\
            A folder becomes a page with an address of its own (`folder:`) that is grouped with what lies in it. An address that \
            the graph has is not added again, so the same file twice adds nothing. Scripts, data and the \
            browser's own addresses are left out. At most 64 MiB, 200,000 bookmarks and 64 folders deep.",
        after_help = "Example:\n  graphshell-peer import bookmarks.html"
    )]
    Import {
        /// The file
        file: PathBuf,
    },
    /// Bring this device and others to the same state
    #[command(
        long_about = "Bring this device and others to the same state, once. The other device has to run `watch` \
            (or `sync` or `pair`) at that time.",
        after_help = "Examples:\n  graphshell-peer sync\n  graphshell-peer sync phone"
    )]
    Sync {
        /// Only with this device
        peer: Option<String>,
        #[command(flatten)]
        network: NetworkArgs,
    },
    /// Stay in touch with all devices, and tell what happens
    #[command(
        long_about = "Stay in touch with all devices, and tell what happens. What you and others do arrives at once. \
            Other commands work meanwhile: the running `watch` carries them out. Ctrl-C ends it.",
        after_help = "Examples:\n  graphshell-peer watch\n  graphshell-peer watch --mdns\n  graphshell-peer watch --json"
    )]
    Watch {
        #[command(flatten)]
        network: NetworkArgs,
    },
    /// What this device has, and with whom it shares it
    Status,
    /// List the disagreements that a person may want to settle
    Conflicts,
    /// Settle a disagreement
    #[command(
        long_about = "Settle a disagreement, as `conflicts` lists it with the choices that it has:\n\n  \
            delete       the page stays deleted, for what was done to it as well\n  \
            restore      the page is there again, as it was changed last\n  \
            restore=1,3  the same, with the changes of these numbers\n  \
            both         both links stay\n  \
            hyperlink, history, group  only this link stays",
        after_help = "Examples:\n  graphshell-peer resolve 3f2a9c1e restore\n  graphshell-peer resolve 3f2a9c1e delete"
    )]
    Resolve {
        /// The beginning of the disagreement's id
        conflict: String,
        /// What is to be
        choice: String,
    },
    /// Write the whole graph to stdout
    #[command(
        after_help = "Examples:\n  graphshell-peer export > graph.json\n  graphshell-peer export --format html > bookmarks.html\n  graphshell-peer export --format dot | dot -Tsvg > graph.svg"
    )]
    Export {
        /// JSON, a bookmarks file for any browser, or a drawing for Graphviz
        #[arg(long, value_enum, default_value = "json")]
        format: Format,
    },
    /// List the devices that this one was paired with
    Peers,
    /// Give a device nothing any more, and forget it
    #[command(
        after_help = "Example:\n  graphshell-peer forget 'old phone'\n\nWhat it has already stays there."
    )]
    Forget {
        /// Name of the device, or the beginning of its key
        peer: String,
    },
    /// Give this device a new key; others take it over at the next sync
    #[command(
        long_about = "Give this device a new key, for example after the old one may have been seen by somebody. \
        The old key signs for the new one, and each paired device takes it over when both meet next."
    )]
    Rotate,
    /// Write man pages into a folder
    #[command(
        after_help = "Example:\n  graphshell-peer man ./man && man -l ./man/graphshell-peer.1"
    )]
    Man {
        /// The folder; it is made
        folder: PathBuf,
    },
    /// Write completions for a shell to stdout
    #[command(
        after_help = "Examples:\n  graphshell-peer completions bash > graphshell-peer.bash\n  graphshell-peer completions fish > graphshell-peer.fish"
    )]
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// A place on the canvas.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At(pub(crate) graphshell_sync::Position);

impl std::str::FromStr for At {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.trim().parse::<f32>().ok();
        let parts = text.split_once(',').and_then(|(x, y)| Some((number(x)?, number(y)?)));
        parts.and_then(|(x, y)| graphshell_sync::Position::new(x, y).ok()).map(At).ok_or_else(
            || "expected two finite numbers with a comma between, as in 120,-40".to_owned(),
        )
    }
}

/// What caused a visit.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum TriggerChoice {
    /// A link was followed.
    Link,
    /// The address was typed.
    Typed,
    /// Back in the history.
    Back,
    /// Forward in the history.
    Forward,
    /// Not known.
    Unknown,
}

impl From<TriggerChoice> for graphshell_sync::Trigger {
    fn from(choice: TriggerChoice) -> Self {
        match choice {
            TriggerChoice::Link => Self::Link,
            TriggerChoice::Typed => Self::Typed,
            TriggerChoice::Back => Self::Back,
            TriggerChoice::Forward => Self::Forward,
            TriggerChoice::Unknown => Self::Unknown,
        }
    }
}

/// The forms of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Format {
    /// The graph as the engine's readers see it.
    Json,
    /// A bookmarks file.
    Html,
    /// Graphviz.
    Dot,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn arguments_are_consistent() {
        Cli::command().debug_assert();
    }
}
