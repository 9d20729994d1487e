//! The user of one peer: does the plan's steps at their times, and what the world orders.

use std::future::pending;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use graphshell_sync::ports::Clock;
use graphshell_sync::wire::Reject;
use graphshell_sync::{EditError, Outcome, Receipt, SyncError, SyncReport, Workspace};
use tokio::time::sleep;

use super::agenda::{Order, Task, What};
use super::ports::{SimClock, SimPorts};
use super::shared::{Life, World};
use super::{edits, facts};
use crate::oracle::{Finding, View, durability, model};
use crate::plan::{Action, Choice, Edit};

type UnderWay<'a> = FuturesUnordered<LocalBoxFuture<'a, Done>>;

/// Something that was under way has ended.
enum Done {
    Settled(Receipt, Outcome),
    Round { with: usize, ordered: bool, result: Result<SyncReport, SyncError> },
}

/// What to do next.
enum Next {
    Task(Task),
    Order(Order),
}

/// Sets the peer up and then does what is to be done until the peer is taken away.
pub(crate) async fn act(world: &std::rc::Rc<World>, me: usize, workspace: &Workspace<SimPorts>) {
    let user = User { world, me, workspace, clock: SimClock::new(world.clone(), me) };
    user.set_up().await;
    let peer = world.peer(me);
    peer.life.set(Life::Ready);
    let mut under_way = UnderWay::new();
    loop {
        peer.busy.set(under_way.len());
        let next = tokio::select! {
            biased;
            Some(done) = under_way.next(), if !under_way.is_empty() => {
                user.ended(done);
                continue;
            }
            next = user.next() => next,
        };
        peer.busy.set(under_way.len() + 1);
        match next {
            Next::Task(Task { what: What::Step(step), .. }) => user.step(step, &under_way).await,
            Next::Task(Task { what: What::Glance, .. }) => user.glance().await,
            Next::Order(Order::Sync(with)) => user.sync(with, true, &under_way),
            Next::Order(Order::View) => {
                let view = user.view().await;
                *peer.view.borrow_mut() = view;
            }
        }
    }
}

struct User<'a> {
    world: &'a World,
    me: usize,
    workspace: &'a Workspace<SimPorts>,
    clock: SimClock,
}

impl<'a> User<'a> {
    /// Imports the legacy log and shares the workspace with everybody, durably.
    async fn set_up(&self) {
        let peer = self.world.peer(self.me);
        let mut receipts = Vec::new();
        for other in &self.world.peers {
            let shared = peer.image.borrow().shared.contains(&other.device);
            if other.device != peer.device && !shared {
                match self.workspace.share_with(other.device, true) {
                    Ok(receipt) => receipts.push(receipt),
                    Err(error) => {
                        let name = &other.name;
                        self.fail("consent is taken", format!("consent for {name}: {error}"));
                    }
                }
            }
        }
        for receipt in receipts {
            self.workspace.settled(receipt).await;
        }
    }

    /// Waits for the next order or task.
    async fn next(&self) -> Next {
        let peer = self.world.peer(self.me);
        loop {
            let rung = peer.bell.notified();
            if let Some(order) = peer.orders.borrow_mut().pop_front() {
                return Next::Order(order);
            }
            let task = peer.agenda.borrow().front().copied();
            match task.filter(|_| self.world.started_ms.get().is_some()) {
                None => rung.await,
                Some(task) => match task.at_ms.saturating_sub(self.world.plan_ms()) {
                    0 => {
                        if !self.is_boot(task) {
                            peer.agenda.borrow_mut().pop_front();
                        }
                        return Next::Task(task);
                    }
                    wait => tokio::select! {
                        biased;
                        () = sleep(Duration::from_millis(wait)) => {}
                        () = rung => {}
                    },
                },
            }
        }
    }

    /// Whether the task starts the peer again; the world does that and takes it off the agenda.
    fn is_boot(&self, task: Task) -> bool {
        let What::Step(step) = task.what else { return false };
        let action = &self.world.plan.steps[step].action;
        matches!(action, Action::Restart { .. } | Action::Restore { .. })
    }

    async fn step(&self, step: usize, under_way: &UnderWay<'a>) {
        let peer = self.world.peer(self.me);
        match &self.world.plan.steps[step].action {
            Action::Edit { edits, .. } => self.edit(edits, under_way),
            Action::Sync { with, .. } => {
                let with = self.world.place(with).expect("the plan was checked");
                self.sync(with, false, under_way);
            }
            Action::Resolve { about, to, choice, .. } => {
                self.resolve(about, to.as_deref(), choice, under_way);
            }
            Action::Crash { after_calls: 0, .. }
            | Action::Restart { .. }
            | Action::Restore { .. } => {
                peer.fuse.blow();
                pending().await
            }
            Action::Crash { after_calls, .. } => peer.fuse.arm(*after_calls),
            Action::Backup { .. } => self.world.back_up(self.me),
            Action::Expect { that, .. } => {
                if let Some(view) = self.view().await {
                    self.world.judge(facts::judge(self.world, &view, that));
                }
            }
            Action::Partition { .. }
            | Action::Mend { .. }
            | Action::Weather { .. }
            | Action::ClockJump { .. } => unreachable!("on no peer's agenda"),
        }
    }

    fn edit(&self, edits: &[Edit], under_way: &UnderWay<'a>) {
        let clock_ms = self.clock.now_ms();
        let mut entries: Vec<_> = edits
            .iter()
            .map(|edit| edits::entry(edit, clock_ms).expect("the plan was checked"))
            .collect();
        self.world.tell(self.me, format_args!("edits {edits:?}"), &[]);
        self.author(under_way, || match entries.len() {
            1 => self.workspace.edit(entries.remove(0)),
            _ => self.workspace.edit_all(entries),
        });
    }

    fn resolve(
        &self,
        about: &str,
        to: Option<&str>,
        choice: &Choice,
        under_way: &UnderWay<'a>,
    ) {
        let conflicts = self.workspace.conflicts();
        let arrow = if to.is_some() { " -> " } else { "" };
        let subject = format!("{about}{arrow}{}", to.unwrap_or_default());
        let Some(conflict) = edits::conflict(&conflicts, about, to) else {
            self.world.tell(self.me, format_args!("finds no conflict about {subject}"), &[]);
            self.world.count("resolutions without a conflict");
            return;
        };
        let resolution = edits::resolution(self.world, choice, conflict);
        self.world.tell(self.me, format_args!("settles {subject} by {choice:?}"), &[]);
        self.world.count("resolutions");
        self.author(under_way, || self.workspace.resolve(conflict.id, &resolution));
    }

    /// Authors something and keeps its receipt.
    fn author(
        &self,
        under_way: &UnderWay<'a>,
        act: impl FnOnce() -> Result<Receipt, EditError>,
    ) {
        let peer = self.world.peer(self.me);
        let author = self.workspace.peer_id();
        let before = self.workspace.version_vector().get(author);
        match act() {
            Ok(receipt) => {
                let after = self.workspace.version_vector().get(author);
                if after > before {
                    peer.atomic.borrow_mut().authored(author, before + 1, after);
                }
                self.world.count_many("entries authored", after - before);
                let workspace = self.workspace;
                under_way.push(Box::pin(async move {
                    Done::Settled(receipt, workspace.settled(receipt).await)
                }));
            }
            Err(error) => {
                self.world.tell(self.me, format_args!("may not: {error}"), &[]);
                self.world.count("edits not taken");
            }
        }
    }

    fn sync(&self, with: usize, ordered: bool, under_way: &UnderWay<'a>) {
        let other = self.world.peer(with);
        self.world.tell(self.me, format_args!("begins a round with {}", other.name), &[]);
        self.world.count("rounds");
        let workspace = self.workspace;
        under_way.push(Box::pin(async move {
            let result = workspace.sync_with_peer(other.device).await;
            Done::Round { with, ordered, result }
        }));
    }

    fn ended(&self, done: Done) {
        match done {
            Done::Settled(receipt, outcome) => self.settled(receipt, outcome),
            Done::Round { with, ordered, result } => self.round_ended(with, ordered, &result),
        }
    }

    fn settled(&self, receipt: Receipt, outcome: Outcome) {
        let peer = self.world.peer(self.me);
        match outcome {
            Outcome::Durable(dots) => {
                let what = format!("it told its user that edit {} is durable", receipt.0);
                let image = peer.image.borrow();
                let dots_held = dots.iter().copied();
                self.world.judge(durability::acknowledged(self.me, &image.held, dots_held, &what));
                dots.into_iter().for_each(|dot| peer.acknowledged.borrow_mut().add(dot));
            }
            Outcome::Refused(reason) => {
                let number = receipt.0;
                self.world.tell(self.me, format_args!("edit {number} is refused: {reason}"), &[]);
                self.world.count("edits refused");
            }
        }
    }

    fn round_ended(&self, with: usize, ordered: bool, result: &Result<SyncReport, SyncError>) {
        let peer = self.world.peer(self.me);
        let name = &self.world.peer(with).name;
        match result {
            Ok(SyncReport { pushed, pulled, published, calls, lost, forks }) => {
                let forks = forks.len();
                self.world.tell(
                    self.me,
                    format_args!(
                        "ends its round with {name}: {pushed} pushed, {pulled} pulled, \
                         {published} published, {calls} calls, {lost} lost, {forks} forks"
                    ),
                    &[],
                );
            }
            Err(error) => {
                self.world.tell(
                    self.me,
                    format_args!("breaks off its round with {name}: {error}"),
                    &[],
                );
                self.world.count("rounds broken off");
            }
        }
        if ordered {
            peer.moved.set(peer.moved.get() || !at_rest(result));
        } else {
            peer.last_sync.set(Some(result.is_ok()));
        }
    }

    /// Lets the oracle look at the peer while others go on, if nothing is volatile.
    async fn glance(&self) {
        if let Some(view) = self.view().await
            && view.settled()
        {
            self.world.note(self.me, "is compared with the model", &[]);
            self.world.count("glances");
            self.world.judge(model::judge(&view));
        }
    }

    /// Reads everything off the peer.
    async fn view(&self) -> Option<View> {
        let workspace = self.workspace;
        match workspace.history().await {
            Ok(history) => Some(View {
                peer: self.me,
                author: workspace.peer_id(),
                graph: workspace.graph(),
                applied: workspace.version_vector(),
                frontier: workspace.durable_frontier(),
                state: workspace.state_bytes(),
                history,
            }),
            Err(error) => {
                self.fail("the history can be read", error.to_string());
                None
            }
        }
    }

    fn fail(&self, property: &'static str, detail: String) {
        let (peers, operations) = (vec![self.me], Vec::new());
        self.world.judge(Err(Finding { property, peers, operations, detail }));
    }
}

/// Whether another round could not do more: nothing moved, or only a fork stands in the way.
fn at_rest(result: &Result<SyncReport, SyncError>) -> bool {
    match result {
        Ok(report) => {
            report.pushed + report.pulled + report.published == 0 && report.lost == 0
        }
        Err(SyncError::Refused(Reject::Fork { .. })) => true,
        Err(_) => false,
    }
}
