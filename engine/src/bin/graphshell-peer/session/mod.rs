//! An opened profile: the one place where commands are carried out.
//!
//! A session is the same in a program that runs one command and in a `watch` that takes commands of
//! others over a socket: a [`Command`] goes in, [`Item`]s come out, and a person's answers go in on the
//! way. Nothing in here prints or asks.

mod conflicts;
mod export;
mod import;
mod pages;

use std::sync::Arc;

use graphshell_sync::ports::Entropy;
use graphshell_sync::store::disk::{DeviceWitness, DiskStore};
use graphshell_sync::{
    Config, EditError, LogEntry, NodeId, OpenError, Outcome, PeerId, PortSet, Receipt, SystemClock,
    SystemEntropy, Workspace,
};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::command::{Answer, Command};
use crate::failure::{Failure, Kind, Result};
use crate::item::Item;
use crate::keys::Keys;
use crate::network::Network;
use crate::profile::Profile;

pub(crate) use conflicts::kind_name;

/// The ports of this program.
pub(crate) type Ports = PortSet<SystemClock, SystemEntropy, DiskStore, DeviceWitness, Network>;

/// Log records between two snapshots, and between two cuts of the log.
const SNAPSHOT_EVERY: u64 = 1_000;
const COMPACT_EVERY: u64 = 20_000;

/// The two directions of a running command.
pub(crate) struct Dialog {
    items: mpsc::Sender<Item>,
    answers: tokio::sync::Mutex<mpsc::Receiver<Answer>>,
}

impl Dialog {
    /// What is told comes out of `items`; answers come from `answers`.
    pub(crate) fn new(items: mpsc::Sender<Item>, answers: mpsc::Receiver<Answer>) -> Self {
        Dialog { items, answers: tokio::sync::Mutex::new(answers) }
    }

    /// Tells one item. Waits while the reader is behind.
    ///
    /// # Errors
    /// If nobody listens any more.
    pub(crate) async fn tell(&self, item: Item) -> Result<()> {
        let gone = |_| Failure::new(Kind::Interrupted, "nobody reads the output any more");
        self.items.send(item).await.map_err(gone)
    }

    /// The next answer; nobody there means no.
    pub(crate) async fn answer(&self) -> Answer {
        self.answers.lock().await.recv().await.unwrap_or(Answer::Decline)
    }
}

/// See the module.
pub(crate) struct Session {
    profile: Arc<Profile>,
    workspace: Workspace<Ports>,
    /// What ended the driver, if something did.
    ended: watch::Receiver<Option<String>>,
    tasks: JoinSet<()>,
}

impl Session {
    /// Opens the profile's store, and begins it in a new profile.
    pub(crate) async fn open(profile: Arc<Profile>, keys: Keys, network: Network) -> Result<Self> {
        let contents = profile.read();
        let folder = profile.file("store");
        let store_failed = |error| store_failure(&profile, &OpenError::Store(error));
        let ports = PortSet {
            clock: SystemClock,
            entropy: SystemEntropy,
            store: DiskStore::new(&folder, contents.workspace, keys.store).map_err(store_failed)?,
            witness: DeviceWitness::beside(&folder).map_err(store_failed)?,
            network,
        };
        let config = Config {
            workspace: contents.workspace,
            device: keys.device,
            snapshot_every: SNAPSHOT_EVERY,
            compact_every: COMPACT_EVERY,
        };
        let opened = Workspace::open(config, ports).await;
        let (workspace, driver) = opened.map_err(|error| store_failure(&profile, &error))?;
        let (sender, ended) = watch::channel(None);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let why = match driver.run().await {
                Ok(()) => "the graph was closed".to_owned(),
                Err(error) => error.to_string(),
            };
            sender.send_replace(Some(why));
        });
        Ok(Session { profile, workspace, ended, tasks })
    }

    /// Carries out one command. Dropping the future ends it; what was done until then stays.
    pub(crate) async fn carry_out(&self, command: Command, out: &Dialog) -> Result<()> {
        let mut ended = self.ended.clone();
        tokio::select! {
            biased;
            result = self.do_it(command, out) => result,
            why = ended.wait_for(Option::is_some) => {
                let why = why.ok().and_then(|why| why.clone()).unwrap_or_default();
                Err(Failure::failed(format!("the store of {} failed: {why}", self.profile.folder().display()))
                    .next("see whether the disk is full or was removed, then try again"))
            }
        }
    }

    async fn do_it(&self, command: Command, out: &Dialog) -> Result<()> {
        match command {
            Command::Add { url, title, at } => self.add(url, title, at, out).await,
            Command::Edit(edit) => self.edit(edit, out).await,
            Command::Visit { from, to, trigger } => self.visit(&from, &to, trigger, out).await,
            Command::Link { from, to } => self.link(&from, &to, out).await,
            Command::Unlink { from, to } => self.unlink(&from, &to, out).await,
            Command::Remove { node } => self.remove(&node, out).await,
            Command::List { search } => self.list(search, out).await,
            Command::Show { node } => self.show(&node, out).await,
            Command::Import { file } => self.import(&file, out).await,
            Command::Conflicts => self.conflicts(out).await,
            Command::Resolve { conflict, choice } => self.resolve(&conflict, &choice, out).await,
            Command::Export { format } => self.export(format, out).await,
            _ => Err(Failure::failed("not yet")),
        }
    }

    /// Makes everything durable and lets go of the profile.
    pub(crate) async fn close(mut self) {
        self.workspace.close().await;
        while self.tasks.join_next().await.is_some() {}
    }

    /// One edit, durable when it returns.
    async fn apply(&self, operations: &[LogEntry]) -> Result<()> {
        let receipt = self.begin(operations)?;
        self.settle(receipt).await
    }

    /// One edit, visible when it returns.
    fn begin(&self, operations: &[LogEntry]) -> Result<Receipt> {
        self.workspace.edit_all(operations).map_err(edit_failure)
    }

    /// Waits until an edit is durable.
    async fn settle(&self, receipt: Receipt) -> Result<()> {
        match self.workspace.settled(receipt).await {
            Outcome::Durable(_) => Ok(()),
            Outcome::Refused(error) => {
                Err(Failure::failed(format!("the change was taken back: {error}"))
                    .next("see whether the disk is full, then try again"))
            }
        }
    }

    fn new_node(&self) -> NodeId {
        let mut bytes = [0; 16];
        SystemEntropy.fill(&mut bytes);
        NodeId(import::random_id(bytes))
    }

    /// Who an author of entries is, in words.
    fn author_name(&self, author: PeerId) -> String {
        if author == self.workspace.peer_id() {
            return "you".to_owned();
        }
        let contents = self.profile.read();
        let Some(known) = contents.authors.get(&author) else {
            return format!("an unknown device ({})", crate::profile::short(&author.to_string()));
        };
        let paired = contents.peers.get(&known.device);
        paired.map_or_else(|| known.name.clone(), |peer| peer.name.clone())
    }
}

fn edit_failure(error: EditError) -> Failure {
    let failure = Failure::failed(format!("nothing was changed: {error}"));
    match error {
        EditError::TooLong(_) => Failure { kind: Kind::Usage, ..failure },
        EditError::NoSuchNode(_) | EditError::NoSuchEdge(..) => {
            Failure { kind: Kind::NotFound, ..failure }
        }
        EditError::Busy | EditError::Unavailable => failure.next("try again in a moment"),
        _ => failure,
    }
}

fn store_failure(profile: &Profile, error: &OpenError) -> Failure {
    let folder = profile.file("store");
    let text = error.to_string();
    let failure = Failure::new(Kind::Profile, format!("{}: {text}", folder.display()));
    match error {
        OpenError::Store(graphshell_sync::ports::StoreError::Refused(why)) if is_held(why) => {
            Failure::new(Kind::InUse, format!("another program uses the profile {}", profile.folder().display()))
                .next("wait until it is done, or end it; commands go through a running `watch` by themselves")
        }
        OpenError::Store(graphshell_sync::ports::StoreError::Damaged(_)) => {
            failure.next("if a passphrase was asked for, see whether it is right; nothing was changed")
        }
        _ => failure,
    }
}

/// Whether a store was refused because somebody else has it open.
fn is_held(why: &str) -> bool {
    why.contains("another program")
}
