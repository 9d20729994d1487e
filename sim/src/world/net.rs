//! The engine's network: calls and answers as frames.
//!
//! The post office (`post.rs`) carries them. A frame that does not decode is the engine's failure,
//! unless it was damaged on the way: then it is refused as a transport would refuse it.
//! What reached a peer that dies is gone with it.

mod answer;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::pending;
use std::rc::{Rc, Weak};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use graphshell_sync::ports::{CallError, Handler, PeerInfo, SyncBackend};
use graphshell_sync::wire::{
    Frontier, FrontierRequest, PullRequest, PushRequest, Reject, Request, Response, SnapshotRequest,
};
use graphshell_sync::{Access, DeviceId};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::choice::Topic;
use super::dialect::Dialect;
use super::frame::{self, Frame};
use super::hostile::Sending;
use super::image::{Handed, Holdings};
use super::shared::{Peer, World};
use crate::oracle::{Finding, bounds, durability, privacy, versions};
use crate::plan::FaultKind;
use crate::trace::Mark;

/// How long a call waits for its answer.
const CALL_TIMEOUT: Duration = Duration::from_millis(400);
/// How many of a thousand pulls ask for little at once.
const RATIONED: u16 = 300;
/// How much of a snapshot peers ask for at once.
const SNAPSHOT_PART_BYTES: u32 = 12 * 1024;

/// One peer's network in one of its lives; clones share it.
#[derive(Clone)]
pub(crate) struct SimNetwork(Rc<Inner>);

/// What listens at a peer, as long as its life lasts.
#[derive(Default)]
pub(crate) struct Listener(Weak<Inner>);

type Answer = oneshot::Sender<Result<Response, CallError>>;

struct Inner {
    world: Rc<World>,
    me: usize,
    calls: Cell<u64>,
    /// Calls under way: whom they ask, and where the answer goes.
    waiting: RefCell<BTreeMap<u64, (usize, Answer)>>,
    asked: mpsc::UnboundedSender<Asked>,
    /// Taken by whoever serves.
    inbox: RefCell<Option<mpsc::UnboundedReceiver<Asked>>>,
}

/// A request that arrived.
struct Asked {
    from: usize,
    call: u64,
    request: Request,
    bytes: usize,
}

impl Peer {
    /// The network of the life that it lives, if it lives.
    pub(crate) fn listener(&self) -> Option<SimNetwork> {
        self.listener.borrow().0.upgrade().map(SimNetwork)
    }
}

impl SimNetwork {
    /// A network for the life that begins now. From now on it gets what arrives for the peer.
    pub(crate) fn listen(world: Rc<World>, me: usize) -> Self {
        let (asked, inbox) = mpsc::unbounded_channel();
        let inner = Rc::new(Inner {
            calls: Cell::new(world.peer(me).boots.get() << 32),
            world,
            me,
            waiting: RefCell::default(),
            asked,
            inbox: RefCell::new(Some(inbox)),
        });
        *inner.world.peer(me).listener.borrow_mut() = Listener(Rc::downgrade(&inner));
        SimNetwork(inner)
    }

    /// Takes a frame that got here, perhaps for the second time.
    pub(crate) fn arrived(&self, frame: &Frame, again: bool) {
        self.0.take(frame, again);
    }

    /// A hostile peer turns on somebody.
    pub(crate) fn attack(&self, to: usize) {
        let inner = &*self.0;
        let frames =
            inner.world.lie(inner.me, to, |liar, victim, slander| liar.attack(victim, slander));
        inner.send_all(to, frames);
    }

    /// Fails the calls under way with those peers; says how many.
    pub(crate) fn connections_break(&self, parts: impl Fn(usize) -> bool) -> u64 {
        let inner = &*self.0;
        let under_way = std::mem::take(&mut *inner.waiting.borrow_mut());
        let (over, stay): (BTreeMap<_, _>, BTreeMap<_, _>) =
            under_way.into_iter().partition(|(_, (to, _))| parts(*to));
        *inner.waiting.borrow_mut() = stay;
        let failed = over.len() as u64;
        for (to, answer) in over.into_values() {
            let name = &inner.world.peer(to).name;
            inner.world.tell(inner.me, format_args!("loses its connection with {name}"), &[]);
            // Whoever asked may have gone.
            let _ = answer.send(Err(CallError::Lost("the connection broke".to_owned())));
        }
        failed
    }

    async fn call(&self, to: DeviceId, request: Request) -> Result<Response, CallError> {
        let inner = &*self.0;
        let peer = inner.world.peer(inner.me);
        peer.fuse.pass().await;
        let Some(to) = inner.world.place(to) else {
            return Err(CallError::Lost(format!("nobody knows the device {to}")));
        };
        let call = inner.calls.replace(inner.calls.get() + 1);
        let (answer, answered) = oneshot::channel();
        inner.waiting.borrow_mut().insert(call, (to, answer));
        let sent =
            durability::judge_request(inner.me, &peer.image.borrow().contents.held, &request);
        inner.world.judge(sent);
        inner.world.tells_others(inner.me, durability::told_by_request(&request));
        let dialect = Dialect(inner.world.plan.peers[inner.me].speaks());
        let body = dialect.spoken(request.encode());
        let world = &*inner.world;
        world.judge(privacy::judge_request(inner.me, to, inner.access_of(to), &request));
        let content = privacy::asks_with_content(&request);
        world.judge(privacy::judge_text(inner.me, to, world.at_rest(), content, &body));
        inner.send(to, false, call, &frame::request(&request), body, None);
        let answer = timeout(CALL_TIMEOUT, answered).await;
        inner.waiting.borrow_mut().remove(&call);
        peer.fuse.pass().await;
        match answer {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => {
                inner.world.count("calls without answer");
                Err(CallError::Lost(format!("no answer within {} ms", CALL_TIMEOUT.as_millis())))
            }
        }
    }
}

impl Inner {
    /// Lets a peer ask for less at once than it could hold, as one with little memory would: in a
    /// world of small histories whole ones would fit one batch. Not in calm weather.
    fn ration(&self, to: DeviceId, request: &mut PullRequest) {
        let world = &*self.world;
        if !world.calm(world.now_ms())
            && let Some(to) = world.place(to)
        {
            let subject = [world.peer(self.me).key, world.peer(to).key, self.calls.get()];
            let choice = world.choices.about(Topic::Budget, subject);
            if choice.chance(0, RATIONED) {
                request.budget.entries = choice.within(1, (1, 40)) as u32;
            }
        }
    }

    /// What another peer may do.
    fn access_of(&self, other: usize) -> Access {
        self.world.peer(self.me).access_of(self.world.peer(other).device)
    }

    /// Sends a frame, unless the peer has just died. `handing` is what it held when it hands over
    /// a snapshot.
    fn send(
        &self,
        to: usize,
        answers: bool,
        call: u64,
        what: &str,
        body: Vec<u8>,
        handing: Option<Rc<Holdings>>,
    ) {
        let peer = self.world.peer(self.me);
        if peer.fuse.blown() {
            return;
        }
        if peer.liar.borrow().is_none() {
            self.world.judge(bounds::judge_frame(self.me, body.len()));
        }
        let nth = {
            let mut sent = peer.sent.borrow_mut();
            let nth = sent.entry(to).or_insert(0);
            *nth += 1;
            *nth
        };
        let name = &self.world.peer(to).name;
        let bytes = body.len();
        self.world.tell(
            self.me,
            format_args!("sends {what} to {name} (n={nth}, {bytes} bytes)"),
            &body,
        );
        self.world.mark(self.me, || Mark::Sent { to, nth, call, answers, body: body.clone() });
        self.world.count("frames sent");
        self.world.count_many("bytes sent", bytes as u64);
        self.world.send(Frame {
            from: self.me,
            to,
            nth,
            answers,
            call,
            sent_ms: self.world.now_ms(),
            set_backs: peer.set_backs.get(),
            handing,
            body,
            damaged: None,
        });
    }

    /// Hands a frame to whom it is for.
    fn take(&self, frame: &Frame, again: bool) {
        let world = &*self.world;
        let Frame { from, nth, ref body, .. } = *frame;
        world.count("frames arrived");
        let name = &world.peer(from).name;
        let told = if again { " once more" } else { "" };
        let got = |what: &str| {
            world.tell(self.me, format_args!("gets {what} of {name}{told} (n={nth})"), &[]);
            world.mark(self.me, || Mark::Arrived { from, nth, again });
        };
        if peer_lies(world, self.me) {
            got("a frame");
            return self.overhear(frame);
        }
        let dialect = Dialect(world.plan.peers[self.me].speaks());
        if frame.answers {
            let response = match dialect.response(body) {
                Ok(response) => response,
                Err(error) => return self.refuse(frame, Err(error)),
            };
            got(&world.answer(&response));
            if !matches!(response, Response::Refused(Reject::Version(_))) {
                self.has_read(frame);
            }
            if let (Some(kind), Response::Refused(Reject::Version(_))) = (frame.damaged, &response)
            {
                self.damage_shows(kind);
            }
            let Some((_, answer)) = self.waiting.borrow_mut().remove(&frame.call) else {
                world.mark(self.me, || Mark::TooLate);
                return world.count("answers too late");
            };
            if let Response::Snapshot(part) = &response {
                let altered = world.slander.borrow().is_altered(part.id.0);
                let handed = frame.handing.clone().map(|held| Handed { held, altered });
                *world.peer(self.me).handed.borrow_mut() = handed;
                world.count("parts of snapshots arrived");
            }
            if let Response::Batch { batch: Some(batch), .. } = &response {
                world.peer(self.me).atomic.borrow_mut().arrived(batch);
                world.count_many("entries arrived", batch.len() as u64);
            }
            let all = matches!(response, Response::Frontier { .. } | Response::InStep);
            let other = matches!(response, Response::Refused(Reject::Version(_)));
            // Whoever asked may have gone.
            if answer.send(Ok(response)).is_ok() {
                world.peer(self.me).hears(from, frame.set_backs, all);
                if other {
                    world.peer(self.me).told_version.borrow_mut().insert(from);
                }
            }
        } else {
            let request = match dialect.request(body) {
                Ok(request) => request,
                Err(reject) => return self.refuse(frame, Ok(reject)),
            };
            got(&frame::request(&request));
            self.has_read(frame);
            if let Request::Push(push) = &request {
                world.peer(self.me).atomic.borrow_mut().arrived(&push.batch);
                world.count_many("entries arrived", push.batch.len() as u64);
            }
            world.peer(self.me).hears(from, frame.set_backs, false);
            let asked = Asked { from, call: frame.call, request, bytes: body.len() };
            // Nobody serves if the workspace is not shared or closed.
            let _ = self.asked.send(asked);
        }
    }

    /// The engine took a frame for one in its own version. Damage may make it so.
    fn has_read(&self, frame: &Frame) {
        let world = &*self.world;
        if frame.damaged.is_none() && !peer_lies(world, frame.from) {
            let version = |peer: usize| world.plan.peers[peer].speaks();
            let (ours, theirs) = (version(self.me), version(frame.from));
            world.judge(versions::judge_frame(self.me, frame.from, ours, theirs));
        }
    }

    /// A hostile peer gets a frame.
    fn overhear(&self, frame: &Frame) {
        let Frame { from, answers, call, ref body, .. } = *frame;
        let mut has_snapshot = false;
        let frames = self.world.lie(self.me, from, |liar, victim, slander| {
            if answers {
                has_snapshot = liar.answered(body);
                return Vec::new();
            }
            liar.asked(victim, call, body, slander).into_iter().collect()
        });
        if has_snapshot {
            let handed = frame.handing.clone().map(|held| Handed { held, altered: false });
            *self.world.peer(self.me).handed.borrow_mut() = handed;
        }
        self.send_all(from, frames);
    }

    fn send_all(&self, to: usize, frames: Vec<Sending>) {
        for Sending { answers, what, body } in frames {
            let call = answers.unwrap_or_else(|| self.calls.replace(self.calls.get() + 1));
            // If it is a part of a snapshot, it is one that it was handed itself.
            let handed = self.world.peer(self.me).handed.borrow().clone();
            let handing = handed.map(|handed| handed.held);
            self.send(to, answers.is_some(), call, &what, body, handing);
        }
    }

    /// What the network did to a frame was noticed.
    fn damage_shows(&self, kind: FaultKind) {
        self.world.count("damaged frames refused");
        self.world.network_did(kind, "frames refused");
        self.world.network_did(FaultKind::Unchecked, "frames refused");
    }

    /// Answers what is no frame as a transport would: with a refusal, or by failing the call. If
    /// neither the network made it so nor a liar, the engine that sent it did.
    fn refuse(&self, frame: &Frame, why: Result<Reject, CallError>) {
        let (world, from, nth) = (&*self.world, frame.from, frame.nth);
        let name = &world.peer(from).name;
        let error = why.as_ref().map_or_else(ToString::to_string, ToString::to_string);
        let error = world.readable(&error);
        world.tell(self.me, format_args!("refuses a frame of {name} (n={nth}): {error}"), &[]);
        world.mark(self.me, || Mark::Lost { from, nth });
        if let Some(kind) = frame.damaged {
            self.damage_shows(kind);
        } else if let Ok(Reject::Version(_)) = why {
            let what = "requests of another version";
            world.count(what);
            for peer in [self.me, from] {
                world.peer_did(FaultKind::OtherVersion, peer, what, 1);
            }
        } else if peer_lies(world, from) {
            world.count("frames of liars that are none");
        } else {
            return world.judge(Err(Finding {
                property: "frames decode",
                peers: vec![from, self.me],
                operations: Vec::new(),
                detail: format!("frame {nth} from the first to the second: {error}"),
            }));
        }
        match why {
            Ok(reject) => {
                let refused = Response::Refused(reject);
                let what = world.answer(&refused);
                let dialect = Dialect(world.plan.peers[self.me].speaks());
                self.send(from, true, frame.call, &what, dialect.spoken(refused.encode()), None);
            }
            Err(error) => {
                let Some((_, answer)) = self.waiting.borrow_mut().remove(&frame.call) else {
                    return world.count("answers too late");
                };
                // Whoever asked may have gone.
                let _ = answer.send(Err(error));
            }
        }
    }
}

fn peer_lies(world: &World, peer: usize) -> bool {
    world.plan.peers[peer].is_hostile()
}

impl SyncBackend for SimNetwork {
    async fn discover(&self) -> Result<Vec<PeerInfo>, CallError> {
        let Inner { world, me, .. } = &*self.0;
        world.peer(*me).fuse.pass().await;
        let others = world.peers.iter().enumerate().filter(|(other, _)| other != me);
        Ok(others
            .map(|(_, peer)| PeerInfo { device: peer.device, name: peer.name.clone() })
            .collect())
    }

    async fn frontier(
        &self,
        to: DeviceId,
        request: FrontierRequest,
    ) -> Result<Response, CallError> {
        self.call(to, Request::Frontier(request)).await
    }

    async fn pull(&self, to: DeviceId, mut request: PullRequest) -> Result<Response, CallError> {
        self.0.ration(to, &mut request);
        self.call(to, Request::Pull(request)).await
    }

    async fn push(&self, to: DeviceId, request: PushRequest) -> Result<Response, CallError> {
        self.call(to, Request::Push(request)).await
    }

    async fn snapshot(
        &self,
        to: DeviceId,
        mut request: SnapshotRequest,
    ) -> Result<Response, CallError> {
        // In a world of small histories a whole snapshot would fit one frame.
        request.bytes = request.bytes.min(SNAPSHOT_PART_BYTES);
        self.call(to, Request::Snapshot(request)).await
    }

    async fn announce(&self, _frontier: Frontier) -> Result<(), CallError> {
        self.0.world.peer(self.0.me).fuse.pass().await;
        Ok(())
    }

    async fn serve<H: Handler>(&self, handler: H) {
        let inner = &*self.0;
        let Some(mut inbox) = inner.inbox.borrow_mut().take() else {
            return pending().await;
        };
        let mut answers = FuturesUnordered::new();
        loop {
            tokio::select! {
                biased;
                Some(()) = answers.next(), if !answers.is_empty() => {}
                Some(asked) = inbox.recv() => answers.push(inner.answer(handler.clone(), asked)),
            }
        }
    }
}
