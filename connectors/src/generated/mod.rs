//! Generated inputs, held against Python itself.
//!
//! The fixed references beside the tests of templates and dates hold what somebody thought of. Here templates, literals and
//! dates are generated, some thousands of each, and one Python process with airbyte-cdk 7.39.1 answers them all: what it
//! makes of each has to be what we make of it, result by result, errors included.
//!
//! It needs `SYNCLINE_TEST_CDK`, the folder with that Python (`scripts/prepare python cdk`; `scripts/test` sets it, and so
//! does CI); without it these tests say that they did nothing. The seed is fixed, printed with the first difference, and can
//! be set with `SYNCLINE_TEST_SEED`, the number of cases with `SYNCLINE_TEST_CASES`.

mod dates;
mod literals;
mod templates;

use std::io::Write as _;
use std::process::{Command, Stdio};

use platform::random::{Random, SeededRandom};
use serde_json::Value;

/// What a test chooses by.
pub(crate) struct Chooser {
    pub(crate) seed: u64,
    random: SeededRandom,
}

impl Chooser {
    pub(crate) fn new() -> Self {
        let seed = number("SYNCLINE_TEST_SEED", 20_260_615);
        Self::of(seed)
    }

    pub(crate) fn of(seed: u64) -> Self {
        Self {
            seed,
            random: SeededRandom::new(seed),
        }
    }

    /// A number below this one.
    pub(crate) fn below(&self, bound: usize) -> usize {
        let bound = u64::try_from(bound.max(1)).unwrap();
        usize::try_from(self.random.u64() % bound).unwrap()
    }

    /// Once in so many times.
    pub(crate) fn once_in(&self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn one<'a, T>(&self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// How many cases.
pub(crate) fn cases(usual: usize) -> usize {
    usize::try_from(number("SYNCLINE_TEST_CASES", u64::try_from(usual).unwrap())).unwrap()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test is configured by its environment"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn number(name: &str, usual: u64) -> u64 {
    variable(name).map_or(usual, |value| {
        value
            .parse()
            .unwrap_or_else(|_| panic!("{name} is {value:?}, no number"))
    })
}

/// What Python answers to these, in order; `None`: there is none.
fn python(script: &str, asked: &[Value]) -> Option<Vec<Value>> {
    let Some(folder) = variable("SYNCLINE_TEST_CDK") else {
        eprintln!("nothing was compared: SYNCLINE_TEST_CDK names no airbyte-cdk");
        return None;
    };
    let mut child = Command::new(format!("{folder}/python"))
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines: String = asked.iter().map(|case| format!("{case}\n")).collect();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "Python failed");
    let told = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<Value> = told
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(answers.len(), asked.len(), "an answer for each");
    Some(answers)
}

/// Fails where ours and theirs differ, and shows some of it.
fn compare(seed: u64, compared: impl Iterator<Item = (String, Value, Value)>) {
    let (mut count, mut different) = (0, Vec::new());
    for (case, ours, theirs) in compared {
        count += 1;
        // As text: to a comparison of trees 1 and 1.0 are not the same as they are to Python's JSON.
        let (shown, expected) = (ours.to_string(), theirs.to_string());
        if shown != expected {
            different.push(format!("{case}\n    ours   {shown}\n    Python {expected}"));
        }
    }
    assert!(
        different.is_empty(),
        "seed {seed}: {} of {count} differ:\n{}",
        different.len(),
        different[..different.len().min(40)].join("\n")
    );
}
