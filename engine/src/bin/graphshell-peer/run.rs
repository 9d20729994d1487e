//! From a command line to its end: profile, session, renderer.

use std::future::Future;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::CommandFactory;
use graphshell_sync::ports::{Clock, Entropy};
use graphshell_sync::{SystemClock, SystemEntropy, WorkspaceId};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::args::{Cli, Common, CreateArgs, NetworkArgs, Verb};
use crate::command::{Command, Edit, Share};
use crate::failure::{Failure, Kind, Result};
use crate::item::{Created, Happening, Item};
use crate::keys::{self, Keys, Secret};
use crate::profile::{self, Contents, Profile};
use crate::remote;
use crate::render::{self, Confirm, Options, Renderer};
use crate::session::{self, Dialog, Reach, Session};

/// How long to wait for another program to let go of the profile.
const IN_USE_WAIT: Duration = Duration::from_secs(3);
/// How long tasks may take to end when the program does.
const LAST_WAIT: Duration = Duration::from_secs(2);
/// Items that run ahead of the renderer.
const ITEMS_AHEAD: usize = 64;

/// Does what the command line says.
pub(crate) fn run(cli: Cli) -> Result<()> {
    let Cli { common, verb } = cli;
    match &verb {
        Verb::Man { folder } => return man(folder),
        Verb::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "graphshell-peer", &mut text);
            return render::written(io::stdout().write_all(&text));
        }
        _ => {}
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("no threads can be started: {error}")))?;
    let result = runtime.block_on(async {
        tokio::select! {
            result = execute(&common, verb) => result,
            () = killed_at_once() => Err(Failure::new(Kind::Interrupted, "interrupted twice")),
        }
    });
    runtime.shutdown_timeout(LAST_WAIT);
    let screen = console::Term::stderr();
    if screen.is_term() {
        // A question that was interrupted hides it.
        let _ = screen.show_cursor();
    }
    result
}

async fn execute(common: &Common, verb: Verb) -> Result<()> {
    let folder = profile::locate(common.profile.clone())?;
    let mut options = Options { json: common.json, ..Options::default() };
    let mut network = NetworkArgs::default();
    let mut made = None;
    let command = match verb {
        Verb::Init { create, network } => {
            let workspace = WorkspaceId(random_uuid());
            let (created, _) = make_profile(&folder, workspace, common, &create, &network).await?;
            let next = [
                "Now `graphshell-peer add URL` or `import FILE`, and `pair` to take in another device.",
            ];
            let items = std::iter::once(Item::Created(created));
            let notes = next.into_iter().filter(|_| !common.json);
            let notes = notes.map(|text| Item::Note { text: text.to_owned() });
            return show(options, items.chain(notes)).await;
        }
        Verb::Pair { ticket, read_only, yes, no_qr, create, network: args } => {
            options.no_qr = no_qr;
            options.confirm = if yes { Confirm::Always } else { Confirm::Ask };
            network = args;
            match ticket {
                None => Command::Invite { read_only },
                Some(ticket) => {
                    let parsed = session::parse_ticket(&ticket)?;
                    if !profile::exists(&folder) {
                        let workspace = parsed.invitation().workspace;
                        let (created, profile) =
                            make_profile(&folder, workspace, common, &create, &network).await?;
                        let item = std::iter::once(Item::Created(created));
                        show(options.clone(), item).await.inspect_err(|_| profile.discard())?;
                        made = Some(profile);
                    }
                    Command::Join { ticket }
                }
            }
        }
        Verb::Sync { peer, network: args } => {
            network = args;
            Command::Sync { peer }
        }
        Verb::Watch { network: args } => {
            network = args;
            Command::Watch
        }
        verb => command(verb)?,
    };
    let Some(profile) = made else {
        let profile = Arc::new(Profile::open(&folder)?);
        return carry_out(common, profile, command, network, options).await;
    };
    let result = carry_out(common, Arc::clone(&profile), command, network, options).await;
    // It was made to join; if nobody was joined, another ticket begins anew.
    let in_use = matches!(&result, Err(failure) if failure.kind == Kind::InUse);
    if !in_use && profile.reload().is_ok() && profile.read().peers.is_empty() {
        profile.discard();
    }
    result
}

/// The command of a verb that needs nothing else.
fn command(verb: Verb) -> Result<Command> {
    Ok(match verb {
        Verb::Share { peer, read_only, stop } => {
            let access = match (read_only, stop) {
                (_, true) => Share::Stopped,
                (true, _) => Share::ReadOnly,
                _ => Share::Full,
            };
            Command::Share { peer, access }
        }
        Verb::Add { url, title, at } => Command::Add { url, title, at: at.map(|at| at.0) },
        Verb::Edit { node, url, title, at, pin, unpin } => {
            let at = at.map(|at| at.0);
            let pin = (pin || unpin).then_some(pin);
            if url.is_none() && title.is_none() && at.is_none() && pin.is_none() {
                return Err(Failure::new(Kind::Usage, "nothing to change was given")
                    .next("say one of --url, --title, --at, --pin, --unpin"));
            }
            Command::Edit(Edit { node, url, title, at, pin })
        }
        Verb::Visit { from, to, trigger } => Command::Visit { from, to, trigger: trigger.into() },
        Verb::Link { from, to } => Command::Link { from, to },
        Verb::Unlink { from, to } => Command::Unlink { from, to },
        Verb::Rm { node } => Command::Remove { node },
        Verb::List { search } => Command::List { search },
        Verb::Show { node } => Command::Show { node },
        Verb::Import { file } => {
            let file = std::path::absolute(&file)
                .map_err(|error| Failure::failed(format!("{}: {error}", file.display())))?;
            Command::Import { file }
        }
        Verb::Status => Command::Status,
        Verb::Conflicts => Command::Conflicts,
        Verb::Resolve { conflict, choice } => Command::Resolve { conflict, choice },
        Verb::Export { format } => Command::Export { format },
        Verb::Peers => Command::Peers,
        Verb::Forget { peer } => Command::Forget { peer },
        Verb::Rotate => Command::Rotate,
        Verb::Init { .. }
        | Verb::Pair { .. }
        | Verb::Sync { .. }
        | Verb::Watch { .. }
        | Verb::Man { .. }
        | Verb::Completions { .. } => {
            return Err(Failure::failed("this is no command of a session"));
        }
    })
}

/// Makes a profile, its keys and its store.
async fn make_profile(
    folder: &Path,
    workspace: WorkspaceId,
    common: &Common,
    create: &CreateArgs,
    network: &NetworkArgs,
) -> Result<(Created, Arc<Profile>)> {
    let name = match &create.name {
        Some(name) => session::device_name(name)?.as_str().to_owned(),
        None => profile::computer_name(),
    };
    let wanted = create.key;
    let key = until_interrupted(blocking(move || keys::choose(wanted))).await?;
    let mut contents = Contents::new(workspace, name.clone(), key, random_uuid());
    contents.network = crate::network::apply(network, contents.network);
    let profile = Arc::new(Profile::create(folder, contents)?);
    let made = async {
        let (new, common) = (Arc::clone(&profile), common.clone());
        let load = move || Keys::load(&new, &Secret::ask(&new, &common, true)?, true);
        let keys = blocking(load).await?;
        let device = keys.device.device_id();
        let session = Session::open(Arc::clone(&profile), keys, Reach::Nobody).await?;
        session.close().await;
        Ok(device)
    };
    match until_interrupted(made).await {
        Ok(device) => {
            let created = Created { profile: folder.to_owned(), workspace, device, name, key };
            Ok((created, profile))
        }
        Err(failure) => {
            profile.discard();
            Err(failure)
        }
    }
}

/// Carries out a command here, or in the watch that runs.
async fn carry_out(
    common: &Common,
    profile: Arc<Profile>,
    command: Command,
    network: NetworkArgs,
    options: Options,
) -> Result<()> {
    let watches = command == Command::Watch;
    let (dialog, drive) = driver(options.clone());
    #[cfg(unix)]
    if let Some(stream) = remote::connect(&profile).await {
        if network != NetworkArgs::default() {
            return Err(Failure::new(
                Kind::InUse,
                "a running `watch` does this, and its network cannot be changed meanwhile",
            )
            .next("leave out --relay, --mdns and --listen, or end the watch with Ctrl-C first"));
        }
        let work = async move { remote::carry_out(stream, &command, &dialog).await };
        return ended(drive(Box::pin(work)).await, watches, options).await;
    }
    let reach = match (&command, command.needs_network()) {
        (Command::Watch, _) => Reach::Always(network.clone()),
        (_, true) => Reach::Others(network.clone()),
        (_, false) => Reach::Nobody,
    };
    let session = until_interrupted(open(&profile, common, reach)).await?;
    let result = {
        let session = Arc::clone(&session);
        let profile = Arc::clone(&profile);
        drive(Box::pin(async move {
            if matches!(command, Command::Invite { .. } | Command::Join { .. }) {
                session.remember(&network)?;
            }
            let work = session.carry_out(command, &dialog);
            #[cfg(unix)]
            if watches {
                let listener = remote::Listener::bind(&profile)?;
                return tokio::select! {
                    result = work => result,
                    () = listener.serve(&session) => Ok(()),
                };
            }
            let _ = profile;
            work.await
        }))
        .await
    };
    session.close().await;
    ended(result, watches, options).await
}

/// A watch that is ended did what it was to do.
async fn ended(result: Result<()>, watches: bool, options: Options) -> Result<()> {
    match result {
        Err(failure) if watches && failure.kind == Kind::Interrupted => {
            let event = Happening::Ended;
            let item = Item::Happened { at_ms: SystemClock.now_ms(), event };
            show(options, std::iter::once(item)).await
        }
        result => result,
    }
}

/// Opens the profile; waits a little while another command is at it.
async fn open(profile: &Arc<Profile>, common: &Common, reach: Reach) -> Result<Arc<Session>> {
    let (asking, common) = (Arc::clone(profile), common.clone());
    let secret = Arc::new(blocking(move || Secret::ask(&asking, &common, false)).await?);
    let begun = SystemClock.now_ms();
    loop {
        let (loading, secret) = (Arc::clone(profile), Arc::clone(&secret));
        let keys = blocking(move || Keys::load(&loading, &secret, false)).await?;
        match Session::open(Arc::clone(profile), keys, reach.clone()).await {
            Err(failure) if failure.kind == Kind::InUse => {
                let waited = SystemClock.now_ms().saturating_sub(begun);
                if waited >= u64::try_from(IN_USE_WAIT.as_millis()).unwrap_or(u64::MAX) {
                    return Err(failure);
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            opened => return opened,
        }
    }
}

type Work = std::pin::Pin<Box<dyn Future<Output = Result<()>>>>;

/// The two ends of a command: the dialog that it talks through, and what runs it beside its renderer.
fn driver(options: Options) -> (Dialog, impl AsyncFnOnce(Work) -> Result<()>) {
    let (items, told) = mpsc::channel(ITEMS_AHEAD);
    let (answers, answered) = mpsc::channel(1);
    let drive = async move |work: Work| {
        let mut renderer = Renderer::new(options);
        let both = async {
            let shown = renderer.run(told, answers);
            tokio::pin!(shown);
            let mut work = Some(work);
            let mut result = None;
            loop {
                tokio::select! {
                    biased;
                    done = async { work.as_mut().expect("guarded").await }, if work.is_some() => {
                        // With it goes the dialog, so that the renderer comes to its end.
                        work = None;
                        result = Some(done);
                    }
                    shown = &mut shown => return match (shown, result) {
                        (Ok(()), Some(result)) => result,
                        (shown, _) => render::written(shown),
                    },
                }
            }
        };
        until_interrupted(both).await
    };
    (Dialog::new(items, answered), drive)
}

/// Shows items that are there already.
async fn show(options: Options, items: impl Iterator<Item = Item>) -> Result<()> {
    let (sender, told) = mpsc::channel(ITEMS_AHEAD);
    let (answers, _) = mpsc::channel(1);
    for item in items {
        let _ = sender.send(item).await;
    }
    drop(sender);
    render::written(Renderer::new(options).run(told, answers).await)
}

/// Work that may wait for a keyring or a person, on a thread that nothing else waits for.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Failure::failed(format!("a thread ended early: {error}"))))
}

/// Ends work at Ctrl-C.
async fn until_interrupted<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        result = work => result,
        () = interrupted() => Err(Failure::new(Kind::Interrupted, "interrupted")),
    }
}

/// Ctrl-C, or the polite kill.
async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminated) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminated.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

/// The second Ctrl-C: whatever is still going on.
async fn killed_at_once() {
    interrupted().await;
    interrupted().await;
}

fn random_uuid() -> Uuid {
    let mut bytes = [0; 16];
    SystemEntropy.fill(&mut bytes);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

fn man(folder: &Path) -> Result<()> {
    let failed = |error: io::Error| {
        Failure::failed(format!("cannot write man pages into {}: {error}", folder.display()))
    };
    std::fs::create_dir_all(folder).map_err(failed)?;
    clap_mangen::generate_to(Cli::command(), folder).map_err(failed)
}
