//! Lines as Python's text files have them: `\r\n` and a lone `\r` are `\n`, wherever they stand.

/// Translates line ends, piece by piece.
#[derive(Debug, Default)]
pub(super) struct Newlines {
    /// The last piece ended with a carriage return, which was written as a line end already.
    after_return: bool,
}

impl Newlines {
    pub(super) fn translate(&mut self, text: &[u8], into: &mut Vec<u8>) {
        let mut rest = text;
        if self.after_return && !rest.is_empty() {
            self.after_return = false;
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        }
        while let Some(at) = rest.iter().position(|&byte| byte == b'\r') {
            let (before, after) = rest.split_at(at);
            into.extend_from_slice(before);
            into.push(b'\n');
            let after = &after[1..];
            self.after_return = after.is_empty();
            rest = after.strip_prefix(b"\n").unwrap_or(after);
        }
        into.extend_from_slice(rest);
    }
}
