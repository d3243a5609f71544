//! Standard output, where a closed pipe is not a failure.

use std::io::{ErrorKind, Write};

use crate::exit::Failure;

pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::failed(format!(
            "Cannot write to standard output: {error}."
        ))),
        _ => Ok(()),
    }
}
