//! What the user of a peer reads off it, for the oracles.

use std::time::Duration;

use tokio::time::sleep;

use super::consent::RETRY_MS;
use super::user::User;
use crate::oracle::{View, model};

impl User<'_> {
    /// Lets the oracle look at the peer while others go on, if nothing is volatile.
    pub(super) async fn glance(&self) {
        if let Some(view) = self.view().await
            && view.settled()
            && !self.world.peer(self.me).misled()
        {
            self.world.note(self.me, "is compared with the model", &[]);
            self.world.count("glances");
            self.world.judge(model::judge(&view));
        }
    }

    /// Everything that can be read off the peer; what a failing disk refuses is tried again.
    pub(super) async fn view_at_last(&self) -> View {
        loop {
            if let Some(view) = self.view().await {
                return view;
            }
            sleep(Duration::from_millis(RETRY_MS)).await;
        }
    }

    /// Everything that can be read off the peer, unless its disk fails.
    pub(super) async fn view(&self) -> Option<View> {
        let workspace = self.workspace;
        match workspace.history().await {
            Ok(history) => {
                let frontier = workspace.durable_frontier();
                Some(View {
                    peer: self.me,
                    graph: workspace.graph(),
                    applied: workspace.version_vector(),
                    state: workspace.state_bytes(),
                    history: self.world.whole_history(self.me, &frontier).unwrap_or(history),
                    frontier,
                })
            }
            Err(error) => {
                let may_fail = self.world.peer(self.me).drive.is_some() && !self.calm();
                if !may_fail {
                    self.fail("the history can be read", error.to_string());
                }
                self.world.tell(self.me, format_args!("cannot read its history: {error}"), &[]);
                None
            }
        }
    }
}
