//! An engine of bolero's whose run is the same one everywhere.
//!
//! bolero's own for ordinary tests draws the seed of each input from the operating system; `BOLERO_RANDOM_SEED` puts one
//! input before those, and fixes nothing else. A change that is not at fault must not fail by chance, and one that is must
//! fail again: so what inputs are chosen by is made here from a number that counts up. Targets, generators, catching and
//! shrinking are bolero's.

use std::fmt::Debug;

use bolero::{Engine, Test};
use bolero_engine::{Failure, driver, input, panic as panics};
use platform::random::{Random as _, SeededRandom};

use crate::generated::{Chooser, cases};

/// Bytes that an input is chosen by. After the last one every choice is the first.
pub(super) const CHOICES: usize = 512;

pub(super) struct Repeatable {
    first: u64,
    count: usize,
}

impl Repeatable {
    /// So many inputs, where nobody says how many.
    pub(super) fn new(usual: usize) -> Self {
        Self {
            first: Chooser::new().seed,
            count: cases(usual),
        }
    }
}

impl<T> Engine<T> for Repeatable
where
    T: Test,
    T::Value: Debug,
{
    type Output = ();

    fn run(self, mut test: T, options: driver::Options) {
        panics::set_hook();
        let mut choices = vec![0; CHOICES];
        for index in 0..self.count {
            // Each input has a seed of its own, so that it can be made again without those before it.
            let seed = self.first.wrapping_add(u64::try_from(index).unwrap());
            SeededRandom::new(seed).fill(&mut choices);
            let forwarded = panics::forward_panic(false);
            let failed = test.test(&mut input::Bytes::new(&choices, &options)).err();
            let failure = failed.map(|error| match test.shrink(choices.clone(), None, &options) {
                Some(shrunken) => shrunken.to_string(),
                None => {
                    let input = test.generate_value(&mut input::Bytes::new(&choices, &options));
                    let seed = None;
                    Failure { error, input, seed }.to_string()
                }
            });
            panics::forward_panic(forwarded);
            if let Some(failure) = failure {
                panic!("SYNCLINE_TEST_SEED={seed} SYNCLINE_TEST_CASES=1\n{failure}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::fuzz::changed::Changed;

    #[test]
    fn a_run_is_the_same_each_time_and_its_inputs_are_not() {
        let run = || {
            let seen = Mutex::new(Vec::new());
            let changed = Changed {
                seeds: vec![b"{\"a\": [1, 2]}".to_vec(), b"<a>text</a>".to_vec()],
                piece: 100,
            };
            let engine = Repeatable { first: 7, count: 200 };
            bolero::TestTarget::new(engine)
                .with_generator(changed)
                .for_each(|input| seen.lock().unwrap().push((input.bytes.clone(), input.piece)));
            seen.into_inner().unwrap()
        };
        let mut first = run();
        assert_eq!(first, run());
        assert_eq!(first.len(), 200);
        first.sort();
        first.dedup();
        assert!(first.len() > 190, "{} are different", first.len());
    }

    #[test]
    #[should_panic(expected = "SYNCLINE_TEST_SEED=")]
    fn an_input_that_is_not_survived_is_told() {
        let changed = Changed {
            seeds: vec![b"seed".to_vec()],
            piece: 1,
        };
        let engine = Repeatable { first: 7, count: 200 };
        bolero::TestTarget::new(engine)
            .with_generator(changed)
            .for_each(|input| assert!(input.bytes.starts_with(b"s"), "it begins otherwise"));
    }
}
