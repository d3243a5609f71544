//! `JwtAuthenticator`.

use super::super::component::Component;
use super::super::components::{JwtAlgorithm, JwtAuthenticator, Text, TextMap};
use super::super::document::{Kind, Node};
use super::super::slot::Slot;
use super::requests::option;
use super::values::text_map;

pub(super) fn jwt(component: &Component<'_>) -> Option<JwtAuthenticator> {
    let secret_key = component.required("secret_key").and_then(|slot| slot.text());
    let base64_encode_secret_key = component.or("base64_encode_secret_key", false, Slot::boolean);
    let algorithm = component.required("algorithm").and_then(|slot| algorithm(&slot));
    let token_duration = component.or("token_duration", 1_200, Slot::whole_number);
    let header_prefix = component.optional_text("header_prefix");
    let headers = named(component, "jwt_headers", &["kid", "typ", "cty"]);
    let payload = named(component, "jwt_payload", &["iss", "sub", "aud"]);
    let additional_headers = component.or("additional_jwt_headers", TextMap::default(), claims);
    let additional_payload = component.or("additional_jwt_payload", TextMap::default(), claims);
    let request_option = component.optional("request_option", option);
    if let Some(slot) = component.field("passphrase")
        && slot.node.is_truthy()
    {
        slot.fault(
            "keys with a passphrase are not supported; store the key without one and leave passphrase out",
        );
        return None;
    }
    let typ = component.text_or_default("JWT");
    let [kid, own_typ, cty] = headers?;
    let [iss, sub, aud] = payload?;
    Some(JwtAuthenticator {
        secret_key: secret_key?,
        base64_encode_secret_key: base64_encode_secret_key?,
        algorithm: algorithm?,
        token_duration: token_duration?,
        header_prefix: header_prefix?,
        kid,
        typ: own_typ.or(typ),
        cty,
        additional_headers: additional_headers?,
        iss,
        sub,
        aud,
        additional_payload: additional_payload?,
        request_option: request_option?,
    })
}

fn algorithm(slot: &Slot<'_>) -> Option<JwtAlgorithm> {
    if let Some(name @ ("ES256K" | "ES512")) = slot.node.as_text() {
        let names: Vec<_> = JwtAlgorithm::ALL.iter().map(|(name, _)| *name).collect();
        slot.fault(format!("{name} is not supported; there are {}", names.join(", ")));
        return None;
    }
    slot.word(&JwtAlgorithm::ALL)
}

/// A mapping of three texts, without a type of its own. Empty texts mean absent.
fn named(
    component: &Component<'_>,
    field: &str,
    names: &'static [&'static str; 3],
) -> Option<[Option<Text>; 3]> {
    let mut texts = [None, None, None];
    let Some(slot) = component.field(field) else {
        return Some(texts);
    };
    for (key, _, value) in slot.entries()? {
        match names.iter().position(|name| *name == &*key) {
            Some(_) if !value.node.is_truthy() => {}
            Some(at) => texts[at] = Some(value.text()?),
            None => value.strange_field(&key, names),
        }
    }
    Some(texts)
}

/// Values that are written out as numbers or booleans are claims of that type.
fn claims(slot: &Slot<'_>) -> Option<TextMap> {
    let Kind::Map(fields) = &slot.node.kind else {
        return text_map(slot);
    };
    let mut fields = fields.clone();
    for field in fields.values_mut() {
        let written = match field.value.kind {
            Kind::Integer(number) => number.to_string(),
            Kind::Float(number) => number.to_string(),
            Kind::Boolean(true) => "True".to_owned(),
            Kind::Boolean(false) => "False".to_owned(),
            _ => continue,
        };
        field.value = Node::text(field.value.at, &written);
    }
    let mut read = slot.clone();
    read.node = std::rc::Rc::new(Node {
        at: slot.node.at,
        kind: Kind::Map(fields),
    });
    text_map(&read)
}
