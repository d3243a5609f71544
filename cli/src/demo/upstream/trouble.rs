//! Trouble by counting.
//!
//! Every so many requests of a route meet an error. Counting was preferred to a random draw for one property: two errors
//! never come in a row, so a client that retries once always gets on, and a client that does not is always found out.

use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Clone, Copy, Debug)]
pub(super) enum Route {
    Blog,
    Orders,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    TooManyRequests { retry_after_seconds: u64 },
    ServerError,
}

/// One counter a route, so that what one integration asks does not change what another meets.
pub(super) struct Troubles {
    seed: u64,
    blog: AtomicU64,
    orders: AtomicU64,
}

/// A sync of the blog is some forty-five requests, one of the orders a few: both meet trouble every few minutes.
const BLOG_PERIOD: u64 = 151;
const ORDERS_PERIOD: u64 = 9;

impl Troubles {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            blog: AtomicU64::new(0),
            orders: AtomicU64::new(0),
        }
    }

    pub(super) fn next(&self, route: Route) -> Option<Trouble> {
        let (counter, period, trouble) = match route {
            Route::Blog => (&self.blog, BLOG_PERIOD, Trouble::ServerError),
            Route::Orders => (
                &self.orders,
                ORDERS_PERIOD,
                Trouble::TooManyRequests {
                    retry_after_seconds: 2,
                },
            ),
        };
        let number = counter.fetch_add(1, Ordering::Relaxed) + self.seed % period;
        (number % period == period - 1).then_some(trouble)
    }
}
