//! Python's numbers: in four bases, with underscores, and not run into a name.

use super::{Literal, Reader};
use crate::template::value::Val;

impl Reader<'_> {
    pub(super) fn number(&mut self) -> Option<Literal> {
        let rest = self.rest();
        let bytes = rest.as_bytes();
        let byte = |at: usize| bytes.get(at).copied().unwrap_or(0);
        let run = |from: usize, radix: u32| {
            let mut at = from;
            loop {
                let digit = |at: usize| char::from(byte(at)).is_digit(radix);
                let between = byte(at) == b'_' && at > from && digit(at + 1);
                if !digit(at) && !between {
                    return at;
                }
                at += 1;
            }
        };
        let radix = match (byte(0), byte(1)) {
            (b'0', b'x' | b'X') => Some(16),
            (b'0', b'o' | b'O') => Some(8),
            (b'0', b'b' | b'B') => Some(2),
            _ => None,
        };
        if let Some(radix) = radix {
            let from = if byte(2) == b'_' { 3 } else { 2 };
            let end = run(from, radix);
            let digits = rest.get(from..end)?.replace('_', "");
            self.ended(end)?;
            return Some(match i128::from_str_radix(&digits, radix) {
                Ok(value) => Literal::Value(Val::Int(value)),
                Err(_) if digits.is_empty() => return None,
                Err(_) => Literal::Foreign,
            });
        }
        let whole = run(0, 10);
        let mut end = whole;
        let mut float = false;
        if byte(end) == b'.' {
            let fraction = run(end + 1, 10);
            if whole == 0 && fraction == end + 1 {
                return None;
            }
            end = fraction;
            float = true;
        }
        if matches!(byte(end), b'e' | b'E') {
            let sign = usize::from(matches!(byte(end + 1), b'+' | b'-'));
            let exponent = run(end + 1 + sign, 10);
            if exponent > end + 1 + sign {
                end = exponent;
                float = true;
            }
        }
        if end == 0 {
            return None;
        }
        let digits = rest.get(..end)?.replace('_', "");
        if matches!(byte(end), b'j' | b'J') {
            self.ended(end + 1)?;
            return Some(Literal::Foreign);
        }
        self.ended(end)?;
        if float {
            let number: f64 = digits.parse().ok()?;
            return Some(if number.is_finite() {
                Literal::Value(Val::Float(number))
            } else {
                Literal::Foreign
            });
        }
        if digits.len() > 1 && digits.starts_with('0') && digits.bytes().any(|digit| digit != b'0') {
            return None;
        }
        Some(integer(&digits))
    }

    /// A number may not run into a name.
    fn ended(&mut self, length: usize) -> Option<()> {
        self.at += length;
        let next = self.rest().chars().next();
        next.is_none_or(|char| !char.is_alphanumeric() && char != '_' && char != '.')
            .then_some(())
    }
}

fn integer(digits: &str) -> Literal {
    digits
        .parse()
        .map_or(Literal::Foreign, |number| Literal::Value(Val::Int(number)))
}
