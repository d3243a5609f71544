//! Whose turn it is: deficit round robin between clients.
//!
//! Clients that have something to run stand in a ring, in the order of their ids, and each turn gives one run. What
//! a run will cost is known only when it has ended, so a turn is charged a [quantum](QUANTUM) and the rest of what
//! the run took afterwards; a client that had more than a quantum ahead of the others is passed over until they
//! have had as much. With short runs this is plain round robin; with long ones it is the workers' *time* that is
//! shared and not the number of runs.
//!
//! Time here is virtual: it moves by what each client would have had by now if all of them had had the same. A client with
//! nothing to run gathers no credit, and what it had ahead is bounded, so that one long first sync does not shut its
//! client out for hours. When nobody else is left, the one who had the least ahead is next: a worker is never idle
//! on principle.
//!
//! The ring is each process's own. Processes that are each fair are fair together, and there is no row that all of
//! them would have to write for every run (which was the alternative: a virtual time a client, in the database).

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use crate::ids::ClientId;

/// What a turn is worth.
const QUANTUM: Duration = Duration::from_secs(1);
/// The most that a client can have had ahead of the others, or they of it.
const MOST_AHEAD: Duration = Duration::from_secs(60);
/// When so many clients are kept, those that have nothing ahead are forgotten.
const SWEEP: usize = 1024;

/// The ring of a process.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// Who had the last turn.
    at: Option<ClientId>,
    now: Duration,
    /// Who waited when turns were given last.
    waiting: HashSet<ClientId>,
    /// Up to when, in virtual time, a client has had its share.
    served: HashMap<ClientId, Duration>,
}

impl Turns {
    /// Who had the last turn: the ring goes on behind it.
    pub(super) fn at(&self) -> Option<ClientId> {
        self.at
    }

    /// Goes on behind this client, without a turn.
    pub(super) fn pass_by(&mut self, client: ClientId) {
        self.at = Some(client);
    }

    /// Shares `room` between clients that wait, given in the ring's order; gives how many turns each gets, in the
    /// order of their first one.
    pub(super) fn share(&mut self, waiting: &[ClientId], mut room: u32) -> Vec<(ClientId, u32)> {
        let mut shares: Vec<(ClientId, u32)> = Vec::new();
        self.let_in(waiting);
        while room > 0 && !waiting.is_empty() {
            let free: Vec<ClientId> = waiting
                .iter()
                .copied()
                .filter(|client| self.may_run(*client))
                .collect();
            if free.is_empty() {
                self.move_on(waiting);
                continue;
            }
            for client in free {
                if room == 0 {
                    break;
                }
                match shares.iter_mut().find(|(other, _)| *other == client) {
                    Some((_, count)) => *count += 1,
                    None => shares.push((client, 1)),
                }
                self.at = Some(client);
                self.serve(client, QUANTUM);
                room -= 1;
            }
        }
        shares
    }

    /// Charges a run that took so long, beside the quantum of its turn.
    pub(super) fn charge(&mut self, client: ClientId, took: Duration) {
        self.serve(client, took.saturating_sub(QUANTUM));
    }

    fn serve(&mut self, client: ClientId, time: Duration) {
        let until = self.served.entry(client).or_insert(self.now);
        *until = (*until + time).min(self.now + MOST_AHEAD);
        self.now += time / u32::try_from(self.waiting.len()).unwrap_or(u32::MAX).max(1);
    }

    /// Who has not waited until now begins now, whatever it was served before.
    fn let_in(&mut self, waiting: &[ClientId]) {
        let now = self.now;
        if self.served.len() >= SWEEP {
            self.served.retain(|_, until| *until > now);
        }
        for client in waiting {
            let earliest = match self.waiting.contains(client) {
                true => now.saturating_sub(MOST_AHEAD),
                false => now,
            };
            let until = self.served.entry(*client).or_insert(earliest);
            *until = (*until).max(earliest);
        }
        self.waiting = waiting.iter().copied().collect();
    }

    fn may_run(&self, client: ClientId) -> bool {
        let served = self.served.get(&client).copied().unwrap_or_default();
        served <= self.now + QUANTUM
    }

    fn move_on(&mut self, waiting: &[ClientId]) {
        let least = waiting.iter().filter_map(|client| self.served.get(client)).min();
        self.now = self
            .now
            .max(least.map_or(Duration::ZERO, |least| least.saturating_sub(QUANTUM)));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn clients(count: usize) -> Vec<ClientId> {
        (1..=count)
            .map(|number| ClientId::new(Uuid::from_u128(number as u128)))
            .collect()
    }

    /// The ring behind whoever had the last turn, as the store gives it.
    fn ring(turns: &Turns, clients: &[ClientId]) -> Vec<ClientId> {
        let behind = clients.iter().filter(|client| Some(**client) > turns.at());
        let before = clients.iter().filter(|client| Some(**client) <= turns.at());
        behind.chain(before).copied().collect()
    }

    #[test]
    fn short_runs_take_turns() {
        let (mut turns, clients) = (Turns::default(), clients(3));
        let mut order = Vec::new();
        for room in [1, 1, 2, 1, 1] {
            let waiting = ring(&turns, &clients);
            order.extend(turns.share(&waiting, room).into_iter().map(|(client, _)| client));
        }
        assert_eq!(order, [&clients[..], &clients[..]].concat());
        let waiting = ring(&turns, &clients);
        assert_eq!(
            turns
                .share(&waiting, 7)
                .iter()
                .map(|(_, count)| *count)
                .collect::<Vec<_>>(),
            [3, 2, 2]
        );
    }

    #[test]
    fn a_client_alone_gets_everything_whatever_it_owes() {
        let (mut turns, clients) = (Turns::default(), clients(1));
        for _ in 0..10 {
            turns.charge(clients[0], Duration::from_secs(3600));
            assert_eq!(turns.share(&clients, 4), [(clients[0], 4)]);
        }
    }

    #[test]
    fn who_comes_back_from_a_pause_has_no_credit() {
        let (mut turns, clients) = (Turns::default(), clients(2));
        for _ in 0..100 {
            turns.share(&clients[..1], 1);
        }
        let waiting = ring(&turns, &clients);
        assert_eq!(
            turns
                .share(&waiting, 10)
                .iter()
                .map(|(_, count)| *count)
                .collect::<Vec<_>>(),
            [5, 5]
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// One worker, clients that always have something to run, each with runs of a length of its own: the worker's
        /// time is shared evenly, but for the runs that are under way and a quantum's rounding.
        #[test]
        fn time_is_shared_and_not_runs(lengths in prop::collection::vec(1_u64..60, 2..6)) {
            let (mut turns, clients) = (Turns::default(), clients(lengths.len()));
            let mut served = vec![0_u64; lengths.len()];
            for _ in 0..4_000 {
                let waiting = ring(&turns, &clients);
                let (client, count) = turns.share(&waiting, 1)[0];
                prop_assert_eq!(count, 1);
                let which = clients.iter().position(|other| *other == client).unwrap();
                served[which] += lengths[which];
                turns.charge(client, Duration::from_secs(lengths[which]));
            }
            let (least, most) = (served.iter().min().unwrap(), served.iter().max().unwrap());
            prop_assert!(most - least <= 2 * lengths.iter().max().unwrap() + most / 8, "{lengths:?}: {served:?}");
        }

        /// Nobody who waits is passed over for longer than a bounded debt takes to be paid.
        #[test]
        fn nobody_starves(lengths in prop::collection::vec(0_u64..100_000, 2..8)) {
            let (mut turns, clients) = (Turns::default(), clients(lengths.len()));
            let mut last = vec![0_usize; lengths.len()];
            for step in 0..3_000 {
                let waiting = ring(&turns, &clients);
                let (client, _) = turns.share(&waiting, 1)[0];
                let which = clients.iter().position(|other| *other == client).unwrap();
                prop_assert!(step - last[which] <= 62 * lengths.len(), "{which} waited {} turns", step - last[which]);
                last[which] = step;
                turns.charge(client, Duration::from_millis(lengths[which]));
            }
        }
    }
}
