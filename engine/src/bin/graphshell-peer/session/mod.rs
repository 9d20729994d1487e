//! An opened profile: the one place where commands are carried out.
//!
//! A session is the same in a program that runs one command and in a `watch` that takes commands of
//! others over a socket: a [`Command`] goes in, [`Item`]s come out, and a person's answers go in on the
//! way. Nothing in here prints or asks.

mod conflicts;
mod export;
mod host;
mod import;
mod names;
mod pages;
mod pair;
mod sync;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use graphshell_sync::autosync::{AutoSyncHandle, Policy, auto_sync};
use graphshell_sync::backend::iroh::IrohBackend;
use graphshell_sync::device_key::Succession;
use graphshell_sync::pairing::{self, Inviter};

use graphshell_sync::ports::Entropy;
use graphshell_sync::store::disk::{DeviceWitness, DiskStore};
use graphshell_sync::{
    Config, DeviceId, EditError, LogEntry, NodeId, OpenError, Outcome, PeerId, PortSet, Receipt,
    SystemClock, SystemEntropy, Workspace,
};
use iroh::protocol::Router;
use tokio::sync::{mpsc, watch as channel};
use tokio::task::JoinSet;

use crate::args::{KeyPlace, NetworkArgs, RelayChoice};
use crate::command::{Answer, Command};
use crate::failure::{Failure, Kind, Result};
use crate::item::Item;
use crate::keys::Keys;
use crate::network::Network;
use crate::profile::{self, Profile};

use host::{Book, Desk, PairHost};

pub(crate) use conflicts::kind_name;
pub(crate) use pair::{device_name, parse_ticket};

/// The ports of this program.
pub(crate) type Ports = PortSet<SystemClock, SystemEntropy, DiskStore, DeviceWitness, Network>;

/// Log records between two snapshots, and between two cuts of the log.
const SNAPSHOT_EVERY: u64 = 1_000;
const COMPACT_EVERY: u64 = 20_000;
/// How long other devices may take to hear that this one leaves.
const GOOD_BYE: Duration = Duration::from_secs(3);

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

/// What a session has other devices for.
#[derive(Clone, Debug)]
pub(crate) enum Reach {
    /// Nothing: no socket is opened.
    Nobody,
    /// What a command wants of them; they are answered meanwhile.
    Others(NetworkArgs),
    /// Staying in touch: it syncs by itself.
    Always(NetworkArgs),
}

/// See the module.
pub(crate) struct Session {
    profile: Arc<Profile>,
    workspace: Workspace<Ports>,
    device: DeviceId,
    online: Option<Online>,
    /// What ended the driver, if something did.
    ended: channel::Receiver<Option<String>>,
    tasks: tokio::sync::Mutex<JoinSet<()>>,
}

/// The network's side of a session.
struct Online {
    backend: IrohBackend,
    router: Router,
    inviter: Inviter<PairHost>,
    desk: Arc<Desk>,
    /// What syncs by itself, in a watch.
    auto: Option<AutoSyncHandle>,
    /// How this device's key came about, for those that know an earlier one.
    successions: Vec<Succession>,
    relayed: bool,
    settings: profile::Network,
}

impl Online {
    /// Where this device can be reached.
    fn addresses(&self) -> Vec<String> {
        let sockets = self.backend.endpoint().addr();
        let direct = sockets.ip_addrs().map(ToString::to_string);
        direct.chain(sockets.relay_urls().map(ToString::to_string)).collect()
    }
}

impl Session {
    /// Opens the profile's store, and begins it in a new profile.
    pub(crate) async fn open(profile: Arc<Profile>, keys: Keys, reach: Reach) -> Result<Arc<Self>> {
        let contents = profile.read();
        let device = keys.device.device_id();
        let folder = profile.file("store");
        let store_failed = |error| store_failure(&profile, &OpenError::Store(error));
        let (args, always) = match &reach {
            Reach::Nobody => (None, false),
            Reach::Others(args) => (Some(args), false),
            Reach::Always(args) => (Some(args), true),
        };
        let settings = args.map(|args| crate::network::apply(args, contents.network.clone()));
        let backend = match &settings {
            Some(wanted) => Some(Network::bind(wanted, keys.device.secret().clone()).await?),
            None => None,
        };
        let ports = PortSet {
            clock: SystemClock,
            entropy: SystemEntropy,
            store: DiskStore::new(&folder, contents.workspace, keys.store).map_err(store_failed)?,
            witness: DeviceWitness::beside(&folder).map_err(store_failed)?,
            network: backend.clone().map_or_else(Network::none, Network::Iroh),
        };
        let config = Config {
            workspace: contents.workspace,
            device,
            snapshot_every: SNAPSHOT_EVERY,
            compact_every: COMPACT_EVERY,
        };
        let opened = Workspace::open(config, ports).await;
        let (workspace, driver) = opened.map_err(|error| store_failure(&profile, &error))?;
        // Whoever held the store until now may have changed it.
        profile.reload()?;
        let (sender, ended) = channel::channel(None);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let why = match driver.run().await {
                Ok(()) => "the graph was closed".to_owned(),
                Err(error) => error.to_string(),
            };
            sender.send_replace(Some(why));
        });
        let book = Book { profile: Arc::clone(&profile), workspace: workspace.clone() };
        let online = match (backend, settings) {
            (Some(backend), Some(settings)) => {
                if settings.listen.is_none()
                    && let Some(port) = crate::network::port(&backend)
                {
                    profile.change(|contents| contents.network.port = Some(port))?;
                }
                for (device, peer) in profile.read().peers {
                    if let Some(address) = crate::network::address(device, &peer) {
                        backend.add_address(address);
                    }
                }
                let desk = Arc::<Desk>::default();
                let host = PairHost { desk: Arc::clone(&desk), book: book.clone() };
                let name = device_name(&contents.name)?;
                let endpoint = backend.endpoint().clone();
                let inviter = Inviter::new(endpoint.clone(), name, host);
                let router = Router::builder(endpoint)
                    .accept(graphshell_sync::backend::iroh::ALPN, backend.clone())
                    .accept(pairing::ALPN, inviter.clone())
                    .accept(names::ALPN, names::Names { book, device })
                    .spawn();
                let auto = always.then(|| {
                    let policy = Policy::default();
                    let (handle, run) = auto_sync(workspace.clone(), backend.clone(), policy);
                    tasks.spawn(run);
                    handle
                });
                let relayed = settings.relay != RelayChoice::Off;
                let successions = keys.device.successions().to_vec();
                Some(Online {
                    backend,
                    router,
                    inviter,
                    desk,
                    auto,
                    successions,
                    relayed,
                    settings,
                })
            }
            _ => None,
        };
        let tasks = tokio::sync::Mutex::new(tasks);
        let session = Arc::new(Session { profile, workspace, device, online, ended, tasks });
        if always {
            let keeper = Arc::downgrade(&session);
            session.tasks.lock().await.spawn(async move {
                if let Some(session) = keeper.upgrade() {
                    session.keep_book().await;
                }
            });
        }
        Ok(session)
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
            Command::Invite { read_only } => self.invite(read_only, out).await,
            Command::Join { ticket } => self.join(&ticket, out).await,
            Command::Share { peer, access } => self.share(&peer, access, out).await,
            Command::Sync { peer } => self.sync(peer.as_deref(), out).await,
            Command::Watch => self.watch(out).await,
            Command::Status => self.status(out).await,
            Command::Peers => self.peers(out).await,
            Command::Forget { peer } => self.forget(&peer, out).await,
            Command::Rotate => self.rotate(out).await,
        }
    }

    /// Makes everything durable, tells other devices good-bye and lets go of the profile.
    pub(crate) async fn close(&self) {
        self.workspace.close().await;
        if let Some(online) = &self.online {
            let _ = tokio::time::timeout(GOOD_BYE, online.router.shutdown()).await;
        }
        self.tasks.lock().await.shutdown().await;
    }

    /// Remembers the network's settings that were given.
    pub(crate) fn remember(&self, args: &NetworkArgs) -> Result<()> {
        self.profile.change(|contents| {
            contents.network = crate::network::apply(args, contents.network.clone());
        })
    }

    fn online(&self) -> Result<&Online> {
        self.online
            .as_ref()
            .ok_or_else(|| Failure::failed("this session was opened without a network"))
    }

    fn book(&self) -> Book {
        Book { profile: Arc::clone(&self.profile), workspace: self.workspace.clone() }
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

    /// Who an author of entries is, in words. Another device that names itself `you` is told apart.
    fn author_name(&self, author: PeerId) -> String {
        if author == self.workspace.peer_id() {
            return "you".to_owned();
        }
        let contents = self.profile.read();
        let Some(known) = contents.authors.get(&author) else {
            return format!("an unknown device ({})", crate::profile::short(&author.to_string()));
        };
        let paired = contents.peers.get(&known.device);
        let name = paired.map_or(&known.name, |peer| &peer.name);
        match name.to_lowercase().as_str() {
            "you" => format!("{name} ({})", crate::profile::short(&author.to_string())),
            _ => name.clone(),
        }
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
        _ if profile.read().key == KeyPlace::Passphrase && text.contains("wrong key") => {
            let what = "the passphrase is not the one that the graph is sealed with";
            Failure::new(Kind::Profile, what).next("try again; nothing was changed")
        }
        _ => failure,
    }
}

/// Whether a store was refused because somebody else has it open.
fn is_held(why: &str) -> bool {
    why.contains("another program")
}
