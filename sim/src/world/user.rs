//! The user of one peer: does the plan's steps at their times, and what the world orders.

use std::cell::RefCell;
use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::task::Poll;

use futures_util::future::LocalBoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use graphshell_sync::wire::Reject;
use graphshell_sync::{Access, Outcome, Receipt, SyncError, SyncReport, Workspace};

use super::agenda::{self, Order, Task, What};
use super::facts;
use super::lives;
use super::ports::{SimClock, SimPorts};
use super::round::Round;
use super::shared::{Life, World};
use crate::oracle::{Finding, durability, refusals, versions};
use crate::plan::{Action, FaultKind};
use crate::trace::Mark;

/// What was begun and has not ended.
#[derive(Default)]
pub(super) struct UnderWay<'a>(RefCell<FuturesUnordered<LocalBoxFuture<'a, Done>>>);

impl<'a> UnderWay<'a> {
    pub(super) fn begin(&self, act: impl Future<Output = Done> + 'a) {
        self.0.borrow().push(Box::pin(act));
    }

    fn len(&self) -> usize {
        self.0.borrow().len()
    }

    /// Waits for the next of them that ends; for ever if there is none.
    async fn next(&self) -> Done {
        poll_fn(|context| match self.0.borrow_mut().poll_next_unpin(context) {
            Poll::Ready(Some(done)) => Poll::Ready(done),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        })
        .await
    }
}

/// Something that was under way has ended.
pub(super) enum Done {
    Settled(Receipt, Outcome),
    Round { round: Round, result: Result<SyncReport, SyncError> },
    Stored,
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
    world.mark(me, || Mark::Ready);
    let under_way = UnderWay::default();
    loop {
        peer.busy.set(under_way.len() - peer.unsettled.get());
        let next = tokio::select! {
            biased;
            done = under_way.next() => {
                user.ended(done);
                continue;
            }
            next = user.next() => next,
        };
        peer.busy.set(peer.busy.get() + 1);
        let mut doing = pin!(user.take_up(next, &under_way));
        // What it is told holds under the present name, which may change while it waits.
        loop {
            tokio::select! {
                biased;
                () = &mut doing => break,
                done = under_way.next() => user.ended(done),
            }
        }
    }
}

pub(super) struct User<'a> {
    pub(super) world: &'a World,
    pub(super) me: usize,
    pub(super) workspace: &'a Workspace<SimPorts>,
    pub(super) clock: SimClock,
}

impl<'a> User<'a> {
    /// Waits for the next order or task.
    async fn next(&self) -> Next {
        let peer = self.world.peer(self.me);
        loop {
            if let Some(order) = peer.orders.borrow_mut().pop_front() {
                return Next::Order(order);
            }
            if let Some(task) = agenda::next(self.world, self.me).await {
                if !self.is_boot(task) {
                    peer.agenda.borrow_mut().pop_front();
                }
                return Next::Task(task);
            }
        }
    }

    async fn take_up(&self, next: Next, under_way: &UnderWay<'a>) {
        match next {
            Next::Task(Task { what: What::Step(step), .. }) => self.step(step, under_way).await,
            Next::Task(Task { what: What::Glance, .. }) => self.glance().await,
            Next::Order(Order::Sync(with)) => self.sync(with, true, under_way),
            Next::Order(Order::Share) => self.share_at_last().await,
            Next::Order(Order::View) => {
                let view = self.view_at_last().await;
                *self.world.peer(self.me).view.borrow_mut() = Some(view);
            }
        }
    }

    /// Whether the task starts the peer again; the world does that and takes it off the agenda.
    fn is_boot(&self, task: Task) -> bool {
        let What::Step(step) = task.what else { return false };
        let action = &self.world.plan.steps[step].action;
        use Action::{LoseTail, Restart, Restore, Rot};
        matches!(action, Restart { .. } | Restore { .. } | LoseTail { .. } | Rot { .. })
    }

    async fn step(&self, step: usize, under_way: &UnderWay<'a>) {
        let peer = self.world.peer(self.me);
        match &self.world.plan.steps[step].action {
            action @ (Action::Edit { .. } | Action::Browse { .. }) => {
                let (_, edits) = action.edits().expect("both are a user's edits");
                self.edit(&edits, under_way);
            }
            Action::Sync { with, .. } => self.sync(self.place(with), false, under_way),
            Action::Resolve { about, to, choice, .. } => {
                self.resolve(about, to.as_deref(), choice, under_way);
            }
            Action::Restart { .. }
            | Action::Rot { .. }
            | Action::Restore { .. }
            | Action::LoseTail { .. } => {
                peer.fuse.blow();
                pending().await
            }
            Action::Crash { .. } | Action::PowerCut { .. } => {
                lives::dooms(self.world, self.me, step);
                if peer.fuse.blown() {
                    pending().await
                }
            }
            Action::Backup { .. } => self.world.back_up(self.me),
            Action::Checkpoint { .. } => self.store(under_way, false),
            Action::Compact { .. } => self.store(under_way, true),
            Action::Withdraw { with, .. } => self.restrict(self.place(with), Access::None),
            Action::Share { with, read_only: true, .. } => {
                self.restrict(self.place(with), Access::ReadOnly);
            }
            Action::Share { with, .. } => {
                self.world.tell(self.me, format_args!("shares the workspace with {with}"), &[]);
                self.share_with(self.place(with));
            }
            Action::Expect { that, .. } => {
                if let Some(view) = self.view().await {
                    self.world.judge(facts::judge(self.world, &view, that));
                }
            }
            Action::Partition { .. }
            | Action::Flap { .. }
            | Action::SlowLink { .. }
            | Action::Reset { .. }
            | Action::TimePasses { .. }
            | Action::Mend { .. }
            | Action::Weather { .. }
            | Action::FillDisk { .. }
            | Action::ClearDisk { .. }
            | Action::ClockJump { .. } => unreachable!("on no peer's agenda"),
        }
    }

    /// Where a peer that the plan names stands in it.
    fn place(&self, name: &str) -> usize {
        self.world.plan.peer_index(name).expect("the plan is valid")
    }

    fn sync(&self, with: usize, ordered: bool, under_way: &UnderWay<'a>) {
        let other = self.world.peer(with);
        self.world.tell(self.me, format_args!("begins a round with {}", other.name), &[]);
        self.world.mark(self.me, || Mark::RoundBegan { with });
        self.world.count("rounds");
        let workspace = self.workspace;
        let round = Round::begin(self.world, (self.me, with), ordered);
        self.world.peer(self.me).told_version.borrow_mut().remove(&with);
        under_way.begin(async move {
            let result = workspace.sync_with_peer(other.device).await;
            Done::Round { round, result }
        });
    }

    /// Takes a snapshot, or cuts the log.
    fn store(&self, under_way: &UnderWay<'a>, cut: bool) {
        let (world, me, workspace) = (self.world, self.me, self.workspace);
        under_way.begin(async move {
            if !cut {
                let taken = workspace.checkpoint().await;
                world.tell(me, format_args!("was to take a snapshot: {taken:?}"), &[]);
                return Done::Stored;
            }
            match workspace.compact().await {
                Ok(records) => world.tell(me, format_args!("cut {records} records"), &[]),
                Err(error) => world.tell(me, format_args!("cuts nothing: {error}"), &[]),
            }
            Done::Stored
        });
    }

    fn ended(&self, done: Done) {
        match done {
            Done::Settled(receipt, outcome) => self.settled(receipt, outcome),
            Done::Round { round, result } => self.round_ended(&round, &result),
            Done::Stored => {}
        }
    }

    fn settled(&self, receipt: Receipt, outcome: Outcome) {
        let peer = self.world.peer(self.me);
        peer.unsettled.set(peer.unsettled.get() - 1);
        match outcome {
            Outcome::Durable(dots) => {
                let edit = self.world.edit_name(receipt);
                let what = format!("it told its user that {edit} is durable");
                let image = peer.image.borrow();
                let dots_held = dots.iter().copied();
                self.world.judge(durability::acknowledged(
                    self.me,
                    &image.contents.held,
                    dots_held,
                    &what,
                ));
                dots.into_iter().for_each(|dot| peer.acknowledged.borrow_mut().add(dot));
            }
            Outcome::Refused(reason) => {
                let (edit, why) = (self.world.edit_name(receipt), self.world.readable(&reason));
                self.world.tell(self.me, format_args!("takes {edit} back: {why}"), &[]);
                self.world.count("edits refused");
                let store_failed = peer.store_failed.get();
                self.world.judge(refusals::judge_taken_back(self.me, store_failed));
            }
        }
    }

    fn round_ended(&self, round: &Round, result: &Result<SyncReport, SyncError>) {
        let peer = self.world.peer(self.me);
        let name = &self.world.peer(round.with).name;
        let (ours, theirs) = (&self.world.plan.peers[self.me], &self.world.plan.peers[round.with]);
        if !theirs.is_hostile() && theirs.speaks() != ours.speaks() {
            let damages = self.world.plan.fault_kinds().contains(&FaultKind::Unchecked);
            let told = peer.told_version.borrow_mut().remove(&round.with);
            let speaks = theirs.speaks();
            self.world.judge(versions::judge_round(self.me, speaks, told, damages, result));
            self.world.count("rounds with another version");
        }
        if let Ok(report) = result {
            round.judge(self.world, self.me, report.peer_behind);
        }
        match result {
            Ok(SyncReport { pushed, pulled, published, calls, lost, forks, .. }) => {
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
                let why = self.world.readable(error);
                self.world.tell(
                    self.me,
                    format_args!("breaks off its round with {name}: {why}"),
                    &[],
                );
                self.world.count("rounds broken off");
            }
        }
        if let (true, Err(SyncError::Refused(reject))) = (ours.stranger, result) {
            let away = u64::from(*reject == Reject::NotShared);
            self.world.count_many("rounds of strangers turned away", away);
            self.world.peer_did(FaultKind::Stranger, self.me, "rounds refused", 1);
        }
        self.world.mark(self.me, || Mark::RoundEnded { with: round.with });
        if round.ordered && self.world.plan.are_company(self.me, round.with) {
            peer.moved.set(peer.moved.get() || !at_rest(result));
        } else if !round.ordered {
            peer.last_sync.set(Some(result.is_ok()));
        }
    }

    pub(super) fn calm(&self) -> bool {
        self.world.calm(self.world.now_ms())
    }

    pub(super) fn fail(&self, property: &'static str, detail: String) {
        let (peers, operations) = (vec![self.me], Vec::new());
        self.world.judge(Err(Finding { property, peers, operations, detail }));
    }
}

/// Whether another round could not do more: nothing moved, or only a fork stands in the way.
fn at_rest(result: &Result<SyncReport, SyncError>) -> bool {
    match result {
        Ok(report) => report.pushed + report.pulled + report.published == 0 && report.lost == 0,
        Err(SyncError::Refused(Reject::Fork { .. })) => true,
        Err(_) => false,
    }
}
