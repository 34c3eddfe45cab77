//! The choice among several upstreams.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::time::Instant;

use crate::{Address, member::Member, transport::Transport};

/// The upstreams, of which each request gets one.
pub(crate) struct Balance {
    members: Vec<Arc<Member>>,
    transport: Transport,
    /// The member with which the next search begins, so that equal ones take turns.
    next: AtomicUsize,
}

impl Balance {
    pub(crate) fn new(first: Address) -> Self {
        Self {
            members: vec![Member::new(first, &Transport::default())],
            transport: Transport::default(),
            next: AtomicUsize::new(0),
        }
    }

    /// Returns the same upstreams, spoken to in another way. They share no connections with these.
    pub(crate) fn with_transport(&self, change: impl FnOnce(&mut Transport)) -> Self {
        let mut transport = self.transport.clone();
        change(&mut transport);
        let members = self.addresses().cloned();
        Self {
            members: members
                .map(|address| Member::new(address, &transport))
                .collect(),
            transport,
            next: AtomicUsize::new(0),
        }
    }

    /// Returns the same upstreams and another one.
    pub(crate) fn and(&self, other: Address) -> Self {
        let mut members = self.members.clone();
        members.push(Member::new(other, &self.transport));
        Self {
            members,
            transport: self.transport.clone(),
            next: AtomicUsize::new(0),
        }
    }

    /// Returns whether the connections may speak HTTP/1.
    pub(crate) fn may_be_http1(&self) -> bool {
        self.transport.may_be_http1()
    }

    /// Returns whether a connection may speak HTTP/2.
    pub(crate) fn may_be_http2(&self) -> bool {
        self.members.iter().any(|member| member.may_be_http2())
    }

    pub(crate) fn addresses(&self) -> impl Iterator<Item = &Address> {
        self.members.iter().map(|member| &member.address)
    }

    /// Returns the first upstream. The path is the same for all.
    pub(crate) fn first(&self) -> &Address {
        &self.members[0].address
    }

    /// Returns the member with the fewest requests under way, of those that have not been tried.
    ///
    /// One that has failed lately comes after all others. If all have, it is the one whose time is
    /// over first: a request is tried rather than rejected.
    pub(crate) fn choose(&self, tried: &[Arc<Member>]) -> Option<Arc<Member>> {
        if let ([only], []) = (&*self.members, tried) {
            return Some(only.clone());
        }
        let now = Instant::now();
        let start = self.next.fetch_add(1, Ordering::Relaxed) % self.members.len();
        let (before, after) = self.members.split_at(start);
        let left = after.iter().chain(before);
        let left = left.filter(|member| !tried.iter().any(|tried| Arc::ptr_eq(tried, member)));
        let chosen = left.min_by_key(|member| (member.health.ejected(now), member.active()))?;
        chosen.health.begin(now);
        Some(chosen.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::member::Lease;

    fn three() -> Balance {
        let address = |text: &str| text.parse().unwrap();
        Balance::new(address("http://a"))
            .and(address("http://b"))
            .and(address("http://c"))
    }

    #[tokio::test(start_paused = true)]
    async fn upstream_18_the_fewest_requests_are_chosen() {
        let balance = three();
        let mut leases: Vec<Lease> = Vec::new();
        for round in 1..4 {
            for _ in 0..3 {
                leases.push(Lease::new(balance.choose(&[]).unwrap()));
            }
            for member in &balance.members {
                assert_eq!(member.active(), round);
            }
        }
        // The one whose requests end gets the next ones.
        let free = balance.members[1].clone();
        leases.retain(|lease| lease.member().address != free.address);
        for _ in 0..3 {
            let chosen = balance.choose(&[]).unwrap();
            assert!(Arc::ptr_eq(&chosen, &free));
            leases.push(Lease::new(chosen));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn upstream_18_one_that_failed_is_chosen_last() {
        let balance = three();
        let [a, b, c] = &*balance.members else {
            panic!("there are three");
        };
        a.health.fail(Instant::now());
        for _ in 0..9 {
            assert!(!Arc::ptr_eq(&balance.choose(&[]).unwrap(), a));
        }
        b.health.fail(Instant::now());
        b.health.fail(Instant::now());
        // Without the third one, it is the one whose time is over first.
        let tried = [c.clone()];
        assert!(Arc::ptr_eq(&balance.choose(&tried).unwrap(), a));
        let tried = [c.clone(), a.clone()];
        assert!(Arc::ptr_eq(&balance.choose(&tried).unwrap(), b));
        let tried = [c.clone(), a.clone(), b.clone()];
        assert!(balance.choose(&tried).is_none());
    }
}
