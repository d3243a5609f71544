//! How a command ends.
//!
//! A failure is one paragraph: what is wrong, then what to do. No error chain with "caused by", no backtrace: those are for
//! us, and are in the log at debug level. The numbers are part of the interface, and `--help` lists them.

use std::fmt;
use std::process::ExitCode;

/// The exit codes that are not 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It ran and did not succeed.
    Failed = 1,
    /// The command line cannot be followed.
    Usage = 2,
    /// Settings, or what they point at, do not let us start.
    CannotStart = 3,
    /// The connector manifest does not load.
    Manifest = 4,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// What a person reads when a command fails.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    paragraph: String,
}

impl Failure {
    pub(crate) fn new(exit: Exit, paragraph: impl Into<String>) -> Self {
        Self {
            exit,
            paragraph: paragraph.into(),
        }
    }

    pub(crate) fn failed(paragraph: impl Into<String>) -> Self {
        Self::new(Exit::Failed, paragraph)
    }

    pub(crate) fn usage(paragraph: impl Into<String>) -> Self {
        Self::new(Exit::Usage, paragraph)
    }

    pub(crate) fn cannot_start(paragraph: impl Into<String>) -> Self {
        Self::new(Exit::CannotStart, paragraph)
    }

    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.paragraph)
    }
}

/// How a command that did not fail ends.
pub(crate) type Outcome = Result<ExitCode, Failure>;
