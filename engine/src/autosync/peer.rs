//! What the machine knows of one device.

use super::policy::{Policy, ms};
use super::{Random, RoundEnd};

/// Something that the device may lack.
#[derive(Clone, Copy, Debug)]
struct News {
    /// When the first of it came about, and the last.
    first: u64,
    last: u64,
    /// When the first edit of this device among it was made.
    edited: Option<u64>,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Peer {
    allowed: bool,
    connected: bool,
    running: bool,
    news: Option<News>,
    wanted: Option<u64>,
    /// When the device last asked something.
    heard: Option<u64>,
    /// When to sync though nothing is known to be new.
    routine: Option<u64>,
    /// Rounds in a row that failed, or the connection's end.
    failures: u32,
    /// Nothing but what is wanted begins before this, if there were failures; then it does.
    retry: u64,
}

impl Peer {
    /// When its next round is due.
    pub(super) fn due(&self, policy: &Policy) -> Option<u64> {
        if self.running || !self.allowed {
            return None;
        }
        let retry = (self.failures > 0).then_some(self.retry);
        let own = self.news.map(|news| self.news_due(news, policy));
        let due = [own, self.routine, retry].into_iter().flatten().min();
        let due = due.map(|due| due.max(retry.unwrap_or(0)));
        [due, self.wanted].into_iter().flatten().min()
    }

    fn news_due(&self, news: News, policy: &Policy) -> u64 {
        if !self.connected {
            let quiet = news.last.saturating_add(ms(policy.quiescence));
            return quiet.min(news.first.saturating_add(ms(policy.postponement)));
        }
        let gathered = news.last.saturating_add(ms(policy.gathering));
        let gathered = gathered.min(news.first.saturating_add(ms(policy.gathering_most)));
        let listened = self.heard.map_or(0, |heard| heard.saturating_add(ms(policy.listening)));
        // Whoever asks again and again is not listened to for ever.
        let most = news.first.saturating_add(ms(policy.gathering_most)).max(gathered);
        let others = gathered.max(listened.min(most.saturating_add(ms(policy.listening))));
        news.edited.map_or(others, |edited| edited.min(others))
    }

    /// Whether its round is one for which it is dialed.
    pub(super) fn dials(&self) -> bool {
        self.running && !self.connected
    }

    pub(super) fn is_connected(&self) -> bool {
        self.connected
    }

    /// Whether nothing needs to be remembered of it.
    pub(super) fn is_forgotten(&self) -> bool {
        !self.allowed && !self.running && !self.connected
    }

    pub(super) fn changed(&mut self, now: u64) {
        self.is_new(now);
        if let Some(news) = &mut self.news {
            news.edited.get_or_insert(now);
        }
    }

    pub(super) fn arrived(&mut self, now: u64) {
        self.is_new(now);
    }

    fn is_new(&mut self, now: u64) {
        let news = self.news.get_or_insert(News { first: now, last: now, edited: None });
        news.last = now;
    }

    pub(super) fn allowed(&mut self, now: u64) {
        if !self.allowed {
            self.allowed = true;
            self.wanted(now);
        }
    }

    /// Whether it is to be remembered all the same.
    pub(super) fn withdrawn(&mut self) -> bool {
        let Peer { connected, running, .. } = *self;
        *self = Peer { connected, running, ..Peer::default() };
        connected || running
    }

    pub(super) fn connected(&mut self, now: u64) {
        self.connected = true;
        if self.running {
            // Our own dial: whether it is of any use, the round will tell.
            return;
        }
        self.failures = 0;
        // Whoever dialed begins a round, which takes what is new here along.
        self.news = Some(News { first: now, last: now, edited: None });
        self.heard = Some(now);
    }

    pub(super) fn gone(&mut self, now: u64, policy: &Policy, random: &mut Random) {
        self.connected = false;
        self.heard = None;
        if self.allowed && !self.running {
            self.put_off(now, policy, random);
        }
    }

    pub(super) fn heard(&mut self, now: u64) {
        self.heard = Some(now);
    }

    pub(super) fn wanted(&mut self, now: u64) {
        if self.allowed {
            self.wanted.get_or_insert(now);
        }
    }

    pub(super) fn begin(&mut self) {
        self.running = true;
        self.news = None;
        self.wanted = None;
    }

    pub(super) fn finished(
        &mut self,
        now: u64,
        end: RoundEnd,
        policy: &Policy,
        random: &mut Random,
    ) {
        self.running = false;
        if !self.allowed {
            return;
        }
        self.routine = policy.interval.map(|interval| {
            let interval = ms(interval);
            now.saturating_add(random.between(interval - interval / 4, interval))
        });
        match end {
            RoundEnd::Done => {
                self.failures = 0;
                // What the round brought is no news to the other side.
                self.heard = Some(now);
            }
            RoundEnd::Failed => self.put_off(now, policy, random),
        }
    }

    /// Doubles the time until the next try, with jitter of up to its half.
    fn put_off(&mut self, now: u64, policy: &Policy, random: &mut Random) {
        let doubled = ms(policy.retry_first).saturating_mul(1 << self.failures.min(32));
        let wait = doubled.min(ms(policy.retry_most));
        self.failures = self.failures.saturating_add(1);
        self.retry = now.saturating_add(random.between(wait - wait / 2, wait));
    }
}
