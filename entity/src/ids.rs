//! The ids that a caller sees: TypeIDs, a prefix that names the type and a UUIDv7 in base32 (`cli_01h455vb4pex5vsknk084sn02q`).
//!
//! The prefix makes a log line readable and lets one field (`node`) resolve every type; the UUIDv7 keeps new
//! rows at the end of the index. In the database an id is the bare UUID, sixteen bytes, since the table
//! already says of what.
//!
//! A record's id is different: see [`RecordId`].

use std::fmt;
use std::str::FromStr;

use sea_orm::DeriveValueType;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

/// Crockford's alphabet in the lower case that the TypeID specification asks for.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// 128 bits in groups of five need 26 characters, of which the first carries only three bits.
const SUFFIX_LENGTH: usize = 26;

/// A text that is not an id of the type that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an id of the form {prefix}_ and 26 characters")]
pub struct MalformedId {
    /// The prefix that such an id has.
    pub prefix: &'static str,
}

fn encode(uuid: Uuid) -> [u8; SUFFIX_LENGTH] {
    let mut bits = uuid.as_u128();
    let mut text = [0; SUFFIX_LENGTH];
    for place in text.iter_mut().rev() {
        *place = ALPHABET[(bits & 31) as usize];
        bits >>= 5;
    }
    text
}

fn decode(text: &str) -> Option<Uuid> {
    let text = text.as_bytes();
    if text.len() != SUFFIX_LENGTH || text[0] > b'7' {
        return None;
    }
    let mut bits = 0_u128;
    for character in text {
        let digit = ALPHABET.iter().position(|known| known == character)?;
        bits = bits << 5 | digit as u128;
    }
    Some(Uuid::from_u128(bits))
}

fn write(f: &mut fmt::Formatter<'_>, prefix: &str, uuid: Uuid) -> fmt::Result {
    use fmt::Write as _;
    f.write_str(prefix)?;
    f.write_char('_')?;
    encode(uuid)
        .iter()
        .try_for_each(|&character| f.write_char(character.into()))
}

fn read(text: &str, prefix: &'static str) -> Result<Uuid, MalformedId> {
    text.strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('_'))
        .and_then(decode)
        .ok_or(MalformedId { prefix })
}

macro_rules! text_form {
    ($name:ident) => {
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?
                    .parse()
                    .map_err(de::Error::custom)
            }
        }
    };
}

/// An id type: its documentation, its name and its prefix.
macro_rules! typed_id {
    ($($(#[$meta:meta])* $name:ident $prefix:literal;)+) => {
        $(
            $(#[$meta])*
            #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, DeriveValueType)]
            pub struct $name(Uuid);

            impl $name {
                /// What its text begins with, without the underscore.
                pub const PREFIX: &'static str = $prefix;

                /// The id whose UUID this is.
                #[must_use]
                pub const fn new(uuid: Uuid) -> Self {
                    Self(uuid)
                }

                /// What the database keeps.
                #[must_use]
                pub const fn uuid(self) -> Uuid {
                    self.0
                }
            }

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    write(f, Self::PREFIX, self.0)
                }
            }

            impl FromStr for $name {
                type Err = MalformedId;

                fn from_str(text: &str) -> Result<Self, MalformedId> {
                    read(text, Self::PREFIX).map(Self)
                }
            }

            impl sea_orm::TryFromU64 for $name {
                fn try_from_u64(_: u64) -> Result<Self, sea_orm::DbErr> {
                    Err(sea_orm::DbErr::ConvertFromU64(stringify!($name)))
                }
            }

            text_form!($name);
        )+

        /// An id of any type, for `node(id:)`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum AnyId {
            $(#[doc = concat!("`", $prefix, "_…`")] $name($name),)+
            /// `rec_…`
            RecordId(RecordId),
        }

        impl AnyId {
            /// None where the text is no id of a type that we know.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                let (prefix, _) = text.split_once('_')?;
                match prefix {
                    $($name::PREFIX => text.parse().ok().map(Self::$name),)+
                    RecordId::PREFIX => text.parse().ok().map(Self::RecordId),
                    _ => None,
                }
            }
        }
    };
}

typed_id! {
    /// A client: one customer of the operator, the owner of integrations.
    ClientId "cli";
    /// One version of an installed connector.
    ConnectorId "con";
    /// A client's connection to one API.
    IntegrationId "int";
    /// When an integration runs by itself.
    ScheduleId "sch";
    /// One synchronisation, from the queue to its end.
    RunId "run";
    /// Something that happened and was told to the outside.
    EventId "evt";
    /// Work that could not be done and waits for a person.
    DeadLetterId "dlq";
    /// A credential of the API.
    ApiKeyId "key";
    /// A client's erasure.
    ErasureId "era";
}

/// A record's id, computed from two columns that the table has anyway: when it was first seen, and its row.
///
/// Records are the biggest table by far. A UUID column would cost sixteen bytes a row and a third index,
/// written on every insert, to serve one lookup that a person makes now and then. So the id is a UUIDv7
/// *made of* the row: 48 bits of milliseconds, the microseconds left over where the RFC allows for finer
/// time, and the row number in the 62 bits that would be random. Reading it finds the row by its primary
/// key, and compares the time, so that a guessed row number finds nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId {
    /// When the record was first seen, in microseconds since the epoch.
    pub first_seen_micros: i64,
    /// The row's number.
    pub row: i64,
}

impl RecordId {
    /// What its text begins with, without the underscore.
    pub const PREFIX: &'static str = "rec";

    const ROW_BITS: u32 = 62;
    const VERSION: u128 = 7;
    const VARIANT: u128 = 0b10;

    /// The UUIDv7 that is made of the two numbers.
    #[must_use]
    pub fn uuid(self) -> Uuid {
        let millis = u128::from(self.first_seen_micros.max(0).unsigned_abs() / 1000) & 0xffff_ffff_ffff;
        let micros = u128::from(self.first_seen_micros.max(0).unsigned_abs() % 1000);
        let row = u128::from(self.row.unsigned_abs()) & ((1 << Self::ROW_BITS) - 1);
        Uuid::from_u128(millis << 80 | Self::VERSION << 76 | micros << 64 | Self::VARIANT << 62 | row)
    }

    fn from_uuid(uuid: Uuid) -> Option<Self> {
        let bits = uuid.as_u128();
        let (millis, micros) = (bits >> 80, bits >> 64 & 0xfff);
        if bits >> 76 & 0xf != Self::VERSION || bits >> 62 & 0b11 != Self::VARIANT || micros > 999 {
            return None;
        }
        Some(Self {
            first_seen_micros: i64::try_from(millis * 1000 + micros).ok()?,
            row: i64::try_from(bits & ((1 << Self::ROW_BITS) - 1)).ok()?,
        })
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, Self::PREFIX, self.uuid())
    }
}

impl FromStr for RecordId {
    type Err = MalformedId;

    fn from_str(text: &str) -> Result<Self, MalformedId> {
        read(text, Self::PREFIX)
            .and_then(|uuid| Self::from_uuid(uuid).ok_or(MalformedId { prefix: Self::PREFIX }))
    }
}

text_form!(RecordId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_specification_s_examples() {
        let uuid: Uuid = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
        assert_eq!(ClientId::new(uuid).to_string(), "cli_01h455vb4pex5vsknk084sn02q");
        assert_eq!("cli_01h455vb4pex5vsknk084sn02q".parse(), Ok(ClientId::new(uuid)));
        assert_eq!(
            ClientId::new(Uuid::nil()).to_string(),
            "cli_00000000000000000000000000"
        );
        assert_eq!(
            ClientId::new(Uuid::max()).to_string(),
            "cli_7zzzzzzzzzzzzzzzzzzzzzzzzz"
        );
    }

    #[test]
    fn what_is_no_id() {
        for text in [
            "",
            "cli",
            "cli_",
            "cli_01h455vb4pex5vsknk084sn02",
            "cli_01h455vb4pex5vsknk084sn02qq",
            "cli_8zzzzzzzzzzzzzzzzzzzzzzzzz",
            "cli_01H455VB4PEX5VSKNK084SN02Q",
            "cli_01h455vb4pex5vsknk084sn02u",
            "int_01h455vb4pex5vsknk084sn02q",
            "cli_01h455vb4pex5vsknk084sn0é",
        ] {
            assert!(text.parse::<ClientId>().is_err(), "{text}");
        }
        assert_eq!(AnyId::parse("xyz_01h455vb4pex5vsknk084sn02q"), None);
    }

    #[test]
    fn any_id_knows_its_type() {
        let id = RunId::new(Uuid::from_u128(7));
        assert_eq!(AnyId::parse(&id.to_string()), Some(AnyId::RunId(id)));
        let record = RecordId {
            first_seen_micros: 1_795_000_000_123_456,
            row: 1,
        };
        assert_eq!(AnyId::parse(&record.to_string()), Some(AnyId::RecordId(record)));
    }

    #[test]
    fn a_record_s_id_gives_back_what_it_was_made_of() {
        for row in [1, 200_000, (1 << 62) - 1] {
            let id = RecordId {
                first_seen_micros: 1_795_000_000_123_999,
                row,
            };
            assert_eq!(id.to_string().parse(), Ok(id));
            assert_eq!(id.uuid().get_version_num(), 7);
            assert_eq!(id.uuid().get_variant(), uuid::Variant::RFC4122);
        }
        let random = Uuid::from_u128(u128::MAX);
        assert!(
            format!(
                "rec_{}",
                ClientId::new(random).to_string().trim_start_matches("cli_")
            )
            .parse::<RecordId>()
            .is_err()
        );
    }

    #[test]
    fn as_json_an_id_is_its_text() {
        let id = RunId::new(Uuid::from_u128(9));
        let json = serde_json::to_value(id).unwrap();
        assert_eq!(json, serde_json::json!(id.to_string()));
        assert_eq!(serde_json::from_value::<RunId>(json).unwrap(), id);
    }
}
