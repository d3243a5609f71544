//! A user directory: sixty made-up people, the same at any time.

use serde_json::{Value, json};

pub(super) const COUNT: usize = 60;

const GIVEN: [&str; 12] = [
    "Ada", "Bruno", "Chiara", "Dmitri", "Esi", "Femke", "Goran", "Hana", "Ines", "Jonas", "Keiko", "Luís",
];
const FAMILY: [&str; 10] = [
    "Okafor",
    "Lindqvist",
    "Moreau",
    "Tanaka",
    "Novák",
    "Silva",
    "O’Brien",
    "Haddad",
    "Petrov",
    "Zhang",
];
const CITIES: [(&str, f64, f64); 6] = [
    ("Lisbon", 38.7223, -9.1393),
    ("Gothenburg", 57.7089, 11.9746),
    ("Nagoya", 35.1815, 136.9066),
    ("Accra", 5.6037, -0.187),
    ("Montréal", 45.5019, -73.5674),
    ("Brno", 49.1951, 16.6068),
];
const COMPANIES: [(&str, &str); 5] = [
    ("Harbour & Sons", "boats that come back"),
    ("Northlight Optics", "see it before it happens"),
    ("Tilia Paper", "every sheet a tree's pride"),
    ("Kettle Works", "hot water, on time"),
    ("Quiet Freight", "moved while you sleep"),
];

pub(super) fn users() -> Vec<Value> {
    (1..=COUNT as u32).filter_map(user).collect()
}

pub(super) fn user(id: u32) -> Option<Value> {
    if !(1..=COUNT as u32).contains(&id) {
        return None;
    }
    let n = id as usize - 1;
    let given = GIVEN[n % GIVEN.len()];
    let family = FAMILY[(n / GIVEN.len() + n) % FAMILY.len()];
    let (city, lat, lng) = CITIES[n % CITIES.len()];
    let (company, phrase) = COMPANIES[n % COMPANIES.len()];
    let username = format!("{}{id}", given.to_lowercase());
    Some(json!({
        "id": id,
        "name": format!("{given} {family}"),
        "username": username,
        "email": format!("user{id}@directory.example"),
        "phone": format!("+00 555 01{:02}", id),
        "address": {
            "street": format!("{} Mill Lane", 3 * id),
            "city": city,
            "geo": { "lat": lat, "lng": lng },
        },
        "company": { "name": company, "catchPhrase": phrase },
    }))
}
