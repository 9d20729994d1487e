//! What a peer answers, and what the oracles say of it as it leaves.

use std::rc::Rc;

use graphshell_sync::ports::Handler;
use graphshell_sync::wire::{Request, Response};
use graphshell_sync::{Access, VersionVector};

use super::{Asked, Inner};
use crate::oracle::{bounds, durability, privacy};
use crate::world::dialect::Dialect;

impl Inner {
    /// Lets the engine answer a request, and sends that.
    pub(super) async fn answer<H: Handler>(&self, handler: H, asked: Asked) {
        let Asked { from, call, request, bytes } = asked;
        let peer = self.world.peer(self.me);
        peer.fuse.pass().await;
        let held = || peer.image.borrow().contents.held.vector();
        let (digest, before) = match &request {
            Request::Frontier(request) => (Some(request.digest), held()),
            _ => (None, VersionVector::new()),
        };
        let most = match &request {
            Request::Pull(request) => request.budget.entries,
            _ => u32::MAX,
        };
        let pushes = matches!(request, Request::Push(_));
        let allowed = self.access_of(from);
        let response = handler.handle(self.world.peer(from).device, request).await;
        peer.fuse.pass().await;
        let may_only_read =
            [allowed, self.access_of(from)].iter().all(|&it| it == Access::ReadOnly);
        if pushes && may_only_read {
            self.world.count("pushes of readers");
            self.world.judge(privacy::judge_taken(self.me, from, &response));
        }
        let sent =
            durability::judge_response(self.me, &peer.image.borrow().contents.held, &response);
        self.world.judge(sent);
        self.world.tells_others(self.me, durability::told_by_response(&response));
        if let Response::Durable { have } = &response {
            peer.acknowledged.borrow_mut().add_all(have);
        }
        let dialect = Dialect(self.world.plan.peers[self.me].speaks());
        let body = dialect.spoken(response.encode());
        let (me, world) = (self.me, &*self.world);
        let shared = self.access_of(from) != Access::None;
        world.judge(privacy::judge_response(me, from, shared, &response));
        let content = privacy::answers_with_content(&response);
        world.judge(privacy::judge_text(me, from, world.at_rest(), content, &body));
        if let Response::Batch { batch: Some(batch), .. } = &response {
            world.judge(bounds::judge_batch(me, batch.len(), most as usize));
        }
        // Both have the same, and the disk holds no more that could be told.
        let in_step = match &response {
            Response::InStep => true,
            Response::Frontier { frontier, .. } => {
                let all = [before, held()].iter().all(|held| *held == frontier.vector());
                all && digest == Some(frontier.digest())
            }
            _ => false,
        };
        if in_step {
            self.world.judge(bounds::judge_in_step(self.me, bytes + body.len()));
        }
        let handing = match &response {
            Response::Snapshot(part) => {
                if peer.misled() {
                    // What it was made to believe goes on, perhaps through others.
                    self.world.slander.borrow_mut().alter(part.id.0);
                }
                Some(Rc::new(peer.image.borrow().contents.held.clone()))
            }
            _ => None,
        };
        self.send(from, true, call, &self.world.answer(&response), body, handing);
    }
}
