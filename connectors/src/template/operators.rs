//! Python's arithmetic.

use super::ast::Operator;
use super::fail::{Fail, Run};
use super::percent;
use super::value::{Moment, Val};
use crate::datetime::{Duration, plus_micros};

/// No text or list that a template makes may be longer.
pub(crate) const MAX_LENGTH: usize = 1 << 24;

const DAY: i64 = 86_400_000_000;

fn unsupported<'a>(symbol: &str, left: &Val<'a>, right: &Val<'a>) -> Fail {
    for side in [left, right] {
        if let Val::Undefined(name) = side {
            return Fail::undefined(name);
        }
    }
    let (left, right) = (left.type_name(), right.type_name());
    Fail::Type(format!(
        "unsupported operand type(s) for {symbol}: '{left}' and '{right}'"
    ))
}

fn overflow() -> Fail {
    Fail::Value("a number grew too large".to_owned())
}

fn zero_division() -> Fail {
    Fail::Value("division by zero".to_owned())
}

/// A number, `True` and `False` being 1 and 0.
#[derive(Clone, Copy)]
pub(crate) enum Num {
    Int(i128),
    Float(f64),
}

impl Num {
    pub(crate) fn of(value: &Val<'_>) -> Option<Num> {
        match value {
            Val::Bool(truth) => Some(Num::Int(i128::from(*truth))),
            Val::Int(number) => Some(Num::Int(*number)),
            Val::Float(number) => Some(Num::Float(*number)),
            _ => None,
        }
    }

    pub(crate) fn float(self) -> f64 {
        match self {
            Num::Int(number) => number as f64,
            Num::Float(number) => number,
        }
    }
}

pub(crate) fn binary<'a>(operator: Operator, left: &Val<'a>, right: &Val<'a>) -> Run<Val<'a>> {
    if let (Some(left), Some(right)) = (Num::of(left), Num::of(right)) {
        return arithmetic(operator, left, right);
    }
    match operator {
        Operator::Add => add(left, right),
        Operator::Subtract => subtract(left, right),
        Operator::Multiply => multiply(left, right),
        Operator::Remainder => match left {
            Val::Str(format) => percent::format(format, right).map(Val::str),
            _ => Err(unsupported("%", left, right)),
        },
        Operator::Divide => match (left, right) {
            (Val::Duration(left), Val::Duration(right)) if left.is_exact() && right.is_exact() => {
                if right.micros == 0 {
                    return Err(zero_division());
                }
                Ok(Val::Float(left.micros as f64 / right.micros as f64))
            }
            (Val::Duration(duration), number) if duration.is_exact() => match Num::of(number) {
                Some(number) if number.float() == 0.0 => Err(zero_division()),
                Some(number) => exact(duration.micros as f64 / number.float()),
                None => Err(unsupported("/", left, right)),
            },
            _ => Err(unsupported("/", left, right)),
        },
        Operator::FloorDivide => match (left, right) {
            (Val::Duration(left), Val::Duration(right)) if left.is_exact() && right.is_exact() => {
                let (left, right) = (i128::from(left.micros), i128::from(right.micros));
                arithmetic(Operator::FloorDivide, Num::Int(left), Num::Int(right))
            }
            _ => Err(unsupported("//", left, right)),
        },
        Operator::Power => Err(unsupported("** or pow()", left, right)),
    }
}

fn exact<'a>(micros: f64) -> Run<Val<'a>> {
    if !micros.is_finite() || micros.abs() > 8e18 {
        return Err(overflow());
    }
    Ok(Val::Duration(Duration::from_micros(
        micros.round_ties_even() as i64
    )))
}

fn arithmetic<'a>(operator: Operator, left: Num, right: Num) -> Run<Val<'a>> {
    if let (Num::Int(a), Num::Int(b)) = (left, right) {
        let result = match operator {
            Operator::Add => a.checked_add(b),
            Operator::Subtract => a.checked_sub(b),
            Operator::Multiply => a.checked_mul(b),
            Operator::Divide if b == 0 => return Err(zero_division()),
            Operator::Divide => return Ok(Val::Float(a as f64 / b as f64)),
            Operator::FloorDivide | Operator::Remainder if b == 0 => return Err(zero_division()),
            Operator::FloorDivide => a.checked_div_euclid(b).map(|quotient| {
                if b < 0 && a.rem_euclid(b) != 0 {
                    quotient - 1
                } else {
                    quotient
                }
            }),
            Operator::Remainder => a
                .checked_rem_euclid(b)
                .map(|rest| if b < 0 && rest != 0 { rest + b } else { rest }),
            Operator::Power if b < 0 && a == 0 => return Err(zero_division()),
            Operator::Power if b < 0 => return Ok(Val::Float((a as f64).powf(b as f64))),
            Operator::Power => u32::try_from(b).ok().and_then(|b| a.checked_pow(b)),
        };
        return result.map(Val::Int).ok_or_else(overflow);
    }
    let (a, b) = (left.float(), right.float());
    Ok(Val::Float(match operator {
        Operator::Add => a + b,
        Operator::Subtract => a - b,
        Operator::Multiply => a * b,
        Operator::Divide | Operator::FloorDivide | Operator::Remainder if b == 0.0 => {
            return Err(zero_division());
        }
        Operator::Divide => a / b,
        Operator::FloorDivide => ((a - floor_remainder(a, b)) / b).round(),
        Operator::Remainder => floor_remainder(a, b),
        Operator::Power if a == 0.0 && b < 0.0 => return Err(zero_division()),
        Operator::Power => a.powf(b),
    }))
}

fn floor_remainder(a: f64, b: f64) -> f64 {
    let rest = a % b;
    if rest == 0.0 {
        0.0_f64.copysign(b)
    } else if (rest < 0.0) != (b < 0.0) {
        rest + b
    } else {
        rest
    }
}

fn add<'a>(left: &Val<'a>, right: &Val<'a>) -> Run<Val<'a>> {
    match (left, right) {
        (Val::Str(a), Val::Str(b)) => {
            bounded(a.len() + b.len())?;
            Ok(Val::str([a.as_ref(), b.as_ref()].concat()))
        }
        (Val::List(_) | Val::JsonList(_), Val::List(_) | Val::JsonList(_)) => {
            let mut items = left.items().unwrap_or_default();
            items.extend(right.items().unwrap_or_default());
            bounded(items.len())?;
            Ok(Val::list(items))
        }
        (Val::Tuple(a), Val::Tuple(b)) => {
            bounded(a.len() + b.len())?;
            Ok(Val::tuple(a.iter().chain(b.iter()).cloned().collect()))
        }
        (Val::Duration(a), Val::Duration(b)) => Ok(Val::Duration(sum(a, b)?)),
        (Val::Duration(duration), moment) | (moment, Val::Duration(duration)) => {
            shift(moment, duration)?.ok_or_else(|| unsupported("+", left, right))
        }
        _ => Err(unsupported("+", left, right)),
    }
}

fn bounded(length: usize) -> Run<()> {
    if length > MAX_LENGTH {
        Err(Fail::Value("a text or list grew too long".to_owned()))
    } else {
        Ok(())
    }
}

fn sum(a: &Duration, b: &Duration) -> Run<Duration> {
    let parts = (|| {
        Some(Duration {
            years: a.years.checked_add(b.years)?,
            months: a.months.checked_add(b.months)?,
            micros: a.micros.checked_add(b.micros)?,
        })
    })();
    parts.ok_or_else(overflow)
}

/// A date or date-time, moved.
fn shift<'a>(moment: &Val<'a>, duration: &Duration) -> Run<Option<Val<'a>>> {
    Ok(Some(match moment {
        Val::DateTime(moment) => Val::DateTime(Moment {
            local: duration.add_to_local(moment.local)?,
            offset: moment.offset,
        }),
        Val::Date(date) => {
            // A date moves by whole days: of a day and a half, one.
            let shifted = duration.shift(*date)?.and_time(chrono::NaiveTime::MIN);
            Val::Date(plus_micros(shifted, duration.micros.div_euclid(DAY) * DAY)?.date())
        }
        _ => return Ok(None),
    }))
}

fn subtract<'a>(left: &Val<'a>, right: &Val<'a>) -> Run<Val<'a>> {
    let between = |micros: Option<i64>| {
        micros
            .map(|micros| Val::Duration(Duration::from_micros(micros)))
            .ok_or_else(overflow)
    };
    match (left, right) {
        (Val::Duration(a), Val::Duration(b)) => Ok(Val::Duration(sum(a, &b.negated())?)),
        (Val::DateTime(a), Val::DateTime(b)) => {
            if a.offset.is_some() != b.offset.is_some() {
                return Err(Fail::Type(
                    "can't subtract offset-naive and offset-aware datetimes".to_owned(),
                ));
            }
            between((a.utc() - b.utc()).num_microseconds())
        }
        (Val::Date(a), Val::Date(b)) => between((*a - *b).num_microseconds()),
        // `date - timedelta` takes the days off, rounded down, before the sign is turned.
        (Val::Date(date), Val::Duration(duration)) => {
            let days = duration.micros.div_euclid(DAY);
            let back = Duration {
                years: -duration.years,
                months: -duration.months,
                micros: -days * DAY,
            };
            shift(&Val::Date(*date), &back)?.ok_or_else(overflow)
        }
        (moment, Val::Duration(duration)) => {
            shift(moment, &duration.negated())?.ok_or_else(|| unsupported("-", left, right))
        }
        _ => Err(unsupported("-", left, right)),
    }
}

fn multiply<'a>(left: &Val<'a>, right: &Val<'a>) -> Run<Val<'a>> {
    let (container, factor) = if Num::of(left).is_some() {
        (right, left)
    } else {
        (left, right)
    };
    if let (Val::Duration(duration), Some(factor)) = (container, Num::of(factor)) {
        if duration.is_exact() {
            return exact(duration.micros as f64 * factor.float());
        }
        if let Num::Int(factor) = factor {
            let scale = |part: i64| i64::try_from(i128::from(part) * factor).map_err(|_| overflow());
            let scaled = Duration {
                years: scale(duration.years)?,
                months: scale(duration.months)?,
                micros: scale(duration.micros)?,
            };
            return Ok(Val::Duration(scaled));
        }
    }
    let Some(Num::Int(times)) = Num::of(factor) else {
        return Err(unsupported("*", left, right));
    };
    let times = usize::try_from(times.max(0)).map_err(|_| overflow())?;
    match container {
        Val::Str(text) => {
            bounded(text.len().saturating_mul(times))?;
            Ok(Val::str(text.repeat(times)))
        }
        Val::List(_) | Val::JsonList(_) | Val::Tuple(_) => {
            let items = container.items().unwrap_or_default();
            bounded(items.len().saturating_mul(times))?;
            let count = items.len() * times;
            let repeated: Vec<Val<'a>> = items.into_iter().cycle().take(count).collect();
            Ok(if matches!(container, Val::Tuple(_)) {
                Val::tuple(repeated)
            } else {
                Val::list(repeated)
            })
        }
        _ => Err(unsupported("*", left, right)),
    }
}

pub(crate) fn negative<'a>(value: &Val<'a>) -> Run<Val<'a>> {
    match (value, Num::of(value)) {
        (_, Some(Num::Int(number))) => number.checked_neg().map(Val::Int).ok_or_else(overflow),
        (_, Some(Num::Float(number))) => Ok(Val::Float(-number)),
        (Val::Duration(duration), _) => Ok(Val::Duration(duration.negated())),
        (Val::Undefined(name), _) => Err(Fail::undefined(name)),
        _ => Err(Fail::Type(format!(
            "bad operand type for unary -: '{}'",
            value.type_name()
        ))),
    }
}

pub(crate) fn positive<'a>(value: &Val<'a>) -> Run<Val<'a>> {
    match (value, Num::of(value)) {
        (_, Some(Num::Int(number))) => Ok(Val::Int(number)),
        (_, Some(Num::Float(number))) => Ok(Val::Float(number)),
        (Val::Duration(duration), _) if duration.is_exact() => Ok(value.clone()),
        (Val::Undefined(name), _) => Err(Fail::undefined(name)),
        _ => Err(Fail::Type(format!(
            "bad operand type for unary +: '{}'",
            value.type_name()
        ))),
    }
}
