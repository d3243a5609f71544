//! Inputs that are nearly right: a real one, cut, copied, crossed and with bytes changed.
//!
//! Bytes from nowhere are refused at the first of them. A seed that was changed in a few places gets as far as its first
//! change, and that may be anywhere.

use std::fmt;

use bolero::{Driver, ValueGenerator};

/// What a format's inputs are likely to break at.
const WORDS: [&str; 36] = [
    "{{",
    "}}",
    "{%",
    "%}",
    "{#",
    "'",
    "\"",
    "\\",
    "[",
    "]",
    "(",
    ")",
    "{",
    "}",
    "|",
    ":",
    ",",
    "\n",
    "\r",
    "\0",
    "\u{feff}",
    "&a ",
    "*a",
    "<<: ",
    "$ref: \"#/definitions/a\"",
    "\t",
    "-1",
    "99999999999999999999",
    "1e999",
    "<a>",
    "</a>",
    "<![CDATA[",
    "&#0;",
    "PK\u{3}\u{4}",
    "\u{1f}\u{8b}",
    "%",
];

/// What a target is given.
pub(super) struct Input {
    pub(super) bytes: Vec<u8>,
    /// How many of them at a time, where they come in pieces.
    pub(super) piece: usize,
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "in pieces of {}: {}", self.piece, self.bytes.escape_ascii())
    }
}

/// Makes inputs from seeds.
pub(super) struct Changed {
    pub(super) seeds: Vec<Vec<u8>>,
    /// The largest piece.
    pub(super) piece: usize,
}

impl ValueGenerator for Changed {
    type Output = Input;

    fn generate<D: Driver>(&self, driver: &mut D) -> Option<Input> {
        let mut bytes = one(driver, &self.seeds)?.clone();
        for _ in 0..=below(driver, 6)? {
            self.change(driver, &mut bytes)?;
        }
        let piece = 1 + below(driver, self.piece)?;
        Some(Input { bytes, piece })
    }
}

impl Changed {
    fn change<D: Driver>(&self, driver: &mut D, input: &mut Vec<u8>) -> Option<()> {
        let place = below(driver, input.len() + 1)?;
        let end = (place + below(driver, 40)?).min(input.len());
        match below(driver, 7)? {
            0 => input.truncate(place),
            1 => drop(input.drain(place..end)),
            2 => {
                let piece = input[place..end].to_vec();
                input.splice(place..place, piece);
            }
            3 => drop(input.splice(place..end, one(driver, &WORDS)?.bytes())),
            4 if place < input.len() => input[place] ^= 1 << below(driver, 8)?,
            5 => {
                let other = one(driver, &self.seeds)?;
                let from = below(driver, other.len() + 1)?;
                let to = (from + below(driver, 200)?).min(other.len());
                drop(input.splice(place..end, other[from..to].iter().copied()));
            }
            _ => {
                let times = 1 + below(driver, 300)?;
                let word = one(driver, &WORDS)?.repeat(times);
                drop(input.splice(place..place, word.bytes()));
            }
        }
        Some(())
    }
}

/// A number below this one.
fn below<D: Driver>(driver: &mut D, bound: usize) -> Option<usize> {
    use std::ops::Bound;
    driver.gen_usize(Bound::Included(&0), Bound::Excluded(&bound))
}

fn one<'a, D: Driver, T>(driver: &mut D, of: &'a [T]) -> Option<&'a T> {
    Some(&of[below(driver, of.len())?])
}
