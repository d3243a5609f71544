//! An orders API whose orders live: placed, paid, packed, shipped, delivered, and some cancelled on the way.
//!
//! Nothing is stored. An order's whole life follows from its number and the instant the shop opened, so its state at any
//! time can be computed, which is what makes the answers reproducible. On opening there are 240 old orders; after that one
//! is placed every thirty seconds and the last hour's are moving.

use chrono::{DateTime, Duration, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::directory;
use super::paging::{Position, Window};

const BACKLOG: i64 = 240;
const BACKLOG_SPACING_MINUTES: i64 = 180;
const NEW_EVERY_SECONDS: i64 = 30;

const GOODS: [(&str, &str, i64); 6] = [
    ("LMP-01", "Reading lamp", 4_900),
    ("KTL-07", "Enamel kettle", 3_450),
    ("MAP-12", "Sea chart, folded", 1_200),
    ("CLK-03", "Tide clock", 8_900),
    ("RUG-21", "Wool rug", 15_900),
    ("PEN-02", "Drafting pen", 750),
];

/// What happens to an order, and how many seconds after it was placed.
const LIFE: [(&str, i64); 5] = [
    ("placed", 0),
    ("paid", 45),
    ("packed", 240),
    ("shipped", 600),
    ("delivered", 1_800),
];
const SHORT_LIFE: [(&str, i64); 3] = [("placed", 0), ("paid", 45), ("cancelled", 150)];

struct Order {
    number: i64,
    placed_at: DateTime<Utc>,
    status: &'static str,
    updated_at: DateTime<Utc>,
}

/// One page, oldest change first, as the shop stood at the window's `as_of`.
pub(super) fn list(opened_at: DateTime<Utc>, window: &Window) -> Value {
    let mut orders: Vec<Order> = orders(opened_at, window.as_of)
        .filter(|order| window.since.is_none_or(|since| order.updated_at >= since))
        .filter(|order| window.before.is_none_or(|before| order.updated_at <= before))
        .filter(|order| {
            window
                .after
                .as_ref()
                .is_none_or(|after| order.position() > *after)
        })
        .collect();
    orders.sort_by_key(Order::position);
    let has_more = orders.len() > window.limit;
    orders.truncate(window.limit);
    let next = orders
        .last()
        .filter(|_| has_more)
        .map(|last| window.token(&last.position()));
    json!({
        "data": orders.iter().map(Order::json).collect::<Vec<_>>(),
        "has_more": has_more,
        "next_cursor": next,
    })
}

fn orders(opened_at: DateTime<Utc>, at: DateTime<Utc>) -> impl Iterator<Item = Order> {
    let placed_since = (at - opened_at).num_seconds().max(0) / NEW_EVERY_SECONDS;
    (1..=BACKLOG + placed_since).map(move |number| Order::at(number, opened_at, at))
}

impl Order {
    fn at(number: i64, opened_at: DateTime<Utc>, at: DateTime<Utc>) -> Self {
        let placed_at = if number <= BACKLOG {
            opened_at - Duration::minutes((BACKLOG - number + 1) * BACKLOG_SPACING_MINUTES)
        } else {
            opened_at + Duration::seconds((number - BACKLOG) * NEW_EVERY_SECONDS)
        };
        let life: &[(&str, i64)] = if number % 11 == 0 { &SHORT_LIFE } else { &LIFE };
        let (status, updated_at) = life
            .iter()
            .map(|(status, after)| (*status, placed_at + Duration::seconds(*after)))
            .take_while(|(_, when)| *when <= at)
            .last()
            .unwrap_or(("placed", placed_at));
        Self {
            number,
            placed_at,
            status,
            updated_at,
        }
    }

    fn position(&self) -> Position {
        Position {
            updated_at: self.updated_at.timestamp(),
            number: self.number,
        }
    }

    fn json(&self) -> Value {
        let n = self.number as usize;
        let lines: Vec<_> = (0..=n % 3)
            .map(|line| {
                let (sku, name, price) = GOODS[(n + 5 * line) % GOODS.len()];
                let quantity = 1 + (n + line) as i64 % 3;
                (sku, name, quantity, price)
            })
            .collect();
        let total: i64 = lines.iter().map(|(_, _, quantity, price)| quantity * price).sum();
        json!({
            "id": self.number,
            "reference": format!("SO-{:06}", self.number),
            "user_id": 1 + (13 * self.number) % directory::COUNT as i64,
            "status": self.status,
            "currency": "EUR",
            "total_cents": total,
            "lines": lines.iter().map(|(sku, name, quantity, price)| json!({
                "sku": sku, "name": name, "quantity": quantity, "unit_price_cents": price,
            })).collect::<Vec<_>>(),
            "placed_at": text(self.placed_at),
            "updated_at": text(self.updated_at),
        })
    }
}

fn text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
