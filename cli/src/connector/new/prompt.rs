//! Questions with a proposed answer.

use std::io::{BufRead, ErrorKind, Write};

use crate::exit::Failure;

/// Asks on one side, and reads the answers on the other.
pub(super) struct Prompt<R, W> {
    input: R,
    output: W,
    /// Nobody is there: every proposal is taken.
    silent: bool,
}

impl<R: BufRead, W: Write> Prompt<R, W> {
    pub(super) fn new(input: R, output: W, silent: bool) -> Self {
        Self {
            input,
            output,
            silent,
        }
    }

    pub(super) fn say(&mut self, text: &str) -> Result<(), Failure> {
        let said = writeln!(self.output, "{text}").and_then(|()| self.output.flush());
        match said {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::failed(format!(
                "Cannot write to standard output: {error}."
            ))),
            _ => Ok(()),
        }
    }

    /// An answer; Enter, the input's end and silence take the proposal.
    pub(super) fn ask(&mut self, question: &str, proposed: &str) -> Result<String, Failure> {
        if self.silent {
            return Ok(proposed.to_owned());
        }
        let hint = if proposed.is_empty() {
            String::new()
        } else {
            format!(" [{proposed}]")
        };
        // A question whose output is closed goes unanswered, and that is all.
        let asked = write!(self.output, "{question}{hint}: ").and_then(|()| self.output.flush());
        let mut line = String::new();
        if asked.is_ok() {
            self.input
                .read_line(&mut line)
                .map_err(|error| Failure::failed(format!("Cannot read the answer: {error}.")))?;
        }
        if line.is_empty() {
            self.silent = true;
            self.say("")?;
        }
        let answer = line.trim();
        Ok(if answer.is_empty() { proposed } else { answer }.to_owned())
    }

    /// One of these, by its number; the first is the proposal. Other answers are given back as they are.
    pub(super) fn choose(&mut self, question: &str, options: &[String]) -> Result<Chosen, Failure> {
        if self.silent {
            return Ok(Chosen::Option(0));
        }
        for (at, option) in options.iter().enumerate() {
            self.say(&format!("  {}. {option}", at + 1))?;
        }
        let answer = self.ask(question, "1")?;
        Ok(match answer.parse::<usize>() {
            Ok(number) if (1..=options.len()).contains(&number) => Chosen::Option(number - 1),
            _ => Chosen::Other(answer),
        })
    }
}

/// What was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Chosen {
    /// One of the options.
    Option(usize),
    /// Something else.
    Other(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enter_takes_the_proposal_and_the_end_of_the_input_all_others() {
        let mut output = Vec::new();
        let mut prompt = Prompt::new(&b"mine\n\n"[..], &mut output, false);
        assert_eq!(prompt.ask("Name", "theirs").unwrap(), "mine");
        assert_eq!(prompt.ask("Name", "theirs").unwrap(), "theirs");
        assert_eq!(prompt.ask("Name", "theirs").unwrap(), "theirs");
        assert_eq!(
            prompt.choose("Which", &["a".to_owned()]).unwrap(),
            Chosen::Option(0)
        );
        assert_eq!(String::from_utf8(output).unwrap().matches("Name").count(), 3);
    }

    #[test]
    fn an_option_is_chosen_by_its_number_and_others_are_given_back() {
        let options = ["a".to_owned(), "b".to_owned()];
        let mut prompt = Prompt::new(&b"2\n7\nsku\n"[..], Vec::new(), false);
        assert_eq!(prompt.choose("Which", &options).unwrap(), Chosen::Option(1));
        assert_eq!(
            prompt.choose("Which", &options).unwrap(),
            Chosen::Other("7".to_owned())
        );
        assert_eq!(
            prompt.choose("Which", &options).unwrap(),
            Chosen::Other("sku".to_owned())
        );
    }
}
